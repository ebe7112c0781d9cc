"""Which ids a container's start emulates, and why not more: docs/development/decisions/ids.md. Hot path."""

from __future__ import annotations

import os
import sys

from rootless import user_config
from rootless.engine.options.ids import DEFAULT, parse_ids
from rootless.engine.state.config import ContainerConfig
from rootless.errors import InvalidInput, NotSupported
from rootless.record import TYPE_CHECKING, Record
from rootless.runtime import ids, owner_record
from rootless.session import session
from rootless.storage.layers.layers import directory as layer_directory
from rootless.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

MANY = "the session has many ids"
_MARK = "/emulated-ids"
NARROW = "the image's programs are of 32-bit ARM, whose calls are not answered on a 64-bit one"
NARROW_HINT = "take the image's build for 64-bit ARM, --platform linux/arm64"


class EmulatedIds(Record):
    """`level`: of ids.LEVELS, "": the kernel's ids are all there are, for the reason `why`."""

    level: str = ""
    why: str = ""

    def state(self) -> dict[str, str]:
        """For state.json."""
        return {"ids": self.level} if self.level else {"ids_why": self.why} if self.why not in ("", MANY) else {}


def configured() -> str:
    """`emulate_ids` of config.toml, "" where it says nothing. InvalidInput with its line for a word that is none."""
    setting = user_config.settings().get("emulate_ids")
    if setting is None:
        return ""
    try:
        return parse_ids(setting.value)
    except InvalidInput as error:
        raise setting.refused(f"there is no {setting.value!r}", error.hint) from None


def decide(store: Store, record: ContainerConfig, spec: dict[str, Any], *, layers: list[str], directory: str = "") -> EmulatedIds:
    """What the container of the OCI configuration `spec` gets, whose root is made of `layers`; `directory` is its own, where it has
    one. Wants the session joined.

    A level that was asked for is the answer, whether it can be had or not: a launch says why it cannot. What was made while ids
    were emulated has its owners in records, which the kernel does not know: they are emulated again, also where there is a
    range by now.
    """
    word = record.get("ids") or DEFAULT
    if word == "off":
        return EmulatedIds(why="--emulate-ids=off")
    if word != "auto":
        if record.get("narrow") and word != "fake":
            raise NotSupported(f"--emulate-ids={word}: {NARROW}", hint=NARROW_HINT)
        return EmulatedIds(word)
    if not session.join().single_id and not made_so(store, layers, directory):
        return EmulatedIds(why=MANY)
    why = _excluded(record, spec)
    if why == NARROW and directory:  # a build says it once, for all its steps
        print(f"rootless: warning: the container has one user: {NARROW}\nhint: {NARROW_HINT}", file=sys.stderr)
    found = EmulatedIds(why=why) if why else _automatic(store.root + "/seccomp")
    if found.level and directory:
        os.close(os.open(directory + _MARK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return found


def warn_of_a_lost_range(store: Store, layers: list[str]) -> None:
    """Say so on stderr where a layer was made with ids that the session has no more: whoever owned its files is nobody now, for
    the kernel and for emulated ids."""
    from rootless.storage.layers.layers import info

    if session.join().single_id and any(info(store, layer).get("many_ids") for layer in layers):
        print(
            "rootless: warning: the image was unpacked when you had a range of ids: its files of other users belong to nobody now, "
            "and some cannot be read\nhint: `rootless rmi -f IMAGE`, pull or load it again and make the container anew; or have an "
            "administrator give you the range again (/etc/subuid, /etc/subgid)",
            file=sys.stderr,
        )


def made_so(store: Store, layers: Sequence[str], directory: str = "") -> bool:
    """Whether the container has run with emulated ids, or a layer was unpacked where there were less ids than now: what files say of
    their owners counts. Wants the session joined."""
    if directory and os.path.exists(directory + _MARK):
        return True
    for layer in layers:
        owners = f"{store.layers}/{layer.removeprefix('sha256:')}/owners.json"
        if os.path.exists(owners):
            from rootless.storage.layers import recorded

            if recorded.have_ids_by_now(owners):
                return True
    return False


def here(*, single_id: bool, cache_dir: str) -> EmulatedIds:
    """What a container gets that asks for nothing; for `info`."""
    word = configured() or DEFAULT
    if word != "auto":
        return EmulatedIds(why=f"emulate_ids={word}") if word == "off" else EmulatedIds(word)
    return _automatic(cache_dir) if single_id else EmulatedIds(why=MANY)


def _automatic(cache_dir: str) -> EmulatedIds:
    try:
        ids.require(cache_dir=cache_dir)
    except NotSupported as error:
        return EmulatedIds(why=error.message)
    return EmulatedIds("full")


def _excluded(record: ContainerConfig, spec: dict[str, Any]) -> str:
    """What of the container's own stands against it, "" for nothing."""
    if record.get("infra"):
        return "a pod's infra has no users"
    if record.get("narrow"):
        return NARROW
    if record["userns"] not in ("", "host", "private"):
        return f"--userns={record['userns']}"
    if any(limit["name"] == "rttime" for limit in record["ulimits"]):
        return "--ulimit rttime: a process's ids are kept in that limit"
    linux = spec.get("linux") or {}
    joined = [entry["path"] for entry in linux.get("namespaces") or [] if entry.get("path")]
    if joined and not _has_root(os.path.dirname(os.path.dirname(joined[0]))):
        return "the container that it joins has --userns=keep-id"
    profile = linux.get("seccomp") or {}
    if any(entry.get("action") == "SCMP_ACT_NOTIFY" for entry in profile.get("syscalls") or []):
        return "the seccomp profile notifies (SCMP_ACT_NOTIFY)"
    return ""


def _has_root(process: str) -> bool:
    """Whether the user namespace of the process, a directory of /proc, has the id 0, which is all that emulation takes."""
    try:
        with open(process + "/uid_map") as file:
            return any(line.split()[0] == "0" for line in file)
    except OSError:
        return True  # it ended: the start will say so


def prepare_owners(store: Store, found: EmulatedIds, layers: list[str], container_dir: str) -> None:
    """Before a start of the container whose directory that is, its root made of `layers`: whose its links are. OSError."""
    if found.level == "full" and _owners_wanted(store, layers, container_dir):
        from rootless.storage import owner_file
        from rootless.storage.layers import image_owners

        if not owner_file.prepare(container_dir, lambda: image_owners.of_links(store, layers, container_dir)):
            print(
                "rootless: warning: the image has more than 16384 links and pipes of other users: those beyond are root's in this "
                "container\nhint: `commit` and `export` keep the image's owners of them; `chown -h` in the container, where a program "
                "asks, or a range of ids (/etc/subuid, /etc/subgid)",
                file=sys.stderr,
            )


def _owners_wanted(store: Store, layers: list[str], container_dir: str) -> bool:
    """Whether owner_file.prepare has anything to do, which costs a dozen modules: at most starts it has not."""
    try:
        return os.stat(f"{container_dir}/{ids.OWNERS}").st_size >= owner_record.MANY_BYTES
    except FileNotFoundError:  # the first start; the program makes the file where nothing is to be in it
        return any(os.path.exists(layer_directory(store, layer) + "/links.json") for layer in layers)
