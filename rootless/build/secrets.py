"""--secret: what RUNs may have that no layer, key or history ever gets."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import NamedTuple

from rootless.build.csv_words import fields
from rootless.errors import InvalidInput, NotFound
from rootless.storage import named_paths

_LARGEST = 500 * 1024  # BuildKit's bound


class Secret(NamedTuple):
    """Where a secret is: a file, or a variable of the caller's environment."""

    id: str
    path: str = ""
    env: str = ""

    def read(self) -> bytes:
        """Its text, read when a step wants it; NotFound, InvalidInput."""
        if self.env:
            value = os.environb.get(os.fsencode(self.env))
            if value is None:
                raise NotFound(f"secret {self.id}: the environment has no variable {self.env}")
            return value
        try:
            fd = named_paths.open_file(self.path, f"secret {self.id}: the file", flags=os.O_NONBLOCK)
        except OSError as error:
            raise NotFound(f"secret {self.id}: {self.path}: {error.strerror}") from None
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) and not stat.S_ISFIFO(status.st_mode):
                raise InvalidInput(f"secret {self.id}: {self.path} is no file")
            os.set_blocking(fd, True)
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise InvalidInput(f"secret {self.id} too big. max size 500KB")
        return text


def authorization(secrets: dict[str, Secret]) -> Callable[[str], str | None]:
    """What says how to log in to a host that an ADD fetches from: by BuildKit's names of secrets for that."""

    def find(host: str) -> str | None:
        for name, words in (("HTTP_AUTH_HEADER_", "{}"), ("HTTP_AUTH_TOKEN_", "Bearer {}")):
            secret = secrets.get(name + host)
            if secret is not None:
                return words.format(secret.read().decode("utf-8", "replace").strip())
        return None

    return find


def parse_secret(word: str) -> Secret:
    """One --secret word: `id=ID[,src|source=FILE][,env=NAME][,type=file|env]`; with neither, an environment variable
    of that name, else a file. InvalidInput, in BuildKit's words; NotFound for a file that is not there."""
    found = {"id": "", "path": "", "env": "", "type": ""}
    for key, value in fields(word):
        name = {"id": "id", "src": "path", "source": "path", "env": "env", "type": "type"}.get(key)
        if name is None:
            raise InvalidInput(f"unexpected key '{key}' in '{key}={value}'", hint="id=, src=, env= and type= are known")
        found[name] = value
    kind, path, env = found["type"], found["path"], found["env"]
    if kind not in ("", "file", "env"):
        raise InvalidInput(f'unsupported secret type "{kind}"', hint="type=file or type=env")
    if not found["id"]:
        raise InvalidInput(f"secret must have an id: {word}", hint="--secret id=NAME,src=FILE")
    if kind == "env" and not env:
        env, path = path or found["id"], ""
    elif not kind and not path and not env and found["id"] in os.environ:
        env = found["id"]
    elif not path and not env:
        path = found["id"]
    if path:
        path = os.path.abspath(os.path.expanduser(path))
        if not os.path.exists(path):
            raise NotFound(f"failed to stat {path}: no such file or directory", hint=f"it is the source of --secret id={found['id']}")
    return Secret(found["id"], "" if env else path, env)
