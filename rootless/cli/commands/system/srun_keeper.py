"""What keeps the containers of a name until the job ends: a step of Slurm's on all of the job's nodes, in which nothing runs.

A container ends with the last command in it, and a step takes all that it has started along. So the first `rootless srun` with a
name starts a step that makes the containers and waits (`rootless run --shared=NAME --keep`); it takes no processors from the others.
What ends the job ends it, and the containers with it: nothing is left that somebody would have to find later.

    RUNTIME/srun/<digest of the name>        pid and start time of the srun of that step
    RUNTIME/srun/<digest of the name>.lock   held while it is looked for or started
"""

from __future__ import annotations

import fcntl
import os
import subprocess

from rootless import atomic, paths
from rootless.errors import RootlessError
from rootless.linux.process import start_time
from rootless.storage.store import make_directory, open_lock

_ID_LENGTH = 64


def is_wanted(words: list[str]) -> bool:
    """Whether we are in a job whose steps can find what others left; `words` are srun's options.

    Not with PMIx: the directories of its server are a step's own, and those of the first one alone are in the container.
    """
    return "SLURM_JOB_ID" in os.environ and not _mpi(words).startswith("pmix")


def _mpi(words: list[str]) -> str:
    """By which plugin the step's tasks find each other: srun's word, the environment's, or the cluster's default."""
    found = os.environ.get("SLURM_MPI_TYPE", "")
    for place, word in enumerate(words):
        if word.partition("=")[0] == "--mpi":
            found = word.partition("=")[2] or " ".join(words[place + 1 : place + 2])
    if found:
        return found
    try:
        shown = subprocess.run(["scontrol", "show", "config"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    for line in shown.stdout.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "MpiDefault":
            return value.strip()
    return ""


def keep(program: str, name: str, command: list[str]) -> None:
    """Have the containers of `name` on every node of the job when this returns: by a step of `program` (srun), whose tasks are `command`,
    unless there is one. RootlessError with what it said where it ended instead."""
    from _blake2 import blake2b

    directory = paths.runtime_dir() + "/srun"
    make_directory(directory)
    path = f"{directory}/{blake2b(name.encode(errors='surrogateescape'), digest_size=16).hexdigest()}"
    lock = open_lock(path + ".lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_alive(path):
            step = _start(program, command)
            atomic.write_bytes(path, f"{step.pid} {start_time(step.pid)}".encode(), durable=False)
    finally:
        os.close(lock)


def _is_alive(path: str) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:
            pid, began = map(int, file.read().split())
        return start_time(pid) == began
    except (FileNotFoundError, ProcessLookupError):
        return False


def _start(program: str, command: list[str]) -> subprocess.Popen[bytes]:
    """The step's srun, once each of its tasks is in its container."""
    nodes = os.environ.get("SLURM_JOB_NUM_NODES") or os.environ.get("SLURM_NNODES") or "1"
    # Where one node cannot have it, it ends on all: nobody waits for the rest.
    options = ["--overlap", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--cpus-per-task=1", "--mpi=none",
               "--input=none", "--kill-on-bad-exit=1", "--wait=0", "--quiet", "--job-name=rootless-keep"]  # fmt: skip
    step = subprocess.Popen(
        [program, *options, *command],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,  # ^C at the terminal is for the step that has a command
    )  # fmt: skip
    assert step.stdout is not None
    said = []
    missing = int(nodes)
    try:
        for line in step.stdout:
            text = line.decode(errors="replace").rstrip()
            if len(text) == _ID_LENGTH and not text.strip("0123456789abcdef"):
                missing -= 1
            else:
                said.append(text)
            if not missing:
                return step
    except BaseException:
        step.terminate()
        raise
    step.wait()
    raise RootlessError(
        f"the container cannot be kept on the nodes of the job: {' '.join(said) or f'srun: exit status {step.returncode}'}",
        hint="leave --container-name out: each step then has a container of its own",
    )
