"""`vm`: a Debian machine with the wheel of this checkout installed by alice, bob and carol.

Every test of this tier runs once on each suite; the machines are built, booted and thrown away one after
the other. ROOTLESS_VM_SUITES chooses some ("trixie"), ROOTLESS_VM_DIR is where images are kept,
ROOTLESS_VM_ACCEL is qemu's -accel (tcg).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.vm import image, wheels
from tests.vm.machine import PROCESSORS, USERS, Machine

TEST_LIMIT_S = 600
BUSYBOX = "busybox:latest"
SUITES = os.environ.get("ROOTLESS_VM_SUITES", " ".join(image.SUITES)).split()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # Machines are slow; a boot in a fixture has limits of its own.
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_LIMIT_S, func_only=True))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built once."""
    return wheels.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session", params=SUITES)
def vm(
    request: pytest.FixtureRequest,
    wheel: Path,
    busybox_archive: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Machine]:
    """A running machine (see `Machine`): `rootless` in everyone's ~/venv/bin, on the PATH of `run`, with
    `busybox:latest` in everyone's store. Tests share it: each removes its containers.
    """
    built = image.ensure(request.param)
    directory = tmp_path_factory.mktemp("wheels")
    wheels.gather(wheel, built.suite, directory)
    machine = Machine(built)
    try:
        _timed("booted", machine.boot)
        _timed("installed", lambda: _install(machine, directory, busybox_archive))
        yield machine
    finally:
        machine.close()


def _install(machine: Machine, wheelhouse: Path, busybox: Path) -> None:
    machine.put(wheelhouse, "/srv/wheels", user="root")
    machine.put(busybox, "/srv/busybox.tar", user="root")
    machine.run("root", "chmod -R a+rX /srv")
    install = "~/venv/bin/pip install -q --no-index --find-links /srv/wheels --disable-pip-version-check rootless"
    load = "rootless load -q -i /srv/busybox.tar"
    with ThreadPoolExecutor(PROCESSORS) as pool:
        for done in [pool.submit(machine.run, u, f"{install} && {load}", timeout=600) for u in USERS]:
            done.result()


def _timed(what: str, act: object) -> None:
    started = time.monotonic()
    assert callable(act)
    act()
    print(f"{what} in {time.monotonic() - started:.0f} s")
