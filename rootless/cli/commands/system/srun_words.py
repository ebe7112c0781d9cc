"""The words of `rootless srun`: which are srun's own, which are about the container, and where the command begins. Pure.

srun stops at the first word that is no option, so what takes a value has to be known. Slurm's options are those of srun(1), versions
21.08 to 25.05; of a long one that is not listed here and has no `=`, the next word is taken for its value.
"""

from __future__ import annotations

from rootless.errors import InvalidInput, NotSupported
from rootless.record import Record

_WITH_VALUE = frozenset("ABbCcDdeFGiJLMmNnoPpqrSTtWwxE")
_ATTACHED_VALUE = frozenset("IkK")
"""-K1, but never -K 1."""
_FLAGS = frozenset(
    "allow-errors async bcast compress contiguous container-flag cpu-compress debugger-test disable-status exact exclusive external "
    "get-user-env help help-all hold immediate interactive join kill-on-bad-exit label no-allocate no-bell no-kill no-requeue "
    "no-rotate nice oom-kill-step overcommit overlap oversubscribe parallel-debug preserve-env preserve-slurm-env propagate pty quiet "
    "quit-on-interrupt reboot requeue resv-ports send-libs share spread-job stepmgr test-only unbuffered usage use-min-nodes verbose "
    "version wait-all whole x11".split()
)
CONTAINER_VALUES = ("image", "mounts", "workdir", "name", "save", "env", "unshare")
CONTAINER_FLAGS = ("mount-home", "remap-root", "entrypoint", "writable", "readonly")


class SrunWords(Record):
    """`srun` are its options, untouched; `container` maps a word of CONTAINER_VALUES to its text, and one of CONTAINER_FLAGS to
    "yes" or "no" (--no-container-...); the last one given counts."""

    srun: list[str]
    container: dict[str, str]
    command: list[str]


def split(words: list[str]) -> SrunWords:
    """The words sorted. InvalidInput for an option of ours that is none, NotSupported for what cannot be done."""
    srun: list[str] = []
    container: dict[str, str] = {}
    index = 0
    while index < len(words):
        word = words[index]
        if word == "--":
            index += 1
            break
        if len(word) < 2 or word[0] != "-":
            break
        index += 1
        if word.startswith(("--container-", "--no-container-")):
            index = _container_option(words, word, index, container)
            continue
        srun.append(word)
        if _takes_the_next(word) and index < len(words):
            srun.append(words[index])
            index += 1
    command = words[index:]
    if ":" in command:
        raise NotSupported("heterogeneous steps (`:` between commands) have one container for each component",
                           hint="start a step for each of them, or give srun itself `rootless run --shared`")  # fmt: skip
    if "--multi-prog" in srun:
        raise NotSupported("--multi-prog takes the commands from a file",
                           hint="write `rootless run --shared IMAGE COMMAND` into its lines, and start it with srun itself")  # fmt: skip
    return SrunWords(srun, container, command)


def _container_option(words: list[str], word: str, index: int, container: dict[str, str]) -> int:
    name, equals, value = word.partition("=")
    answer = "no" if name.startswith("--no-") else "yes"
    key = name.partition("container-")[2]
    if key in CONTAINER_FLAGS and not equals and not (answer == "no" and key in ("writable", "readonly")):
        if key == "readonly":
            key, answer = "writable", "no"
        container[key] = answer
        return index
    if key not in CONTAINER_VALUES or answer == "no":
        raise InvalidInput(f"unknown flag: {word}", hint="`rootless srun --help` lists those about the container")
    if not equals:
        if index == len(words):
            raise InvalidInput(f"flag needs an argument: {word}")
        value, index = words[index], index + 1
    container[key] = value
    return index


def _takes_the_next(word: str) -> bool:
    """Whether an option's value is the next word."""
    if word.startswith("--"):
        return "=" not in word and word[2:] not in _FLAGS
    for place, letter in enumerate(word[1:], 2):
        if letter in _ATTACHED_VALUE:
            return False
        if letter in _WITH_VALUE:
            return place == len(word)
    return False


def image(word: str) -> str:
    """pyxis's and enroot's word for an image, as `run` has it: docker://REGISTRY#IMAGE:TAG, REGISTRY#IMAGE, or a path. NotSupported
    for other sources, and for a user in it."""
    scheme, separator, rest = word.partition("://")
    if separator and scheme != "docker":
        raise NotSupported(f"--container-image: {scheme}:// is no place that images come from here",
                           hint="docker://, a name, or the path of a .sqsh or .sif file")  # fmt: skip
    name = rest if separator else word
    registry, hash_, path = name.rpartition("#")
    user, at, after = (registry or path).rpartition("@")
    if at and (hash_ or not after.startswith(("sha256:", "sha512:"))):
        server, user = after if hash_ else "docker.io", user.partition(":")[0]  # a password is not for the job's output
        raise NotSupported(
            f"--container-image: the user {user} in the image's name",
            hint=f"log in once, which is kept in your home: rootless login -u {user} {server}",
        )
    if not name:
        raise InvalidInput("--container-image is empty")
    if name.startswith("-"):
        raise InvalidInput(f"--container-image: {name} is no name of an image")  # but would be an option of `run`
    return f"{registry}/{path}" if hash_ else name


def mounts(word: str) -> list[str]:
    """--container-mounts as options of `run`."""
    found: list[str] = []
    for entry in word.split(","):
        source, _, rest = entry.partition(":")
        target, _, flags = rest.partition(":")
        target = target or source
        if not source:
            raise InvalidInput(f"--container-mounts: invalid mount '{entry}'", hint="write SRC:DST[:ro+rprivate],...")
        if source == "umount":
            raise NotSupported("--container-mounts: umount", hint="nothing of the host is mounted that is not asked for")
        options = flags.replace("+", ",")
        if any(option.startswith("x-") for option in options.split(",")):
            raise NotSupported(f"--container-mounts: {flags}", hint="mount points are made where they are missing")
        end = f":{options}" if options else ""
        found += ["--tmpfs", target + end] if source == "tmpfs" else ["-v", f"{source}:{target}{end}"]
    return found
