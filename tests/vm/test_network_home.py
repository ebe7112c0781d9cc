"""A home on NFS with root_squash: what one machine makes there another one runs, and containers are each machine's own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.harness.processes import wait_until
from tests.harness.writable_registry import WritableRegistry
from tests.vm.layers import PULL, WAIT_S, Layers
from tests.vm.machine import Machine
from tests.vm.nfs import STORE, Home

# A machine with a server of NFS is a boot of its own.
pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1200, func_only=True),
    pytest.mark.parametrize("vm", ["trixie+servers"], indirect=True),
]
RUN = "rootless run --rm --network none"


@pytest.fixture
def home(vm: Machine) -> Iterator[Callable[[str, str], Home]]:
    """home(user, version): of alice, who has a range, or of carol, who has none."""
    made: list[Home] = []

    def make(user: str, version: str) -> Home:
        made.append(Home(vm, user, version))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def layers() -> Iterator[Layers]:
    with WritableRegistry() as server:
        found = Layers(server)
        yield found
        found.go()


def end(*started: subprocess.Popen[str]) -> list[int]:
    """The status of each, when all have ended."""
    for process in started:
        print(process.communicate(timeout=WAIT_S))  # pytest shows it when the test fails
    return [process.returncode for process in started]


@pytest.mark.parametrize(("who", "version"), [("alice", "4.2"), ("carol", "3-nolock")])
def test_what_one_machine_makes_another_runs(home: Callable[[str, str], Home], who: str, version: str) -> None:
    at = home(who, version)
    # The second one has looked for the image: that it is not there is cached.
    assert at.second(f"rootless images -q; ls {STORE}/images/names || echo none").stdout == "none\n"
    loaded = at.run(f"rootless load -q -i /srv/busybox.tar && {RUN} busybox true && ls {STORE}; ls {STORE}/images/sqfs | wc -l")
    assert f"images are kept in {at.path}/{STORE}, containers and unpacked layers in /tmp/rootless-" in loaded.stderr
    assert "nfs holds no containers" in loaded.stderr
    assert {"blobs", "images"} <= set(loaded.stdout.split())
    assert not {"layers", "containers", "names"} & set(loaded.stdout.split())
    assert loaded.stdout.split()[-1] == "1"
    script = "stat -c %u:%g.%a /home/user && echo mine >/etc/mine && cat /etc/mine"
    done = at.second(
        f"rootless run --name box --network none busybox sh -c '{script}' && pgrep -c -u {who} squashfuse_ll"
        " && rootless commit -q box busybox >/dev/null && ls $ROOTLESS_LOCAL/*"
    )
    assert done.stdout.split()[:3] == ["1000:1000.755", "mine", "1"]
    assert "containers" in done.stdout
    # The name means what the second one has just committed, which this one knew as something else.
    assert at.run(f"{RUN} -v data:/data busybox sh -c 'cat /etc/mine; echo kept >/data/file'").stdout == "mine\n"
    # What a user with a range cannot have there is an error that says so.
    if who == "alice":
        refused = at.run(f"{RUN} -v user:/home/user busybox true", check=False)
        assert refused.returncode == 125
        assert "has owners that nfs" in refused.stderr
    # All that is left there is the user's own to remove, when the image's mount has ended.
    at.run(f"for _ in $(seq 60); do rm -rf {STORE} 2>/dev/null && break; sleep 2; done; ! ls {STORE}")


@pytest.mark.parametrize(("who", "version"), [("alice", "4.2"), ("carol", "3")])
def test_two_machines_pull_at_once(home: Callable[[str, str], Home], layers: Layers, who: str, version: str) -> None:
    """One fetches and the other waits; when the first is killed half-way the other goes on."""
    at = home(who, version)
    together, killed = layers.add("together", noise=1 << 20), layers.add("killed", noise=1 << 20)
    layers.hold()
    first = at.start(f"{PULL} {together}")
    wait_until(lambda: layers.downloads("together") == 1, "the first one fetches", timeout_s=WAIT_S)
    asked = layers.asked("together")
    second = at.start_second(f"{PULL} {together}")
    wait_until(lambda: layers.asked("together") > asked, "the second one has asked", timeout_s=WAIT_S)
    layers.go()
    assert end(first, second) == [0, 0]
    assert layers.downloads("together") == 1

    layers.hold()
    first = at.start(f"echo $$; exec {PULL} {killed}")
    assert first.stdout is not None
    pid = first.stdout.readline().strip()
    wait_until(lambda: layers.downloads("killed") == 1, "the first one fetches", timeout_s=WAIT_S)
    asked = layers.asked("killed")
    second = at.start_second(f"{PULL} {killed}")
    wait_until(lambda: layers.asked("killed") > asked, "the second one has asked", timeout_s=WAIT_S)
    at.vm.run("root", f"kill -9 {pid}")
    wait_until(lambda: layers.downloads("killed") == 2, "the second one fetches now", timeout_s=WAIT_S)
    layers.go()
    assert end(second) == [0]
    assert end(first) != [0]
    at.run(f"{PULL} {killed}")
    assert layers.downloads("killed") == 2
    assert at.run(f"ls {STORE}/blobs/partial").stdout == ""

    # Starts at once, on both: each has the whole of both images.
    many = "\n".join(f"{RUN} {image} sh -c 'sha256sum </noise; id -u' &" for image in (together, killed, together))
    shown = f"{many}\nwait"
    one, other = at.start(shown), at.start_second(shown)
    told = [each.communicate(timeout=WAIT_S) for each in (one, other)]
    assert [errors for _, errors in told] == ["", ""]
    sums = [sorted(output.split()) for output, _ in told]
    assert sums[0] == sums[1]
    assert len(sums[0]) == 9
    assert sums[0].count("0") == 3
    assert len(set(sums[0])) == 4  # two digests, the minus sign and the 0


@pytest.mark.parametrize(("who", "version"), [("alice", "4.2"), ("carol", "3")])
def test_a_build(home: Callable[[str, str], Home], who: str, version: str) -> None:
    at = home(who, version)
    at.run(
        """rootless load -q -i /srv/busybox.tar && mkdir context && cat >context/Containerfile <<'END'
FROM busybox
COPY Containerfile /etc/made-of
RUN echo built >/etc/built && echo builder:x:7:7::/:/bin/sh >>/etc/passwd
RUN chown builder /etc/built && mkdir -p /srv/deep/down && rmdir /home/user
USER builder
RUN id -un >/tmp/who
END
        rootless build -q -t made context >/dev/null"""
    )
    look = "cat /etc/built /tmp/who; stat -c %U /etc/built /tmp/who; ls /home | wc -l; wc -l </etc/made-of"
    expected = ["built", "builder", "builder", "builder", "0", "6"]
    assert at.second(f"{RUN} made sh -c '{look}'").stdout.split() == expected
    # The other one takes the steps from there, too, and goes on from them.
    again = at.second(
        """cat >>context/Containerfile <<'END'
RUN cat /etc/built
END
        rootless build -t more context 2>&1"""
    )
    assert "built" in again.stdout
    assert at.run(f"{RUN} more sh -c '{look}'").stdout.split()[:4] == expected[:4]
