"""The pods of tests/cri, and their limits, with real root's containerd: `python -m tests.cri.as_root`, as root, from a checkout whose
helpers are built or with an installed package. Two minutes; by hand, for the suite itself is an ordinary user's.

containerd has mount, network and pid namespaces of its own there. On the machine it uses the cgroup /k8s.io, and directories in /tmp and
/var/tmp, all of which it removes.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.cri import test_limits, test_pods
from tests.cri.containerd import PAUSE, started
from tests.harness import account, images
from tests.harness.trees import remove_tree

TESTS = (
    test_pods.test_containers_of_a_pod, test_pods.test_streams, test_pods.test_what_a_pods_specification_says_of_security,
    test_pods.test_mounts_that_go_both_ways,
)  # fmt: skip
CGROUP = Path("/sys/fs/cgroup/k8s.io"), Path("/sys/fs/cgroup/unified/k8s.io")


def main() -> None:
    if not account.is_host_root():
        sys.exit("python -m tests.cri.as_root: only as root of the machine itself")
    os.umask(0o022)
    existed = [path for path in CGROUP if path.exists()]
    directory = Path(tempfile.mkdtemp(prefix="rl-cri-", dir="/var/tmp"))
    try:
        archives: list[Path] = []
        layer = images.busybox_layer(images.static_busybox())
        for name, command in (("busybox:latest", ["sh"]), (PAUSE, ["sleep", "2147483647"])):
            archives.append(directory / f"{len(archives)}.tar")
            archives[-1].write_bytes(images.docker_archive(name, [layer], {"Cmd": command}))
        with started(*archives) as daemon:
            for test in TESTS:
                with test_pods.pods_of(daemon) as pod:
                    test(pod, daemon)
                print(f"{test.__name__}: as it should be")
        print(test_limits.look(*archives))
    finally:
        remove_tree(directory)
        for path in CGROUP:
            if path.exists() and path not in existed:
                path.rmdir()


if __name__ == "__main__":
    main()
