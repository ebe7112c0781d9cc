"""What an ADD fetches: a URL or a git repository, and the checksum that it must have."""

from __future__ import annotations

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import Copy
from rootless.build.plan import git_url
from rootless.build.plan.git_url import unquoted
from rootless.build.plan.steps import GitSource, HttpSource

_DIGESTS = {"sha256": 64, "sha384": 96, "sha512": 128}


def remote_source(word: str, instruction: Copy, checksum: str) -> HttpSource | GitSource | None:
    """What an ADD fetches; None where `word` is a path."""
    git = git_url.parse(word)
    if git:
        if instruction.keep_git_dir is not None:
            if "keep-git-dir" in word.partition("?")[2] and git.keep_git_dir != instruction.keep_git_dir:
                raise DockerfileError("inconsistent keep-git-dir configuration")
            git = git._replace(keep_git_dir=instruction.keep_git_dir)
        if checksum and git.checksum and checksum != git.checksum:
            raise DockerfileError(f'checksum mismatch "{checksum}" != "{git.checksum}"')
        commit = checksum or git.checksum
        if commit and (set(commit.lower()) - set("0123456789abcdef") or not 4 <= len(commit) <= 64):
            raise DockerfileError(f'invalid checksum "{commit[:100]}" for Git source, expected a commit')
        return git._replace(checksum=commit, ref=git.ref or commit)
    if not word.startswith(("http://", "https://")):
        return None
    if checksum:
        algorithm, _, digits = checksum.partition(":")
        if len(digits) != _DIGESTS.get(algorithm) or set(digits) - set("0123456789abcdef"):
            raise DockerfileError(f'invalid checksum digest format "{checksum[:200]}"')
    return HttpSource(word, _filename(word), checksum)


def _filename(url: str) -> str:
    """The last part of the URL's path: what the file is called in a directory."""
    path = url.partition("://")[2].partition("#")[0].partition("?")[0].partition("/")[2]
    name = unquoted(path.rstrip("/"), plus=False).rstrip("/").rpartition("/")[2]
    return "__unnamed__" if name in ("", ".", "..") or "\0" in name else name
