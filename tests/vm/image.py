"""Disk images of Debian machines, made by an ordinary user and kept between runs.

mmdebstrap in its "unshare" mode makes a tar of the root file system; in a user namespace of our own
(subordinate ids: newuidmap) it is unpacked and mke2fs makes the disk of it, so that owners and
modes are right and nobody was root. Device nodes cannot be made there and are left out: the kernel's
devtmpfs has them. About 1.5 minutes, once for each recipe.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.need import need, need_program

SUITES = ("bookworm", "trixie")
PYTHON = {"bookworm": "3.11", "trixie": "3.13"}
PACKAGES = """
systemd systemd-sysv systemd-container dbus dbus-user-session libpam-systemd udev kmod linux-image-cloud-amd64
openssh-server iproute2 procps util-linux netbase ca-certificates cron apparmor selinux-policy-default policycoreutils
python3 python3-venv uidmap slirp4netns fuse-overlayfs libseccomp2 busybox-static podman
""".split()
# Units that take a quarter minute of every boot are left to the tests to start; quotas are those of loop devices.
SERVERS = "nfs-kernel-server nfs-common squashfuse squashfs-tools quota".split()
SERVERS_HOOK = 'chroot "$1" systemctl -q disable nfs-server nfs-client.target rpcbind.service rpcbind.socket quota.service'
PODS = "containerd containernetworking-plugins rootlesskit socat".split()
PODS_HOOK = Path(__file__).with_name("pods.sh").read_text()
# For our Debian package: nothing that it depends on is installed; apt finds that in the machine, and nothing else. Manual pages are
# kept, and AppArmor starts, but without Debian's profiles.
PACKAGED = "man-db bash-completion zsh fish".split()
DEPENDED_ON = """
ca-certificates fuse-overlayfs libseccomp2 slirp4netns uidmap
python3-click python3-h11 python3-isal python3-jeepney python3-urllib3 python3-wsproto python3-yaml python3-zstandard
""".split()
PACKAGED_HOOK = f"""\
set -eu
sed -i /path-exclude/d "$1"/etc/dpkg/dpkg.cfg.d/*
sed -i s/^update_initramfs=.*/update_initramfs=no/ "$1/etc/initramfs-tools/update-initramfs.conf" # fuse3 asks for one: a minute
chroot "$1" systemctl -q unmask apparmor.service
find "$1/etc/apparmor.d" -maxdepth 1 -type f -delete
chroot "$1" apt-get clean
chroot "$1" apt-get -qq -y --no-install-recommends --download-only install {" ".join(DEPENDED_ON)}
mkdir "$1/srv/debian"
mv "$1"/var/cache/apt/archives/*.deb "$1/srv/debian"
cd "$1/srv/debian"
for each in *.deb; do
    dpkg-deb -f "$each"
    printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' "$each" "$(stat -c %s "$each")" "$(sha256sum "$each" | cut -d " " -f 1)"
done >Packages
rm -rf "$1"/etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/debian ./' >"$1/etc/apt/sources.list"
"""


class More(NamedTuple):
    """What an image has more than its suite's own, and what it has not."""

    packages: list[str] = []
    without: list[str] = []
    hooks: list[str] = []  # of mmdebstrap's


# By the name of the image: "trixie", "trixie+servers".
MORE = {
    "": More(),
    "servers": More(SERVERS, hooks=[SERVERS_HOOK]),
    "pods": More(PODS, hooks=[PODS_HOOK]),
    "package": More(PACKAGED, without=[*DEPENDED_ON, "podman"], hooks=[PACKAGED_HOOK]),
}
# What nobody reads in a test, and drivers of devices that this machine has not.
DPKG_OPTIONS = (
    "force-unsafe-io",
    "path-exclude=/usr/share/doc/*",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
)
# Debian's initrd is made as small as can be, and not used: it waits for udev to find all devices, which
# is a quarter of every boot of an emulated machine. Ours has three modules and a shell.
SMALL_INITRD = """\
mkdir -p "$1/etc/initramfs-tools/conf.d"
printf 'MODULES=list\\nFSTYPE=ext4\\n' >"$1/etc/initramfs-tools/conf.d/vm"
"""
INIT = """\
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs none /dev
for module in /modules/*; do /bin/busybox insmod $module; done
until [ -b /dev/vda ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 /dev/vda /root
exec /bin/busybox switch_root /root /sbin/init
"""
# In a user namespace: root there is this user, the others are its subordinate ids.
MAKE_DISK = f"""\
set -eu
mkdir root initrd.d
tar -xf root.tar -C root --numeric-owner --xattrs --xattrs-include='*' --exclude='./dev/*'
cp root/boot/vmlinuz-* vmlinuz
mkdir initrd.d/bin initrd.d/dev initrd.d/root initrd.d/modules
cp "$(find root/bin/busybox root/usr/bin/busybox | head -n 1)" initrd.d/bin
printf %s {shlex.quote(INIT)} >initrd.d/init
chmod 755 initrd.d/init
version=$(basename root/boot/vmlinuz-*)
version=${{version#vmlinuz-}}
number=100
for wanted in virtio_pci virtio_blk ext4; do
    chroot root modprobe --set-version "$version" --show-depends "$wanted"
done | sed -n 's/^insmod //p' | awk '!seen[$1]++ {{ print $1 }}' >modules
while read -r module; do
    case $module in
    *.xz) unpack="xz -dc" ;;
    *) unpack=cat ;;
    esac
    $unpack <"root$module" >"initrd.d/modules/$number.ko"
    number=$((number + 1))
done <modules
[ -s modules ] || exit 1
(cd initrd.d && find . | bin/busybox cpio -o -H newc >../initrd)
truncate -s 8G disk
mke2fs -q -t ext4 -d root disk
rm -rf root root.tar initrd.d modules
"""
BUILD_LIMIT_S = 1800


class Image(NamedTuple):
    """Files of a machine that was built; never written to, for a machine boots an overlay of the disk."""

    suite: str
    disk: Path
    kernel: Path
    initrd: Path
    key: Path


def cache_directory() -> Path:
    """$ROOTLESS_VM_DIR or ~/.cache/rootless-vm."""
    named = os.environ.get("ROOTLESS_VM_DIR")
    return Path(named) if named else Path.home() / ".cache/rootless-vm"


def ensure(name: str) -> Image:
    """The image of this suite, "trixie" or with what it has more, "trixie+servers"; built if no run did so before. Skips where
    that cannot be done."""
    need(os.uname().machine == "x86_64", "the machines are amd64, and this host is not")
    for program in ("qemu-system-x86_64", "qemu-img", "mke2fs", "ssh", "scp", "ssh-keygen"):
        need_program(program)
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    customize = Path(__file__).with_name("customize.sh").read_text()
    suite, packages, hooks = _recipe(name)
    recipe = (suite, packages, DPKG_OPTIONS, SMALL_INITRD, MAKE_DISK, customize, *hooks)
    directory = cache / f"{name}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]}"
    with (cache / f"{name}.lock").open("w") as lock:  # two test runs, one build
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            _build(name, directory, customize)
    return Image(suite, *(directory / name for name in ("disk", "vmlinuz", "initrd", "key")))


def _recipe(name: str) -> tuple[str, list[str], list[str]]:
    """Suite, packages and hooks of an image."""
    suite, _, more = name.partition("+")
    added = MORE[more]
    return suite, [each for each in PACKAGES if each not in added.without] + added.packages, added.hooks


def _build(name: str, directory: Path, customize: str) -> None:
    suite, packages, hooks = _recipe(name)
    mmdebstrap = need_program("mmdebstrap")
    need_program("newuidmap")
    need_program("xz")
    started = time.monotonic()
    for old in directory.parent.glob(f"{name}-*"):
        _remove_unused(old)
    aside = Path(tempfile.mkdtemp(prefix=f"{name}-", suffix=".new", dir=directory.parent))
    try:
        _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rootless tests", "-f", aside / "key"])
        public_key = (aside / "key.pub").read_text().strip()
        settings = f"PUBLIC_KEY={shlex.quote(public_key)} SUITE={suite}\n"
        # mmdebstrap's root is a subordinate id and cannot enter a private directory: stdout is ours.
        with (aside / "root.tar").open("wb") as tar:
            _run(
                [
                    mmdebstrap, "--mode=unshare", "--variant=apt", "--format=tar",
                    f"--include={','.join(packages)}",
                    *(f"--dpkgopt={option}" for option in DPKG_OPTIONS),
                    f"--essential-hook={SMALL_INITRD}", f"--customize-hook={settings}{customize}",
                    *(f"--customize-hook={hook}" for hook in hooks),
                    suite, "-",
                ],
                stdout=tar,
            )  # fmt: skip
        unshare = ["unshare", "--user", "--map-root-user", "--map-auto"]
        _run([*unshare, "sh", "-c", MAKE_DISK], cwd=aside)
        aside.rename(directory)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    print(f"built the image of a {name} machine in {time.monotonic() - started:.0f} s: {directory}")


def _remove_unused(directory: Path) -> None:
    """Remove an image of an older recipe, or what a killed build left, unless a machine runs on it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)


def _run(argv: list[str | Path], *, stdout: object = subprocess.PIPE, cwd: Path | None = None) -> None:
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, cwd=cwd,  # type: ignore[call-overload]
        timeout=BUILD_LIMIT_S, env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
    )  # fmt: skip
    need(done.returncode == 0, f"{argv[0]} failed: {done.stderr.decode(errors='replace')[-3000:]}")
