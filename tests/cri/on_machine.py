"""Pods and their limits, without pytest: `python -m tests.cri.on_machine WORD...`, on a machine that is thrown away (tests/vm).

The words: `files` or `scopes`, where the cgroups come from; `next` for the containerd in NEXT; `pods` for the other tests of pods, too. By
root it uses the machine's own network, /run/containerd and cgroups. An ordinary user's `files` want a cgroup that is delegated, with
nothing else in it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.cri import test_limits, test_pods
from tests.cri.config import PAUSE
from tests.cri.containerd import Way, started
from tests.cri.pod import pods_of
from tests.harness import images
from tests.harness.trees import remove_tree

NEXT = "/opt/next/usr/bin"
PODS = (
    test_pods.test_containers_of_a_pod, test_pods.test_streams, test_pods.test_what_a_pods_specification_says_of_security,
    test_pods.test_mounts_that_go_both_ways, test_pods.test_namespaces_and_privileges,
)  # fmt: skip
LEFT = ("find", "/sys/fs/cgroup", "-regextype", "posix-extended", "-type", "d", "-regex", ".*[0-9a-f]{64}.*")


def main(words: list[str]) -> None:
    os.umask(0o022)
    scopes = "scopes" in words
    way = Way(limits=True, systemd_cgroup=scopes, cgroupns=not scopes, programs=NEXT if "next" in words else "")
    directory = Path(tempfile.mkdtemp(prefix="rl-cri-", dir="/var/tmp"))
    try:
        archives: list[Path] = []
        layer = images.busybox_layer(images.static_busybox())
        for name, command in (("busybox:latest", ["sh"]), (PAUSE, ["sleep", "2147483647"])):
            archives.append(directory / f"{len(archives)}.tar")
            archives[-1].write_bytes(images.docker_archive(name, [layer], {"Cmd": command}))
        with started(*archives, way=way) as daemon:
            print(f"containerd {daemon.version}")
            try:
                for test in (test_limits.in_force, *(PODS if "pods" in words else ())):
                    with pods_of(daemon) as pod:
                        test(pod, daemon)
                    print(f"{test.__name__}: as it should be")
                assert (left := daemon.inside(*LEFT).stdout) == "", left
            except BaseException:
                print(daemon.log())
                raise
    finally:
        remove_tree(directory)


if __name__ == "__main__":
    main(sys.argv[1:])
