"""Git repositories as sources: what counts as one, and the words of its fragment and query.

    https://host/x.git  git://host/x  ssh://user@host/x  user@host:x        #ref:subdir   ?branch=...&subdir=...

Nothing that git could take for an option gets through, and no other transport.
"""

from __future__ import annotations

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.quantities import truth
from rootless.build.plan.steps import GitSource

_SCHEMES = ("http", "https", "git", "ssh")
_USER = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")


def parse(text: str) -> GitSource | None:
    """The repository that `text` names; None where it is a path or another URL. Raises DockerfileError."""
    address, _, fragment = text.partition("#")
    address, mark, query = address.partition("?")
    scheme, separator, rest = address.partition("://")
    if separator:
        path = rest.partition("/")[2]
        if scheme not in _SCHEMES or (scheme in ("http", "https") and not path.endswith(".git")):
            return None
        host = rest.partition("/")[0].rpartition("@")[2]
    else:
        user, at, location = address.partition("@")
        host, colon, path = location.partition(":")
        if not (at and colon and user) or set(user) - set(_USER) or "/" in host:
            return None
        # In this form git knows no query: a question mark is part of the path.
        address, mark, query = address + mark + query, "", ""
    if not host or host.startswith("-") or address.startswith("-") or path.startswith("-"):
        raise DockerfileError(f"invalid git repository {text}")
    ref, _, subdir = fragment.partition(":")
    found = GitSource(address, ref, subdir)
    for name, value in _query(query):
        found = _set(found, name, value)
    if found.checksum and not found.ref:
        found = found._replace(ref=found.checksum)
    for word in (found.ref, found.checksum):
        if word.startswith("-") or any(character.isspace() or character < " " for character in word):
            raise DockerfileError(f'invalid git ref "{word}"')
    return found


def _query(query: str) -> list[tuple[str, str | None]]:
    found: dict[str, str | None] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if name in found:
            raise DockerfileError(f'query "{name}" has multiple values')
        found[name] = unquoted(value) if equals and value else None
    # branch and tag are names of refs, so they come after a ref itself.
    return sorted(found.items(), key=lambda item: item[0] in ("branch", "tag"))


def unquoted(text: str, *, plus: bool = True) -> str:
    """Percent escapes decoded, and `+` as a blank where `plus` says that it is one."""
    parts = (text.replace("+", " ") if plus else text).split("%")
    encoded = parts[0].encode("utf-8", "surrogateescape")
    for part in parts[1:]:
        if len(part) < 2 or set(part[:2]) - _HEXADECIMAL:
            raise DockerfileError(f'invalid URL escape "%{part[:2]}"')
        encoded += bytes((int(part[:2], 16),)) + part[2:].encode("utf-8", "surrogateescape")
    return encoded.decode("utf-8", "surrogateescape")


def _set(git: GitSource, name: str, value: str | None) -> GitSource:
    if name in ("keep-git-dir", "submodules", "fetch-by-commit"):
        flag = True if value is None else truth(value)
        if flag is None:
            raise DockerfileError(f'invalid {name} value: "{value}"')
        if name == "submodules":
            return git._replace(submodules=flag)
        return (
            git._replace(keep_git_dir=flag) if name == "keep-git-dir" else git._replace(fetch_by_commit=flag)
        )
    if value is None:
        raise DockerfileError(f'query "{name}" has no value')
    if name in ("ref", "tag", "branch"):
        prefix = {"ref": "", "tag": "refs/tags/", "branch": "refs/heads/"}[name]
        ref = value if value.startswith(prefix) else prefix + value
        if git.ref and git.ref not in (ref, value):
            raise DockerfileError(f'ref conflicts: "{git.ref}" vs "{ref}"')
        return git._replace(ref=ref)
    if name == "subdir":
        if git.subdir and git.subdir != value:
            raise DockerfileError(f'subdir conflicts: "{git.subdir}" vs "{value}"')
        return git._replace(subdir=value)
    if name in ("checksum", "commit"):
        return git._replace(checksum=value)
    if name == "mtime":
        if value not in ("checkout", "commit"):
            raise DockerfileError(f'invalid mtime value: "{value}"')
        return git._replace(mtime=value)
    raise DockerfileError(f'unexpected query "{name}"')
