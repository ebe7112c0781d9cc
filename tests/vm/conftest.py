"""`vm`: a Debian machine with the wheel of this checkout installed by alice, bob and carol; or by root, as a package of Debian's.

Every test of this tier runs once on each suite; the machines are built, booted and thrown away one after
the other. ROOTLESS_VM_SUITES chooses: "trixie bookworm:short" is all of them on the first, and on the second those
marked `differs`, whose subject is not the same on every release. ROOTLESS_VM_DIR is where images are kept,
ROOTLESS_VM_ACCEL is qemu's -accel (tcg).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from tests.conftest import OUTCOME
from tests.vm import debian_package, image, wheels
from tests.vm.machine import PROCESSORS, USERS, Machine
from tests.vm.oci_host import MAKE_ROOTFS

TEST_LIMIT_S = 600
T = TypeVar("T")
PHASES = pytest.StashKey[list[str]]()
CHOSEN = [each.partition(":") for each in os.environ.get("ROOTLESS_VM_SUITES", " ".join(image.SUITES)).split()]
SUITES = [suite for suite, _, _ in CHOSEN]
SHORT = {suite for suite, _, choice in CHOSEN if choice == "short"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    for item in ours:
        # Machines are slow; a boot in a fixture has limits of its own.
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_LIMIT_S, func_only=True))
    # Another kernel line is another boot: none is needed after the last test of a machine.
    # Another image ("trixie+servers") is another machine: it comes last.
    order = {name: number for number, name in enumerate(["", *SUITES])}
    ours.sort(key=lambda item: (order.get(_suite(item), len(order)), "enforcing" in getattr(item, "fixturenames", ())))
    rest = iter(ours)
    items[:] = [next(rest) if item.path.parent == Path(__file__).parent else item for item in items]
    left_out = {item for item in ours if _suite(item) in SHORT and item.get_closest_marker("differs") is None}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


def _suite(item: pytest.Item) -> str:
    call = getattr(item, "callspec", None)
    return str(call.params.get("vm", "")) if call is not None else ""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built once."""
    return wheels.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's Debian package, built once."""
    return debian_package.build(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session", params=SUITES)
def vm(
    request: pytest.FixtureRequest,
    busybox_archive: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Machine]:
    """A running machine (see `Machine`): `rootless` in everyone's ~/venv/bin, on the PATH of `run`, with
    `busybox:latest` in everyone's store. Tests share it: each removes its containers. On "trixie+package" it is /usr/bin/rootless.
    """
    phases = [str(request.param)]
    told = request.config.stash.setdefault(PHASES, [])
    built = _timed(phases, "image", lambda: image.ensure(request.param))
    if request.param.endswith("+package"):
        brought = request.getfixturevalue("package")
    else:
        brought = tmp_path_factory.mktemp("wheels")
        wheels.gather(request.getfixturevalue("wheel"), built.suite, brought)
    machine = Machine(built)
    try:
        _timed(phases, "boot", machine.boot)
        _timed(phases, "install", lambda: install(machine, brought, busybox_archive))
        started = time.monotonic()
        yield machine
        phases.append(f"tests {time.monotonic() - started:.0f} s")
    finally:
        machine.close()
        told.append(", ".join(phases))


@pytest.fixture(autouse=True)
def sweep(request: pytest.FixtureRequest) -> Iterator[None]:
    """A failed test's containers are in no other test's way."""
    yield
    if "vm" in request.fixturenames and not request.node.stash.get(OUTCOME, False):
        machine: Machine = request.getfixturevalue("vm")
        for user in USERS:
            machine.run(user, 'ids=$(rootless ps -aq); [ -z "$ids" ] || rootless rm -f $ids', check=False)


@pytest.fixture
def machine(vm: Machine) -> Iterator[Machine]:
    """`vm` with a root file system, for bundles and as an archive; no container is left, nor a scope of one."""
    vm.run("root", MAKE_ROOTFS)
    yield vm
    for user, flag in (("alice", "--user"), ("root", "--system")):
        left = vm.run(
            user,
            f"""systemctl {flag} list-units --plain --no-legend 'oci-*.scope' 'libpod-*.scope' 'rootless-oci-*.scope'
            PATH=/home/alice/venv/bin:$PATH; for name in $(rootless-oci list -q); do
                echo "container $name"; rootless-oci delete --force $name
            done""",
        ).stdout
        assert not left, f"left behind by {user}: {left}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(PHASES, []):
        terminalreporter.write_line(f"machine: {line}")


def install(machine: Machine, brought: Path, busybox: Path) -> None:
    """`brought`: a Debian package, or a directory of wheels."""
    machine.put(busybox, "/srv/busybox.tar", user="root")
    install = "true"
    if brought.suffix == ".deb":
        debian_package.install(machine, brought)
    else:
        machine.put(brought, "/srv/wheels", user="root")
        # Compiling everything takes as long as installing it; what is used is compiled when it is.
        pip = "~/venv/bin/pip install -q --no-compile --disable-pip-version-check"
        install = f"{pip} --no-index --find-links /srv/wheels 'rootless[console]'"
    machine.run("root", "chmod -R a+rX /srv")
    load = "rootless load -q -i /srv/busybox.tar"
    with ThreadPoolExecutor(PROCESSORS) as pool:
        for done in [pool.submit(machine.run, user, f"{install} && {load}", timeout=600) for user in USERS]:
            done.result()


def _timed(phases: list[str], what: str, act: Callable[[], T]) -> T:
    started = time.monotonic()
    result = act()
    phases.append(f"{what} {time.monotonic() - started:.0f} s")
    return result
