"""Fixtures that all tests share. See CONTRIBUTING.md, Tests.

user            the ordinary user the tests run as (pytest started as root becomes it)
rootless        the installed command, with a store and runtime directory of its own and a leak check
terminal        terminal("run", "-it", ...) is the command on a real pty
registry        a docker-registry on loopback
podman          Podman as the same user, with runc and overlay
pods            pods in the store of `rootless`
busybox_image   a small image, loaded into the store of `rootless`; its name
debian_image    a bootstrapped Debian, likewise
tools_image     the same with nginx, PostgreSQL, dig, iperf3 and others
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.harness import account, images, leaks, processes
from tests.harness.account import User
from tests.harness.command import Rootless
from tests.harness.podman import Podman
from tests.harness.pods import Pods
from tests.harness.registry import Registry
from tests.harness.terminal import Terminal
from tests.harness.trees import remove_tree
from tests.need import need, need_real_ids, without_range

OUTCOME = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "own_store: the test changes images; it gets a store of its own")
    config.addinivalue_line("markers", "full: takes minutes, or large packages from PyPI and npm; .ci/full has it, .ci/run has not")
    config.addinivalue_line("markers", "real_ids(why): so only with subordinate ids or $XDG_RUNTIME_DIR; left out as a user without")
    config.addinivalue_line("markers", "differs: tests/vm: not the same on every release, so that the gate has it on each")
    if account.is_host_root():
        account.become_ordinary(config)
    # A machine under load is slow: that is no failure.
    hypothesis.settings.register_profile("rootless", suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None)
    hypothesis.settings.load_profile("rootless")
    processes.adopt_orphans()
    # Started by nohup(1), say: what is ignored at its start a shell cannot trap, and tests wait for that.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("real_ids"):
        need_real_ids(mark.args[0])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[OUTCOME] = report.passed
    return report


@pytest.fixture(scope="session")
def user() -> User:
    """The ordinary user with subordinate ids."""
    who = account.current()
    need(who.uid != 0, "root of a user namespace is no ordinary user")
    return who


@pytest.fixture(scope="session")
def shared_store() -> Iterator[Path]:
    """The store that tests share which only read images, so that each is unpacked once. What a test makes of
    images is removed after it; what it built stays in the cache: `build --no-cache` where that would be seen."""
    path = Path(tempfile.mkdtemp(prefix="rl-shared-", dir="/var/tmp"))
    yield path
    remove_tree(path)


@pytest.fixture
def own_store() -> Iterator[Path]:
    """A store of the test's own, on a disk: overlay wants no tmpfs."""
    path = Path(tempfile.mkdtemp(prefix="rl-", dir="/var/tmp"))
    yield path
    remove_tree(path)


@pytest.fixture
def rootless(request: pytest.FixtureRequest, user: User) -> Iterator[Rootless]:
    """The installed command. The store is the test's own, or the shared one where it uses
    `debian_image`, `tools_image` or `busybox_image` and is not marked `own_store`."""
    has_range = account.has_subordinate_ids(user)
    need(has_range or without_range(), f"{user.name} has no subordinate ids, or newuidmap is missing")
    assert not (has_range and without_range()), f"{user.name} has subordinate ids"
    reads_images = {"debian_image", "busybox_image", "tools_image"} & set(request.fixturenames)
    shared = bool(reads_images) and request.node.get_closest_marker("own_store") is None
    runtime = Path(tempfile.mkdtemp(prefix="rl-", dir="/tmp"))
    store = "shared_store" if shared else "own_store"
    root: Path = request.getfixturevalue(store)
    before = leaks.snapshot()
    command = Rootless(root, runtime)
    try:
        yield command
        if shared:
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                images.remove_others(command)
        command.close()
        # A failed test has its own story; what it left is swept without telling another.
        left = leaks.find(before, root, runtime, command.sockets) if request.node.stash.get(OUTCOME, False) else []
    finally:
        command.close()
        leaks.sweep(before)
        remove_tree(runtime)
        remove_tree(command.sockets)
        for name in ("containers", "pods", "names", "volumes"):
            remove_tree(root / name)
    assert not left, "left behind: " + "; ".join(left)


@pytest.fixture
def terminal(rootless: Rootless) -> Iterator[Callable[..., Terminal]]:
    """terminal(*args, rows=24, columns=80): `rootless ARGS` on a pseudo-terminal."""
    opened: list[Terminal] = []

    def open_terminal(*args: str, rows: int = 24, columns: int = 80) -> Terminal:
        environment = {**rootless.environment, "TERM": "xterm"}
        opened.append(Terminal([*rootless.argv, *args], environment, rows=rows, columns=columns))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


@pytest.fixture(scope="session")
def busybox_archive(user: User) -> Path:
    """A docker-archive with `busybox:latest`, made from the host's static busybox."""
    return images.busybox_archive(user.home / ".cache/rootless-tests")


@pytest.fixture
def busybox_image(rootless: Rootless, busybox_archive: Path) -> str:
    """The name of a busybox image in the store of `rootless`."""
    return images.ensure(rootless, "busybox:latest", busybox_archive)


@pytest.fixture
def pods(rootless: Rootless, busybox_image: str) -> Iterator[Pods]:
    """Pods in the store of `rootless`, of busybox's image; all that is in it goes at the end."""
    need(bool(shutil.which("slirp4netns")), "slirp4netns is not installed")
    found = Pods(rootless, busybox_image)
    yield found
    found.close()


@pytest.fixture(scope="session")
def debian_archive(user: User) -> Path:
    """An archive with `debian:bookworm`, bootstrapped by rootless and kept between runs."""
    return images.debian_archive(user.home / ".cache/rootless-tests")


@pytest.fixture
def debian_image(rootless: Rootless, debian_archive: Path) -> str:
    """The name of a Debian image in the store of `rootless`."""
    return images.ensure(rootless, "debian:bookworm", debian_archive)


@pytest.fixture(scope="session")
def server_packages(user: User) -> Path:
    """A directory of packages to be installed in `debian:bookworm`, likewise."""
    return images.server_packages(user.home / ".cache/rootless-tests")


@pytest.fixture(scope="session")
def tools_archive(user: User) -> Path:
    """An archive with `tools:latest`, likewise."""
    return images.tools_archive(user.home / ".cache/rootless-tests")


@pytest.fixture
def tools_image(rootless: Rootless, tools_archive: Path) -> str:
    """The name of a Debian image with servers and clients, in the store of `rootless`."""
    return images.ensure(rootless, "tools:latest", tools_archive)


@pytest.fixture(scope="session")
def registry(user: User, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A docker-registry on a loopback port of its own; plain http, `registry.address` is HOST:PORT."""
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def podman(user: User) -> Iterator[Podman]:
    """Podman of the same user with runc and overlay: the peer we are compared with."""
    need_real_ids("Podman unpacks no image of several users")
    with Podman() as peer:
        yield peer
