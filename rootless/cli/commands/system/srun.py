"""`rootless srun`: Slurm's srun with the words about containers that users of pyxis type, and no plugin of the administrator's."""

from __future__ import annotations

import os
import shutil

from rootless import inherited, paths
from rootless.cli.commands.system import srun_keeper, srun_words
from rootless.cli.grammar.command import FLAG, RUN, VALUE, Args, Command, Option
from rootless.errors import CommandNotFound, InvalidInput, NotSupported

_UNSHARED = {"net": ["--network", "none"], "ipc": [], "uts": ["--uts", "private"]}
"""What is apart on demand; ipc always is."""


def _srun(args: Args) -> int:
    """Become srun, whose tasks are commands in a shared container. CommandNotFound where there is none."""
    words = srun_words.split(args.positional)
    program = shutil.which("srun")
    if program is None:
        raise CommandNotFound("srun: no such command", hint="this is no machine of a Slurm cluster, or its programs are not in PATH")
    argv = [program, *words.srun, *paths.installed_program(), *run_words(words)]
    inherited.give_back()
    name = words.container.get("name", "").partition(":")[0]
    if name and srun_keeper.is_wanted(words.srun):
        if any(word.partition("=")[0] in ("--het-group", "--pack-group") for word in words.srun):
            raise NotSupported(
                "--container-name and --het-group: containers are kept on the nodes of a job's first component alone",
                hint="leave --container-name out: each step then has a container of its own",
            )
        run, *rest = run_words(words._replace(command=[], container={**words.container, "save": ""}))
        srun_keeper.keep(program, name, [*paths.own_program(), run, "--keep", *rest])
    os.execv(program, argv)


def run_words(words: srun_words.SrunWords) -> list[str]:
    """The command line of `run --shared` that each task is to be."""
    asked = words.container
    if "image" not in asked:
        raise InvalidInput("--container-image is missing", hint="name the image; without a container it is srun itself that you want")
    name = asked.get("name", "").partition(":")
    if name[2] not in ("", "auto", "create"):
        raise NotSupported(f"--container-name: {name[2]}", hint="commands of one name are always in one container")
    unshared = [part for part in asked.get("unshare", "").split(",") if part]
    if any(part not in _UNSHARED for part in unshared):
        raise InvalidInput(f"--container-unshare: {asked['unshare']}", hint="net, ipc or uts")
    found = ["run", f"--shared={name[0]}" if name[0] else "--shared", "--env-host"]
    found += _UNSHARED["net"] if "net" in unshared else ["--network", "host"]
    found += _UNSHARED["uts"] if "uts" in unshared else []
    found += srun_words.mounts(asked["mounts"]) if asked.get("mounts") else []
    home = paths.home()
    found += ["-v", f"{home}:{home}"] if asked.get("mount-home") == "yes" else []
    found += ["-w", asked["workdir"]] if asked.get("workdir") else []
    found += [word for variable in asked.get("env", "").split(",") if variable for word in ("-e", variable)]
    found += ["--userns", "keep-id"] if asked.get("remap-root") != "yes" else []
    found += ["--read-only"] if asked.get("writable") == "no" else []
    found += ["--save", os.path.abspath(asked["save"])] if asked.get("save") else []
    found += ["--entrypoint", ""] if asked.get("entrypoint") != "yes" else []
    return [*found, srun_words.image(asked["image"]), *words.command]


def _option(name: str, text: str, metavar: str = "", *, complete: str = "") -> Option:
    return Option((name,), name[2:].replace("-", "_"), VALUE if metavar else FLAG, metavar=metavar, help=text, complete=complete)


COMMAND = Command(
    name="srun",
    summary="Run the tasks of a step of a Slurm job in containers",
    usage="[SRUN OPTIONS] --container-image IMAGE [OPTIONS] [COMMAND] [ARG...]",
    options=(
        _option("--container-image", "The image: a name, docker://REGISTRY#IMAGE:TAG, or the path of a .sqsh or .sif file", "string",
                complete="image"),
        _option("--container-mounts", "Bind mounts: SRC:DST[:FLAG+FLAG],... (tmpfs:DST for one in memory)", "list"),
        _option("--container-workdir", "Working directory inside the container", "string"),
        _option("--container-name", "Be in one container with all commands of the job on the node that give the same name; it stays until "
                "the job ends", "string"),
        _option("--container-env", "Variables whose value is ours, also where the image has one", "list"),
        _option("--container-unshare", "What is not to be the host's: net,ipc,uts", "list"),
        _option("--container-save", "Write the container's files to this squashfs when the step ends", "file", complete="file"),
        _option("--container-mount-home", "Mount the home directory"),
        _option("--container-remap-root", "Be root in the container, instead of oneself"),
        _option("--container-entrypoint", "Execute the image's entrypoint"),
        _option("--container-writable", "Have a root that can be written, until the last task ends (the default)"),
        _option("--container-readonly", "Have a root that is read-only"),
    ),
    handler=_srun,
    verbatim=True,
    status=RUN,
    description="All tasks of a node are in one container (`rootless run --shared`), which the first of them makes and the last removes; "
    "one with a name stays until the end of the job, by a step of its own that waits. "
    "All other options are srun's and are passed on. The environment is the job's, except for what the image sets. "
    "--no-container-mount-home, --no-container-remap-root and --no-container-entrypoint are the defaults.",
    examples=(
        ("rootless srun -N4 -n64 --mpi=pmi2 --container-image=work --container-mounts=$PWD:/work ./solver", "an MPI program on four nodes"),
        ("rootless srun --pty --container-image=docker://nvcr.io#nvidia/pytorch:24.01-py3 bash", "a shell, the image by pyxis's words"),
    ),
)  # fmt: skip
