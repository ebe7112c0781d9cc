"""`rootless run --shared`: enter the container that the commands of one step share on this machine, or be the first. Hot path."""

from __future__ import annotations

import os
import stat

from rootless import inherited, paths
from rootless.cli.flags.container_request import to_request
from rootless.cli.flags.limits import LIMITS
from rootless.cli.grammar.command import Args
from rootless.cli.terminal import attachment, job_end
from rootless.engine.lifecycle import exec as engine_exec
from rootless.engine.lifecycle import shared
from rootless.engine.lifecycle.attach import attach, terminal
from rootless.engine.lifecycle.exec import ExecOptions
from rootless.engine.lifecycle.request import Request
from rootless.engine.options.health import NOTHING_ASKED
from rootless.engine.state.config import ContainerConfig, SharedConfig, read_config
from rootless.errors import InvalidInput, NotSupported
from rootless.linux import signal
from rootless.record import TYPE_CHECKING
from rootless.runtime import exec as runtime_exec
from rootless.runtime.process.init_program import ANNOTATION, PAUSE, SHARED_COMMAND
from rootless.storage.store import Store

if TYPE_CHECKING:
    from rootless.storage.images import Image

_OF_ONE = (
    "detach", "attach", "detach_keys", "cidfile", "pod", "pod_id_file", "replace", "restart", "rmi", "init", "sdnotify", "timeout",
    "health_cmd", "name",
)  # fmt: skip
"""Options that are of one command with a container of its own."""
_MPI = (
    "SLURM_", "SLURMD_", "PMI_", "PMIX_", "PMI2_", "MPI_", "MPICH_", "MPIR_", "HYDRA_", "HYDI_", "I_MPI_", "OMPI_", "OPAL_", "PRTE_",
    "PALS_", "PBS_", "FLUX_", "LSB_", "MV2_", "UCX_", "FI_", "OMP_",
)  # fmt: skip
_DEVICES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK", "GPU_DEVICE_ORDINAL")
_DESCRIPTORS = ("PMI_FD", "HYDI_CONTROL_FD")
"""Variables that hold the number of a descriptor to the process manager (PMI-1 and PMI-2, MPICH's)."""

# The other way to hand values over, files in shared memory, is closed to whoever has another uid than the server's user. How a rank
# says who it is cannot be chosen: the server takes that which it has named (PMIX_SECURITY_MODE).
_PMIX_CHOICES = {"PMIX_MCA_gds": "hash"}


def run(args: Args) -> int:
    """Run the command in the shared container; its exit status."""
    _refuse(args)
    place = -1
    if args.save:
        from rootless.engine.files import squash

        place = squash.check(args.save)
    request = to_request(args)
    store = Store.open()
    of_all = _of_all(request, shm_size=request.shm_size if args.shm_size else _half_the_memory())
    key = _key(store, args.shared, of_all)

    def make_shared(identifier: str) -> None:
        # For one of them alone: what it imports takes the others as long as all the rest.
        from rootless.cli.commands.container import pmix, run_container
        from rootless.session import session

        session.join()
        image = None if of_all.rootfs else run_container.find_image(store, of_all, args)
        request = of_all._replace(mounts=[*of_all.mounts, *pmix.mounts(of_all.mounts)])
        run_container.make(store, _container(store, request, image, key, identifier), args)

    claim = None
    if inherited.claim:
        from rootless.cli.commands.container import rank_facts

        claim = rank_facts.claim(args, request, rank_facts.Ranks(_MPI, _DEVICES))
    member = shared.join(store, key, make_shared)
    if args.keep:
        return _keep(store, member)
    if args.save:
        shared.will_save(member)
    record = read_config(store, member.id)
    if claim is not None:
        claim.look(store, record, key)
    keys = terminal.parse_detach_keys(terminal.DEFAULT_DETACH_KEYS) if request.tty else None
    rows, columns = attachment.window() if request.tty else (0, 0)
    options = ExecOptions(
        _argv(record, request, args),
        env=_environment(record, request, every=args.env_host),
        workdir=request.workdir,
        tty=request.tty,
        interactive=request.open_stdin,
        rows=rows,
        columns=columns,
        passed_fds=_passed(),
    )
    relayed = not request.tty and _are_kept()
    kind = runtime_exec.TERMINAL if request.tty else runtime_exec.PIPES if relayed else runtime_exec.INHERITED
    has_stdin = request.open_stdin if request.tty else relayed and _may_be_read(0)
    stdio = runtime_exec.ExecStdio(kind, has_stdin, rows, columns, keep_owner=not relayed)
    try:
        report = None if claim is None else claim.entered.append
        entered = engine_exec.enter(store, record, options, stdio, dies_with_parent=True, report=report)
        if claim is not None:
            claim.leave(_choices())
        send = job_end.forwarder(lambda number: engine_exec.send(entered, number), request.stop_timeout)
        with (
            attachment.Signals(
                forward=send if args.sig_proxy else None,
                resize=(lambda rows, columns: engine_exec.resize(entered, rows, columns)) if request.tty else None,
                children=lambda: engine_exec.look_after(entered),
            ) as signals,
            terminal.RawMode(0 if request.tty and request.open_stdin else -1),
        ):
            if request.tty or relayed:
                streams = engine_exec.streams(entered, stdin=0 if has_stdin else None)
                streams.detach_keys = keys
                streams.run(signals.fd, signals.on_arrival)
            else:
                engine_exec.wait_for_end(entered, signals.fd, signals.on_arrival)
        status = attach.exit_code(runtime_exec.wait(entered))
        if args.save and shared.is_to_save(member):
            from rootless.cli.commands.container import save_shared

            save_shared.save(store, member, record, args.save, place)
        return status
    finally:
        shared.leave(store, member)


def _keep(store: Store, member: shared.Member) -> int:
    """Say the container's id, and be in it without a command, until a signal says that it is enough, or it has ended."""
    import select

    enough = False

    def end(number: int) -> None:
        nonlocal enough
        enough = enough or number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)

    try:
        with attachment.Signals(forward=end, resize=None) as signals:
            os.write(1, f"{member.id}\n".encode())
            connection = member.connection.fileno()  # PID 1 says no more to who stays: it can be read when that has ended
            ready: list[int] = []
            while not enough and connection not in ready:
                ready, _, _ = select.select([connection, signals.fd], [], [])
                if signals.fd in ready:
                    signals.on_arrival(os.read(signals.fd, 64))
        return 0
    finally:
        shared.leave(store, member)


def _refuse(args: Args) -> None:
    if args.keep and args.save:
        raise InvalidInput("conflicting options: --keep and --save", hint="it is the other commands that save the container")
    if args.keep and len(args.positional) > 1:
        raise InvalidInput("--keep takes no command: it is the other commands that do something in the container")
    for dest in (*_OF_ONE, *(option.dest for option in LIMITS)):
        if dest in args.given:
            raise InvalidInput(
                f"conflicting options: --shared and --{dest.replace('_', '-')}",
                hint="a shared container ends with the last command in it, and its limits are those of the batch job",
            )
    if args.pid:
        raise NotSupported(
            "--shared wants a pid namespace of the container's own: what is left when the last command ends is ended by it",
            hint="leave --pid out: processes of one container see each other",
        )


def _half_the_memory() -> int:
    """The size that the kernel gives a tmpfs, as is /dev/shm on the host: MPI libraries keep all that ranks of a node exchange there."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _of_all(request: Request, *, shm_size: int) -> Request:
    """What must be the same for all who share a container; the rest is each command's own."""
    security = request.security
    return request._replace(
        cmd=[],
        env=[],
        workdir="",
        tty=False,
        open_stdin=False,
        detach_keys="",
        auto_remove=True,
        attached=[],
        shm_size=shm_size,
        cgroups="disabled",
        health={**NOTHING_ASKED, "test": ["NONE"]},
        log={"driver": "none", "max_size": 0, "max_files": 1},
        stop_signal="SIGPWR",
        # Each command would be in a domain of its own, from which no other's memory can be read: MPI's single copy.
        security={**security, "landlock": security.get("landlock") or "off"},
    )


def _key(store: Store, name: str, of_all: Request) -> str:
    from _blake2 import blake2b  # hashlib loads OpenSSL

    job, node = paths.job(), os.environ.get("SLURMD_NODENAME", "")
    if name:
        scope = [job, node, "name", name]
    elif job:
        scope = [job, node, os.environ.get("SLURM_STEP_ID", ""), repr(of_all)]
    else:
        scope = ["", "", str(os.getsid(0)), repr(of_all)]
    return str(blake2b("\0".join([store.root, *scope]).encode(errors="surrogateescape"), digest_size=16).hexdigest())


def _container(store: Store, of_all: Request, image: Image | None, key: str, identifier: str) -> Request:
    """The request for the container itself, whose PID 1 is ours."""
    entrypoint, cmd = of_all.entrypoint, []
    if image is not None and entrypoint is None:
        from rootless.image import run_config

        config = run_config.read(image.config.get("config"))
        entrypoint = [word.text for word in config.entrypoint]
        cmd = [word.text for word in config.cmd]
    for_members: SharedConfig = {
        "directory": store.runtime + "/shared", "key": key, "entrypoint": entrypoint or [], "cmd": cmd,
    }  # fmt: skip
    annotations = {**of_all.annotations, ANNOTATION: PAUSE}
    return of_all._replace(id=identifier, entrypoint=[], cmd=SHARED_COMMAND, annotations=annotations, shared=for_members)


def _argv(record: ContainerConfig, request: Request, args: Args) -> list[str]:
    words = record.get("shared", {})
    found = [*words.get("entrypoint", []), *(request.cmd or words.get("cmd", []))]
    if not found:
        raise InvalidInput("no command specified", hint="the image names none: add one after its name")
    return found


def _environment(record: ContainerConfig, request: Request, *, every: bool) -> list[str]:
    """What comes to the image's: of our own what an MPI library reads, and with `every` all else that the image does not set;
    then -e's."""
    set_by_image = {entry.partition("=")[0] for entry in record["env"]}
    ours = [
        f"{name}={value}"
        for name, value in os.environ.items()
        if name.startswith(_MPI) or name in _DEVICES or (every and name not in set_by_image and name != paths.SESSION_VARIABLE)
    ]
    return [*ours, *_choices(), *request.env]


def _choices() -> list[str]:
    if "PMIX_SERVER_TMPDIR" not in os.environ:
        return []
    return [f"{name}={value}" for name, value in _PMIX_CHOICES.items() if name not in os.environ]


def _are_kept() -> bool:
    """Whether our standard streams are relayed, and not the command's own (helpers/ranks/quick.c has the same). What it leaves running
    in the container would go on to read what is typed at our terminal, and of a file that is to be read the container can have a
    descriptor to write by: /proc/self/fd/0."""
    return os.isatty(0) or any(map(_is_controlling, range(3))) or stat.S_ISREG(os.fstat(0).st_mode)


def _is_controlling(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) >= 0
    except OSError:
        return False  # not our terminal, or none: some launchers give their ranks one each, for line buffering


def _may_be_read(fd: int) -> bool:
    """Whether the kernel does not stop us for it, as it does with who reads from the terminal in the background."""
    return not _is_controlling(fd) or os.tcgetpgrp(fd) == os.getpgrp()


def _passed() -> tuple[int, ...]:
    """The descriptors by which a process manager talks to its ranks. Sockets and pipes alone: a directory would be a way out."""
    found = []
    for name in _DESCRIPTORS:
        word = os.environ.get(name, "")
        if not word.isdecimal() or int(word) < 3:
            continue
        try:
            mode = os.fstat(int(word)).st_mode
        except OSError:
            continue  # of a launcher further away, whose descriptors we have not
        # One that is closed by an exec is our own, at the number of one that the caller has closed.
        if os.get_inheritable(int(word)) and (stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)):
            found.append(int(word))
    return tuple(found)
