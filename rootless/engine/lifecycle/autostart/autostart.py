"""Containers that come back with the machine: systemd user units, or lines of the user's crontab.

A unit per container (`rootless enable NAME`), for those of a compose project that have a restart policy (`--project NAME`), or
for all that have one (`--policies`). Units are the user's: ~/.config/systemd/user.
"""

from __future__ import annotations

import os
import subprocess

from rootless import atomic, paths
from rootless.cgroup.subtrees import DELEGATED_VARIABLE
from rootless.engine.lifecycle import start, stop
from rootless.engine.lifecycle.autostart import crontab
from rootless.engine.state import compose_project, restart
from rootless.engine.state.config import read_config
from rootless.errors import FAILURES, InvalidInput, NotFound, RootlessError
from rootless.storage.containers import containers
from rootless.storage.containers import restart as stored
from rootless.storage.store import Store

PROJECT = "project:"
"""Before the name of a compose project, where it stands for its containers with a restart policy. No container's name has a colon."""
POLICIES = "rootless-restart"
"""The unit, and the mark in the crontab, that stands for all containers with a restart policy."""
_WRITTEN = "# Written by `rootless enable`."
_MARKS = ("# rootless enable ", f"# {POLICIES}")


def unit_name(name: str) -> str:
    """The systemd unit of a container, by its name; of all ("")."""
    return f"rootless-{name}.service" if name else POLICIES + ".service"


def uses_systemd() -> bool:
    """sd_booted(3)."""
    return os.path.isdir("/run/systemd/system")


def enable(store: Store, name: str) -> str:
    """Have the container of this name ("": all with a policy) started at boot; what was written.

    Idempotent: writing again is how a unit follows a new installation or ROOT. NotSupported where
    the host has neither systemd nor crontab.
    """
    if uses_systemd():
        path = f"{_unit_directory()}/{unit_name(name)}"
        wants = f"{_unit_directory()}/default.target.wants"
        os.makedirs(wants, exist_ok=True)
        atomic.write_bytes(path, unit(store, name).encode(), mode=0o644)
        link = f"{wants}/{unit_name(name)}"
        if not os.path.islink(link):
            os.symlink(path, link)
        _reload()
        return path
    crontab.add(_crontab_line(store, name), _mark(name))
    return "crontab"


def disable(name: str) -> str:
    """Undo `enable`; what was changed. NotFound where it was not enabled. A running container runs on."""
    path = f"{_unit_directory()}/{unit_name(name)}"
    if os.path.lexists(path):
        for gone in (f"{_unit_directory()}/default.target.wants/{unit_name(name)}", path):
            try:
                os.unlink(gone)
            except FileNotFoundError:
                pass
        _reload()
        return path
    if not uses_systemd() and crontab.remove(_mark(name)):
        return "crontab"
    raise NotFound(f"{name or 'restart policies'}: not enabled")


def disable_all(store: Store) -> list[str]:
    """Undo every `enable` of this ROOT, for what is to start does not exist any more; what was changed."""
    done = []
    directory = _unit_directory()
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        path = f"{directory}/{name}"
        if not name.startswith("rootless-") or not name.endswith(".service") or not _is_of(store, path):
            continue
        for gone in (f"{directory}/default.target.wants/{name}", path):
            try:
                os.unlink(gone)
            except FileNotFoundError:
                pass
        done.append(path)
    if done:
        _reload()
    if not uses_systemd():
        done += crontab.remove_all(_MARKS, lambda words: _root_in(words) == store.root)
    return done


def _is_of(store: Store, path: str) -> bool:
    """Whether the unit is one that `enable` wrote for this ROOT."""
    try:
        with open(path, errors="replace") as file:
            lines = file.read(65536).splitlines()
    except OSError:
        return False
    if lines[:1] != [_WRITTEN]:
        return False
    named = [line for line in lines if line.startswith('Environment="ROOTLESS_ROOT=')]
    return named == [f"Environment={quoted([word])}" for word in environment(store)]


def _root_in(words: list[str]) -> str:
    """The ROOT of a command line in the crontab."""
    named = [word.partition("=")[2] for word in words if word.startswith("ROOTLESS_ROOT=")]
    return named[0] if named else paths.home() + "/.local/share/rootless"


def _unit_directory() -> str:
    return paths.config_home() + "/systemd/user"


def unit(store: Store, name: str) -> str:
    """The text of the unit. Type=notify with the monitor as main process: systemd sees the container's end
    and its restarts by policy as they are; the container stays in the unit's own, delegated cgroup."""
    command = quoted(list(paths.lasting_program()))
    lines = "".join(f"Environment={quoted([word])}\n" for word in environment(store))
    project = name.removeprefix(PROJECT) if name.startswith(PROJECT) else ""
    if project:
        body = (
            "Type=oneshot\nRemainAfterExit=yes\n"
            f"ExecStart={command} compose -p {project} start-with-machine\n"
            f"ExecStop={command} compose -p {project} stop-with-machine"
        )
    elif name and _is_pod(store, name):
        body = (
            "Type=oneshot\nRemainAfterExit=yes\n"
            f"ExecStart={command} pod start {name}\n"
            f"ExecStop={command} container stop-with-machine {name}"
        )
    elif name:
        body = (
            "Type=notify\nNotifyAccess=all\n"
            f"ExecStart={command} start {name}\n"
            f"ExecStop={command} container stop-with-machine {name}"
        )
    else:
        body = (
            "Type=oneshot\nRemainAfterExit=yes\n"
            f"ExecStart={command} container start-with-machine\n"
            f"ExecStop={command} container stop-with-machine"
        )
    what = f"{'Pod' if _is_pod(store, name) else 'Container'} {name}" if name else "Containers with a restart policy"
    what = f"Compose project {project}" if project else what
    return (
        f"{_WRITTEN}\n[Unit]\nDescription={what} (rootless)\n\n"
        f"[Service]\n{lines}{body}\n"
        f"Delegate=yes\nEnvironment={DELEGATED_VARIABLE}=%n\nTimeoutStopSec=70\n\n[Install]\nWantedBy=default.target\n"
    )


def environment(store: Store) -> list[str]:
    """What a unit has to say so that our program finds the same store."""
    default = paths.home() + "/.local/share/rootless"
    return [] if store.home == default else [f"ROOTLESS_ROOT={store.home}"]


def quoted(words: list[str]) -> str:
    """systemd.service(5), Command lines: quoted, % doubled, no variables. InvalidInput for what would end the line."""
    for word in words:
        if any(letter < " " or letter == "\x7f" for letter in word):
            raise InvalidInput(
                f"a unit of systemd cannot name this: '{word}'",
                hint="choose a path without control characters for ROOTLESS_ROOT",
            )
    return " ".join(
        '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$") + '"'
        for word in words
    )


def _is_pod(store: Store, name: str) -> bool:
    """Whether the name is a pod's, and no container's."""
    from rootless.storage import pods

    try:
        return bool(name) and bool(pods.find(store, name))
    except RootlessError:
        return False


def _reload() -> None:
    """Without a user manager that answers, the unit is found when it starts next."""
    try:
        subprocess.run(
            ["systemctl", "--user", "daemon-reload"], capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        pass


def _mark(name: str) -> str:
    return f"# rootless enable {name}" if name else f"# {POLICIES}"


def comes_back(store: Store, identifier: str) -> bool:
    """Whether it ran before and has a policy that brings it back, as Docker does when it starts."""
    status = containers.status(store, identifier)
    return status.state == "exited" and stored.starts_at_boot(restart.of(store, read_config(store, identifier)), status.exit_code)


def _crontab_line(store: Store, name: str) -> bytes:
    if name.startswith(PROJECT):
        verb = ["compose", "-p", name.removeprefix(PROJECT), "start-with-machine"]
    else:
        verb = ["pod", "start", name] if _is_pod(store, name) else ["start", name] if name else ["container", "start-with-machine"]
    words = ["env", *environment(store)]
    if runtime := paths.session_directory():
        # Where our sockets are has to be the same for cron's commands and for those of a login.
        words.append(f"XDG_RUNTIME_DIR={runtime}")
    return crontab.line([*words, *paths.lasting_program(), *verb], _mark(name))


def start_by_policy(store: Store) -> list[tuple[str, RootlessError | None]]:
    """Start what ran before and has a policy that brings it back, as Docker does when it starts;
    ids, and the error where one could not be started. The caller has joined the session."""
    done: list[tuple[str, RootlessError | None]] = []
    for identifier in containers.ids(store):
        try:
            if not comes_back(store, identifier):
                continue
            record = read_config(store, identifier)
            names = [containers.name_of(store, each) or each for each in (identifier, record.get("pod") or "") if each]
            names.append(PROJECT + compose_project.project_of(store, record))
            if any(os.path.lexists(f"{_unit_directory()}/{unit_name(name)}") for name in names):
                continue  # its own unit's, its pod's or its project's
            start.start(store, identifier)
            done.append((identifier, None))
        except start.AlreadyRunning:
            continue
        except RootlessError as error:
            done.append((identifier, error))
        except FAILURES as error:
            # What is wrong with one keeps no other from coming back.
            done.append((identifier, RootlessError(f"container {identifier[:12]}: {error or type(error).__name__}")))
    return done


def stop_with_machine(store: Store, names: list[str]) -> None:
    """Stop these containers (all that run by a policy, without names) in a way that counts as the
    machine's doing: they come back with it."""
    if names:
        found = [containers.find(store, name) for name in names]
    else:
        found = [each for each in containers.ids(store) if restart.has_policy(store, each)]
    for identifier in found:
        try:
            stop.stop(store, identifier, by_hand=False)
        except RootlessError:
            continue  # gone meanwhile

