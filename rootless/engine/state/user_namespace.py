"""Which of the session's ids a container gets under which numbers.

A map is a list of [in the container, in the session, how many]; the session's 0 is
the caller, 1 and up are the subordinate ids. Layers are stored with the session's ids, so another map
needs them shown shifted: see docs/development/decisions/user-namespace-modes.md. Hot path.
"""

from __future__ import annotations

import os

from rootless import paths, user_config
from rootless.engine.options.userns import Extent, IdMap, parse
from rootless.errors import InvalidInput, NotSupported
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.engine.state.config import ContainerConfig
    from rootless.storage.store import Store

AUTO_SIZE = 1024
NOBODY = 65534
UNLESS_ROOT = "keep-id-unless-root"
"""In config.toml: keep-id for what would run as another user than root."""


def configured() -> str:
    """`userns` of config.toml, "" where it says nothing. InvalidInput with its line for a word that is none."""
    setting = user_config.settings().get("userns")
    if setting is None or setting.value == UNLESS_ROOT:
        return setting.value if setting else ""
    try:
        parse(setting.value)
    except InvalidInput as error:
        raise setting.refused(error.message, f"{UNLESS_ROOT}, keep-id[:uid=N,gid=N], auto[:size=N], nomap or host") from None
    return setting.value


def account(record: ContainerConfig) -> tuple[int, int, str, str]:
    """Whom a keep-id container's /etc/passwd is to know: uid, gid, name and home, which is the caller's where
    that is mounted and else the working directory, as Podman's."""
    import pwd

    caller = paths.host_uid()
    try:
        found = pwd.getpwuid(caller)
        name, home = found.pw_name, found.pw_dir
    except KeyError:
        name, home = str(caller), ""
    with open("/proc/self/gid_map") as file:  # in the session its first line is the caller's
        gid = int(file.readline().split()[1])
    _, options = parse(record["userns"])
    mounted = [mount["target"].rstrip("/") for mount in record["mounts"]]
    there = bool(home) and any(home == target or home.startswith(target + "/") for target in mounted)
    return options.get("uid", caller), options.get("gid", gid), name, home if there else record["workdir"]


def plan(store: Store, word: str, uid: int, gid: int, *, alone: bool = False) -> IdMap | None:
    """The map for a new container of the user `uid`, `gid`; None: the session's ids one to one. `alone`, of keep-id's that id only.

    For "auto" the caller holds reserve() until the container is recorded.
    """
    mode, options = parse(word)
    if mode in ("", "host", "private"):
        return None
    uids, gids = (1, 1) if alone else (_count("uid"), _count("gid"))
    if min(uids, gids) < 2 and mode != "keep-id":
        raise NotSupported(
            f"--userns={mode} needs subordinate ids",
            hint="ask the administrator for entries in /etc/subuid and /etc/subgid",
        )
    if mode == "keep-id":
        return {"uid": keep(options.get("uid", uid), uids), "gid": keep(options.get("gid", gid), gids)}
    if mode == "nomap":
        return {"uid": [[0, 1, uids - 1]], "gid": [[0, 1, gids - 1]]}
    size = options.get("size", AUTO_SIZE)
    extents = free(taken(store), size, min(uids, gids))
    return {"uid": extents, "gid": [list(extent) for extent in extents]}


def _count(kind: str) -> int:
    with open(f"/proc/self/{kind}_map") as file:
        return sum(int(line.split()[2]) for line in file)


def keep(own: int, count: int) -> list[Extent]:
    """The caller under its own number, everybody else in order. Pure."""
    below = min(own, count - 1)
    found = [[0, 1, below], [own, 0, 1], [own + 1, own + 1, count - own - 1]]
    return [extent for extent in found if extent[2] > 0]


def free(used: list[Extent], size: int, count: int) -> list[Extent]:
    """A range of `size` ids that nobody in `used` ([first, how many]) has, and one more for nobody,
    taken from the top: the low ids are what containers without a range of their own use. Pure."""
    if size < 1:
        raise InvalidInput("--userns=auto: size must be at least 1")
    wanted = size + 1 if size <= NOBODY else size
    end = count
    for first, many in sorted(used, reverse=True):
        if end - (first + many) >= wanted:
            break
        end = min(end, first)
    base = end - wanted
    if base < 1:
        raise NotSupported(
            f"no {wanted} ids are left for --userns=auto: {count - 1} subordinate ids, "
            f"{sum(many for _, many in used)} in use by other containers",
            hint="remove containers, or ask the administrator for a larger range in /etc/subuid and /etc/subgid",
        )
    found = [[0, base, size]]
    return [*found, [NOBODY, base + size, 1]] if wanted > size else found


def taken(store: Store) -> list[Extent]:
    """What the containers that exist have been given by "auto": removing one frees its range."""
    from rootless.errors import RootlessError
    from rootless.storage.containers import containers

    found = []
    for identifier in containers.ids(store):
        try:
            config = containers.config(store, identifier)
        except RootlessError:
            continue  # gone, or damaged
        if str(config.get("userns") or "").startswith("auto"):
            extents = (config.get("id_map") or {}).get("uid") or []
            found.append([min(e[1] for e in extents), sum(e[2] for e in extents)])
    return found


class reserve:
    """The lock under which ranges are given out, as a context manager."""

    def __init__(self, store: Store) -> None:
        self._path = store.root + "/userns.lock"

    def __enter__(self) -> None:
        import fcntl

        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
