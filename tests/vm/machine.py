"""A Debian machine under QEMU: real systemd, real logins, cgroup v2 only. Knows nothing of rootless.

Its processor is emulated (a host's KVM is not to be relied on) and about twenty times slower than the
host's: few commands, each with a meaning. Its only network is 10.0.2.2, the host's loopback.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.need import need_program
from tests.vm.image import Image

USERS = ("alice", "bob", "carol")  # carol has no subordinate ids; root is there, too
BOOT_LIMIT_S = 300.0
COMMAND_LIMIT_S = 240.0
MEMORY_MIB = 3072
PROCESSORS = 2  # of the machine
SECOND_DISK_MIB = 256  # /dev/vdb: an empty ext4 file system, not mounted, alice's
SECOND_DISK_BPS = 16 << 20  # a disk that can be kept busy: what shares it by weight waits for it
# mitigations and address randomisation cost emulated time and protect nothing here.
KERNEL_LINE = "console=ttyS0 root=/dev/vda rw quiet mitigations=off nokaslr systemd.show_status=false"


class Machine:
    """One machine on a disk of its own. `boot` it, and `close` it in the end.

    run(user, shell)   a command as that user, over a login that stays until `logout`
    put, get           files in and out
    reboot, power_cut  in good order, and as if the plug was pulled
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self.name = image.suite
        self.boots = 0
        self.kernel_options = ""  # for the next boot
        self._off = False
        self._in_use = os.open(image.disk.parent, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._in_use, fcntl.LOCK_SH)  # image.py removes what nobody uses
        self._directory = Path(tempfile.mkdtemp(prefix="rl-vm-", dir="/var/tmp"))
        self._port = _free_port()
        self._qemu: subprocess.Popen[bytes] | None = None
        # A disk of ours on top; what the guest has flushed survives our SIGKILL, as with real disks.
        self._disk = self._directory / "disk.qcow2"
        _check([need_program("qemu-img"), "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image.disk, self._disk])
        self._second_disk = self._directory / "disk2.raw"
        with self._second_disk.open("wb") as file:
            file.truncate(SECOND_DISK_MIB << 20)
        _check([need_program("mke2fs"), "-q", "-t", "ext4", "-E", "root_owner=1000:1000", self._second_disk])

    # --- power ---------------------------------------------------------------------------------

    def boot(self) -> None:
        """Switch on and wait until systemd has started everything; AssertionError with the console's end."""
        accel = os.environ.get("ROOTLESS_VM_ACCEL") or "tcg,thread=multi"
        processor = "max,la57=off,svm=off" if accel.startswith("tcg") else "max"
        argv: list[str | Path] = [
            "setpriv", "--pdeathsig", "KILL",  # killed tests leave no machine running
            need_program("qemu-system-x86_64"), "-accel", accel, "-cpu", processor,
            "-smp", str(PROCESSORS), "-m", str(MEMORY_MIB), "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", self.image.kernel, "-initrd", self.image.initrd, "-append", f"{KERNEL_LINE} {self.kernel_options}",
            "-serial", f"file:{self._console}", "-device", "virtio-rng-pci",
            "-drive", f"file={self._disk},format=qcow2,if=virtio",
            "-drive", f"file={self._second_disk},format=raw,if=virtio,throttling.bps-total={SECOND_DISK_BPS}",
            "-netdev", f"user,id=n0,restrict=off,hostfwd=tcp:127.0.0.1:{self._port}-:22",
            "-device", "virtio-net-pci,netdev=n0",
        ]  # fmt: skip
        log = (self._directory / "qemu.log").open("ab")
        with log:
            self._qemu = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._off = False
        self.boots += 1
        deadline = time.monotonic() + BOOT_LIMIT_S
        while True:
            done = self._ssh("root", "systemctl is-system-running --wait; true", timeout=BOOT_LIMIT_S)
            if done.returncode == 0:
                return
            assert self._qemu.poll() is None, f"qemu ended: {self.story()}"
            assert time.monotonic() < deadline, f"not up in {BOOT_LIMIT_S} s: {done.stderr}\n{self.story()}"
            time.sleep(0.5)

    def reboot(self) -> None:
        """Shut down in good order, as `systemctl reboot` does, and boot again."""
        self._ssh("root", "systemctl --no-block reboot", timeout=COMMAND_LIMIT_S)
        self._hang_up()
        assert self._qemu is not None
        try:
            self._qemu.wait(timeout=BOOT_LIMIT_S)  # -no-reboot: a reset ends qemu
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the machine does not shut down: {self.story()}") from None
        self.boot()

    def power_cut(self) -> None:
        """Pull the plug: what was not written to the disk yet is gone. Boot again from the same disk."""
        self.switch_off()
        self.boot()

    def switch_off(self) -> None:
        """Pull the plug. The next `run` boots again; there is none after the last test."""
        self._kill()
        self._hang_up()
        self._off = True

    def close(self) -> None:
        """Switch off and throw the disk away. Idempotent."""
        self._hang_up()
        self._kill()
        shutil.rmtree(self._directory, ignore_errors=True)
        if self._in_use >= 0:
            os.close(self._in_use)
            self._in_use = -1

    def _kill(self) -> None:
        if self._qemu is not None:
            self._qemu.send_signal(signal.SIGKILL)
            self._qemu.wait()

    # --- commands ------------------------------------------------------------------------------

    def run(
        self,
        user: str,
        shell: str,
        *,
        check: bool = True,
        timeout: float = COMMAND_LIMIT_S,
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run shell text in bash as `user`, in the home directory, with ~/venv/bin on the PATH.

        All runs of a user share one login session (see `logout`). `check`: any status but 0 is an
        AssertionError with the output. `timeout` in seconds: AssertionError, too.
        """
        if self._off:
            self.boot()
        shell = f'export PATH="$HOME/venv/bin:$PATH"\n{shell}'
        try:
            done = self._ssh(user, shell, timeout=timeout, stdin=stdin)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(
                f"{user}@{self.name}: not in {timeout} s: {shell}\nstdout: {_text(error.stdout)}\n"
                f"stderr: {_text(error.stderr)}\n{self.story()}"
            ) from None
        told = f"status {done.returncode}\nstdout: {done.stdout}\nstderr: {done.stderr}"
        if done.returncode == 255 and not done.stdout:  # ssh's own; the machine may have died
            told += f"\n{self.story()}"
        print(f"{user}@{self.name}$ {shell}\n{told}")  # pytest shows it when the test fails
        assert not check or done.returncode == 0, f"{user}@{self.name}$ {shell}\n{told}"
        return done

    def start(self, user: str, shell: str) -> subprocess.Popen[str]:
        """Start and do not wait; the streams are pipes. In a login session of its own."""
        shell = f'export PATH="$HOME/venv/bin:$PATH"\n{shell}'
        argv = ["ssh", *self._options(), f"{user}@127.0.0.1", shell]
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def logout(self, user: str) -> None:
        """End the login session of `user` that `run` uses. The next `run` logs in again."""
        subprocess.run(
            ["ssh", *self._shared(user), "-O", "exit", f"{user}@127.0.0.1"], capture_output=True, check=False
        )
        # The socket is gone at once; sshd and logind take a moment.
        socket_path = self._directory / user
        with contextlib.suppress(FileNotFoundError):
            socket_path.unlink()

    def put(self, source: Path, target: str, *, user: str = "alice") -> None:
        """Copy a file or directory of the host to `target`, relative to the home of `user`, who owns it."""
        _check(["scp", "-r", *self._shared(user), source, f"{user}@127.0.0.1:{target}"])

    def get(self, source: str, target: Path, *, user: str = "alice") -> None:
        """Copy a file or directory of the machine to the host."""
        _check(["scp", "-r", *self._shared(user), f"{user}@127.0.0.1:{source}", target])

    def story(self) -> str:
        """The last lines of the console and of qemu itself."""
        texts = []
        for path in (self._console, self._directory / "qemu.log"):
            with contextlib.suppress(OSError):
                texts.append(f"{path.name}: {path.read_text(errors='replace')[-4000:]}")
        return "\n".join(texts)

    @property
    def _console(self) -> Path:
        return self._directory / f"console-{self.boots}.log"

    def _ssh(
        self, user: str, shell: str, *, timeout: float, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        argv = ["ssh", *self._shared(user), f"{user}@127.0.0.1", shell]
        # Files, not pipes: the shared connection, started by the first command, keeps its stderr.
        with tempfile.TemporaryFile("w+") as errors:
            done = subprocess.run(
                argv, input=stdin, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=timeout, check=False
            )
            errors.seek(0)
            done.stderr = errors.read()
        return done

    def _options(self) -> list[str]:
        known = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes")
        limits = ("ConnectTimeout=30", "BatchMode=yes", "LogLevel=ERROR", f"Port={self._port}")
        options = [word for option in (*known, *limits) for word in ("-o", option)]
        return ["-F", "none", *options, "-i", str(self.image.key)]

    def _shared(self, user: str) -> list[str]:
        """A handshake costs a second or two of emulated time: one connection for each user."""
        control = f"ControlPath={self._directory}/{user}"
        return [*self._options(), "-o", "ControlMaster=auto", "-o", "ControlPersist=yes", "-o", control]

    def _hang_up(self) -> None:
        for user in ("root", *USERS):
            self.logout(user)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _check(argv: list[str | Path]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"


def _text(output: str | bytes | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""
