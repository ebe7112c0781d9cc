"""A cluster of Slurm's on this machine: munged, slurmctld and four slurmd as an ordinary user, whose jobs alone they run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.harness.account import SYSTEM_PATH
from tests.need import need

NODES = ("n1", "n2", "n3", "n4")
_START_S = 120
_CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={directory}/munge.sock
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool/%n
TmpFS={directory}/tmp/%n
SlurmdPidFile={directory}/%n.pid
SlurmctldPidFile={directory}/ctld.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=10
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=16 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=16 State=UNKNOWN
NodeName=n3 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[3]} CPUs=16 State=UNKNOWN
NodeName=n4 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[4]} CPUs=16 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP OverSubscribe=YES
"""


class Cluster:
    """`call` runs one of Slurm's commands. Without accounting: what a job did is in its files."""

    def __init__(self, directory: Path, user: str) -> None:
        for program in ("munged", "slurmctld", "slurmd", "srun"):
            need(bool(shutil.which(program, path=SYSTEM_PATH)), f"{program} is not installed")
        self.directory = directory
        self._started: list[subprocess.Popen[bytes]] = []
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        # A /tmp for each node: the four PMIx servers of a step would meet in one.
        for name in ("state", *(f"{name}/{node}" for node in NODES for name in ("spool", "tmp"))):
            (directory / name).mkdir(parents=True)
        (directory / "key").write_bytes(os.urandom(1024))
        (directory / "key").chmod(0o400)
        facts = {"host": os.uname().nodename.partition(".")[0], "directory": directory, "user": user, "ports": _free_ports(5)}
        self.configuration.write_text(_CONFIGURATION.format(**facts))
        place = [f"--{name}={directory}/{file}" for name, file in (
            ("key-file", "key"), ("socket", "munge.sock"), ("pid-file", "munged.pid"), ("log-file", "munged.log"), ("seed-file", "seed"),
        )]  # fmt: skip
        self._start("munged", "--force", "--foreground", *place)
        self._wait(lambda: (directory / "munge.sock").exists(), "munged does not listen")
        self._start("slurmctld", "-D")
        for node in NODES:
            self.start_node(node)
        self._wait(lambda: self.call("sinfo", "-h", "-o", "%T %D", status=None).split() == ["idle", "4"], "the nodes are not idle")

    @property
    def configuration(self) -> Path:
        """slurm.conf; Slurm's other files are beside it."""
        return self.directory / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """What its programs need."""
        return {"SLURM_CONF": str(self.configuration), "PATH": SYSTEM_PATH, "HOME": str(self.directory)}

    def call(self, *argv: str, env: dict[str, str] | None = None, status: int | None = 0, timeout_s: float = 180) -> str:
        """The standard output of a command of Slurm's, whose exit status is `status`."""
        done = subprocess.run(argv, env={**self.environment, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout_s, check=False, cwd=self.directory)  # fmt: skip
        assert status is None or done.returncode == status, f"{argv}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def batch(self, script: str, *options: str, env: dict[str, str]) -> str:
        """Submit a script; the job's number. It writes to out.NUMBER, or out.NUMBER.TASK."""
        path = self.directory / "script"
        path.write_text(f"#!/bin/sh\n{script}\n")
        return self.call("sbatch", "--parsable", *options, str(path), env=env).strip()

    def wait_for(self, job: str) -> None:
        """Until it is over."""
        self._wait(lambda: not self.call("squeue", "-h", "-j", job, status=None), f"job {job} does not end")

    def start_node(self, node: str) -> None:
        """Start its slurmd."""
        self._nodes[node] = self._start("slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """SIGKILL for its slurmd, which then cannot be asked, and ends no job."""
        self._nodes[node].kill()
        self._nodes[node].wait()

    def _wait(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + _START_S
        while not condition():
            assert time.monotonic() < deadline, f"{what}: {self._said()}"
            time.sleep(0.2)

    def _start(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        path = shutil.which(program, path=SYSTEM_PATH)
        assert path is not None
        with open(self.directory / f"{program}{words[-1] if program == 'slurmd' else ''}.err", "wb") as err:
            process = subprocess.Popen([path, *words], env=self.environment, stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        self._started.append(process)
        return process

    def _said(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-1000:] for path in sorted(self.directory.glob("*.err")))

    def close(self) -> None:
        """End it all."""
        for process in reversed(self._started):
            process.terminate()
        for process in reversed(self._started):
            for _ in range(30):
                try:
                    process.wait(1)
                    break
                except subprocess.TimeoutExpired:
                    process.terminate()  # slurmd misses a signal that comes while it reads its configuration anew
            else:
                process.kill()
                process.wait()


def _free_ports(count: int) -> list[int]:
    listeners = [socket.socket() for _ in range(count)]
    try:
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()
