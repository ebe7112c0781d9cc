"""A home on NFS with root_squash, on two machines: the machine serves it to itself, and mounts it once more, with caches of
their own, in a mount namespace that stands for the second one."""

from __future__ import annotations

import shlex
import subprocess

from tests.vm.machine import Machine

EXPORTS = "/srv/nfs"
SECOND = "/run/second"
STORE = ".local/share/rootless"
# By version: 3 with locks that all machines see, and with those of each machine alone.
OPTIONS = {"4.2": "vers=4.2", "3": "vers=3,proto=tcp", "3-nolock": "vers=3,proto=tcp,nolock"}
# Without systemd's units, which take a minute of an emulated machine's time. The second mount namespace is not to be entered by
# what is mounted later, so its directory is private.
SERVE = f"""
set -e
mkdir -p {EXPORTS} {SECOND} /run/rpcbind
if ! mountpoint -q {SECOND}; then
    mount --bind {SECOND} {SECOND}
    mount --make-private {SECOND}
    modprobe nfsd
    mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
    mkdir -p /run/rpc_pipefs
    mountpoint -q /run/rpc_pipefs || mount -t rpc_pipefs sunrpc /run/rpc_pipefs
    rpcbind -w
    rpc.statd --no-notify
    nfsdcld
    echo '{EXPORTS} 127.0.0.1(rw,root_squash,no_subtree_check,fsid=7)' >/etc/exports
    exportfs -ra
    rpc.mountd
    # No delegations: they are a client's, both mounts are one client's, and what it locks under one the server does not know.
    echo 0 >/proc/sys/fs/leases-enable
    # Who held locks has this long to ask for them again; others wait until then (90 s).
    echo 10 >/proc/fs/nfsd/nfsv4leasetime
    echo 10 >/proc/fs/nfsd/nfsv4gracetime
    rpc.nfsd 4
fi
"""
STOP_SERVER = "rpc.nfsd 0"
START_SERVER = "rpc.nfsd 4"
UNEXPORT = f"exportfs -u 127.0.0.1:{EXPORTS}"
EXPORT = "exportfs -ra"


class Home:
    """The home of `user` at /net/NAME, of a version among OPTIONS.

    run(shell)     as that user on the first machine, over a login
    second(shell)  as that user on the second: another mount, another RUNTIME, another local directory
    """

    def __init__(self, vm: Machine, user: str, version: str) -> None:
        self.vm, self.user, self.version = vm, user, version
        self.name = f"{user}-{version}"
        self.path = f"/net/{self.name}"
        self.namespace = f"{SECOND}/{self.name}"
        mount = f"mount -t nfs -o {OPTIONS[version]},nosharecache 127.0.0.1:{EXPORTS}/{self.name} {self.path}"
        vm.run(
            "root",
            f"""{SERVE}
            install -d -m 700 -o {user} -g {user} {EXPORTS}/{self.name} /var/tmp/second-{self.name} {self.namespace}.run
            mkdir -p {self.path}
            {mount}
            touch {self.namespace}
            unshare --mount={self.namespace} sh -ec 'umount {self.path}; {mount}'
            """,
        )

    def run(self, shell: str, *, check: bool = True, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        return self.vm.run(self.user, self._on_first(shell), check=check, timeout=timeout)

    def second(self, shell: str, *, check: bool = True, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        return self.vm.run("root", self._on_second(shell), check=check, timeout=timeout)

    def start(self, shell: str) -> subprocess.Popen[str]:
        """As `run`, and do not wait."""
        return self.vm.start(self.user, self._on_first(shell))

    def start_second(self, shell: str) -> subprocess.Popen[str]:
        return self.vm.start("root", self._on_second(shell))

    def _on_first(self, shell: str) -> str:
        return f"export HOME={self.path}; cd; {shell}"

    def _on_second(self, shell: str) -> str:
        environment = (
            f"HOME={self.path} XDG_RUNTIME_DIR={self.namespace}.run ROOTLESS_LOCAL=/var/tmp/second-{self.name} "
            f"PATH=/home/{self.user}/venv/bin:/usr/bin:/bin:/usr/sbin"
        )
        enter = f"nsenter --mount={self.namespace} setpriv --reuid={self.user} --regid={self.user} --init-groups"
        return f"{enter} env -i {environment} bash -c {shlex.quote(f'cd; {shell}')}"

    def close(self) -> None:
        """Both machines without it, and nothing of it left on the server."""
        self.vm.run("root", f"[ $(cat /proc/fs/nfsd/threads) != 0 ] || {START_SERVER}; {EXPORT}")
        self.second("rootless system reset -f", check=False)
        self.run("rootless system reset -f", check=False)
        self.vm.run(
            "root",
            f"""nsenter --mount={self.namespace} umount -l {self.path}; umount {self.namespace}; umount -l {self.path}
            rm -rf {EXPORTS}/{self.name} /var/tmp/second-{self.name} {self.namespace}*""",
            check=False,
        )
