"""Tar streams made by hand, sound and hostile."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import Any

Member = tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]


def archive(*members: Member, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of the members; a pair has contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for member in members:
            if isinstance(member, tuple):
                member[0].size = len(member[1])
                tar.addfile(member[0], io.BytesIO(member[1]))
            else:
                tar.addfile(member)
    return buffer.getvalue()


def file(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return info(name, tarfile.REGTYPE, **{"mode": 0o644, **fields}), data


def directory(name: str, **fields: Any) -> tarfile.TarInfo:
    return info(name, tarfile.DIRTYPE, **{"mode": 0o755, **fields})


def symlink(name: str, target: str, **fields: Any) -> tarfile.TarInfo:
    return info(name, tarfile.SYMTYPE, linkname=target, **fields)


def link(name: str, target: str, **fields: Any) -> tarfile.TarInfo:
    return info(name, tarfile.LNKTYPE, linkname=target, **fields)


def info(name: str, kind: bytes, **fields: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def diff_id(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
