"""`network connect` and `disconnect` of a container that does not want to be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.command import Rootless
from tests.harness.processes import wait_until

RIGHTS = ("--cap-add", "NET_ADMIN", "--cap-add", "NET_RAW")


@pytest.fixture
def networks(rootless: Rootless) -> Iterator[None]:
    rootless("network", "create", "app")
    rootless("network", "create", "back")
    yield
    rootless("rm", "-f", "evil", status=None)
    rootless("network", "rm", "app", "back")


def links(rootless: Rootless) -> set[str]:
    return {line.split(":")[1].strip().partition("@")[0] for line in rootless("exec", "evil", "ip", "-o", "link").stdout.splitlines()}


@pytest.mark.usefixtures("networks")
def test_a_link_that_was_renamed_keeps_no_other_one(rootless: Rootless, busybox_image: str) -> None:
    """The default route is to go by `back` now, whose link has another name: that is told, and `app` is gone all the same."""
    rootless("run", "-d", "--name", "evil", *RIGHTS, "--network", "app", "--network", "back", busybox_image, "sleep", "1000")
    rootless("exec", "evil", "sh", "-c", "ip link set eth1 down; ip link set eth1 name mine; ip link set mine up")
    refused = rootless("network", "disconnect", "app", "evil", status=1)
    assert refused.stderr == "rootless: change the container's default route: no interface with this name\n"
    assert links(rootless) == {"lo", "mine"}
    assert "evil" not in rootless("network", "inspect", "app").stdout
    assert "is not connected to network app" in rootless("network", "disconnect", "app", "evil", status=1).stderr
    rootless("network", "disconnect", "back", "evil")
    assert links(rootless) == {"lo"}


@pytest.mark.usefixtures("networks")
def test_a_name_that_the_kernel_would_change_is_none(rootless: Rootless, busybox_image: str) -> None:
    for name in ("eth%d", "all", "default", "lo", "a b", "a/b", "x" * 16, "\x1b[m"):
        asked = f"name=app,driver-opt=com.docker.network.endpoint.ifname={name}"
        assert "invalid interface name" in rootless("run", "--rm", "--network", asked, busybox_image, "true", status=125).stderr


@pytest.mark.usefixtures("networks")
def test_a_lease_on_its_hosts_file_holds_nobody_up(rootless: Rootless, debian_image: str) -> None:
    """Whoever opens a file that somebody has a lease on waits until that one lets go, or 45 seconds. The file is the container's."""
    script = """
        $SIG{IO} = "IGNORE"; $SIG{USR1} = sub { seek F, 0, 0; print while <F>; print "all\\n" };
        $| = 1; open F, "+<", "/etc/hosts"; fcntl F, 1024, 1 or die; print "leased\\n"; sleep 1000 while 1;
    """  # F_SETLEASE, F_WRLCK
    rootless("run", "-d", "--name", "evil", "--network", "app", debian_image, "perl", "-e", script)
    wait_until(lambda: "leased" in rootless("logs", "evil").stdout, "the lease")
    rootless("network", "connect", "back", "evil")
    # Where it was waited for, the lease was broken, and the file has another line.
    rootless("kill", "--signal", "USR1", "evil")
    wait_until(lambda: "all" in rootless("logs", "evil").stdout.split(), "its hosts file")
    assert rootless("logs", "evil").stdout.count("evil") == 1
    rootless("network", "disconnect", "back", "evil")


@pytest.mark.parametrize(
    "words",
    [("--domainname", "a\n192.0.2.6 bank"), ("--dns-search", "a\nnameserver 192.0.2.6"), ("--dns-option", "a\nnameserver 192.0.2.6")],
)
def test_no_word_is_another_line(rootless: Rootless, busybox_image: str, words: tuple[str, str]) -> None:
    refused = rootless("run", "--rm", *words, busybox_image, "true", status=125).stderr
    assert "it has control characters" in refused
