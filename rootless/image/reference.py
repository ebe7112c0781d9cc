"""Names of images, in the grammar of Docker and the OCI distribution specification.

    [registry[:port]/]repository[:tag][@digest]

Parses and prints; knows no configuration (short-name aliases and search registries are
`registries_conf`'s) and no store. Imported by `run`; string methods instead of `re`. Hot path.
"""

from __future__ import annotations

from rootless.errors import InvalidInput
from rootless.record import Record

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"
NAME_LIMIT = 255
TAG_LIMIT = 128

_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset("0123456789")
_HEX = frozenset("0123456789abcdef")
_ALNUM = _LOWER | _DIGITS
_UPPER = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_WORD = _ALNUM | _UPPER
_TAG = _WORD | frozenset("_.-")
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


class Reference(Record):
    """One image in one repository; has a tag, a digest, or both."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @property
    def name(self) -> str:
        """Registry and repository: `docker.io/library/debian`."""
        return f"{self.registry}/{self.repository}"

    @property
    def canonical(self) -> str:
        """The one spelling the store knows: `docker.io/library/debian:bookworm`.

        Beside a digest a tag says nothing, as with Docker: `docker.io/library/debian@sha256:...`.
        """
        return f"{self.name}@{self.digest}" if self.digest else self.name + self._suffix()

    def familiar(self) -> str:
        """The spelling for people, as Docker shortens it: `debian:bookworm`."""
        return self.familiar_name() + self._suffix()

    def familiar_name(self) -> str:
        """`familiar()` without tag and digest: the REPOSITORY column of `images`."""
        if self.registry != DEFAULT_REGISTRY:
            return self.name
        official = self.repository.removeprefix("library/")
        # "library/a/b" is not "a/b", which would be another repository.
        short = self.repository if "/" in official else official
        # What would be read as a registry ("a.b/c") or an image id keeps its full name.
        return short if is_short(short) and not _looks_like_id(short) else self.name

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{tag}@{self.digest}" if self.digest else tag


def parse(text: str) -> Reference:
    """The reference `text` stands for, with Docker's defaults filled in.

    No registry means docker.io, no namespace there means library/, neither tag nor digest
    means :latest. Raises InvalidInput with Docker's wording.
    """
    remainder, has_digest, digest = text.partition("@")
    if has_digest and not is_digest(digest):
        raise _invalid(text, "the digest must be like sha256:<64 hex digits>")
    if text.startswith(("/", "./", "../")):
        raise _invalid(text, "a path is no name: an image file is taken by `rootless run`, as it is")
    scheme, has_scheme, name = text.partition("://")
    if has_scheme:
        raise _invalid(text, _without(scheme, name))
    # A colon after the last slash starts a tag; one before it is a port.
    slash, colon = remainder.rfind("/"), remainder.rfind(":")
    tag = None
    if colon > slash:
        tag = remainder[colon + 1 :]
        remainder = remainder[:colon]
        if not is_tag(tag):
            raise _invalid(text, "a tag has 1 to 128 letters, digits, _ . -")
    if _looks_like_id(remainder):
        raise InvalidInput(
            f"invalid repository name ({remainder}), cannot specify 64-byte hexadecimal strings",
            hint="the name would be taken for an image id",
        )
    registry, repository = _split(remainder)
    if not is_registry(registry):
        raise _invalid(text, f"{registry!r} is no name of a registry")
    if not is_repository(repository):
        if is_repository(repository.lower()):
            raise InvalidInput(
                f"invalid reference format: repository name ({repository}) must be lowercase",
                hint=f"try {text.lower() if tag is None else remainder.lower() + ':' + tag}",
            )
        raise _invalid(text, None)
    # Of the path alone, as Docker counts it: a registry's own name does not make it longer.
    if max(len(registry), len(repository)) > NAME_LIMIT:
        raise _invalid(text, f"a repository name has at most {NAME_LIMIT} characters")
    if tag is None and not has_digest:
        tag = DEFAULT_TAG
    return Reference(registry, repository, tag, digest if has_digest else None)


def is_short(text: str) -> bool:
    """Whether `text` names no registry, so that aliases and search registries apply."""
    first, slash, _ = text.partition("/")
    return not (slash and _names_registry(first))


def is_digest(text: str) -> bool:
    """Whether `text` is `algorithm:lower case hex` with an algorithm of the OCI specification."""
    algorithm, colon, value = text.partition(":")
    return bool(colon) and len(value) == _DIGEST_LENGTHS.get(algorithm) and _HEX.issuperset(value)


def is_tag(text: str) -> bool:
    """`[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`."""
    return 0 < len(text) <= TAG_LIMIT and _TAG.issuperset(text) and text[0] not in ".-"


def is_repository(text: str) -> bool:
    """Lower case components between slashes, joined inside by `.`, `_`, `__` or dashes."""
    return all(_is_component(component) for component in text.split("/"))


def is_registry(text: str) -> bool:
    """`host[:port]`, where the host may be an IPv6 address in brackets."""
    host, port = text, None
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or not (_HEX | frozenset(":ABCDEF")).issuperset(host):
            return False
        if rest:
            colon, port = rest[0], rest[1:]
            return colon == ":" and _is_port(port)
        return True
    if ":" in text:
        host, _, port = text.partition(":")
    labels_fine = all(
        label and (_WORD | {"-"}).issuperset(label) and label[0] != "-" and label[-1] != "-"
        for label in host.split(".")
    )
    return labels_fine and (port is None or _is_port(port))


def _looks_like_id(text: str) -> bool:
    return len(text) == 64 and _HEX.issuperset(text)


def _is_port(text: str) -> bool:
    return 0 < len(text) <= 5 and _DIGITS.issuperset(text) and 0 < int(text) < 65536


def _is_component(text: str) -> bool:
    if not text or text[0] not in _ALNUM or text[-1] not in _ALNUM:
        return False
    position = 0
    while position < len(text):
        end = position
        if text[position] in _ALNUM:
            position += 1
            continue
        while text[end] not in _ALNUM:
            end += 1
        separator = text[position:end]
        if separator not in (".", "_", "__") and separator.strip("-"):
            return False
        position = end
    return True


def _names_registry(first: str) -> bool:
    """Docker's rule: a first component with a dot, a colon or capitals, or localhost."""
    return "." in first or ":" in first or first == "localhost" or first.lower() != first


def _split(remainder: str) -> tuple[str, str]:
    first, slash, rest = remainder.partition("/")
    if not slash or not _names_registry(first):
        registry, repository = DEFAULT_REGISTRY, remainder
    else:
        registry, repository = first, rest
    if registry in ("index.docker.io", "registry-1.docker.io"):
        registry = DEFAULT_REGISTRY
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = "library/" + repository
    return registry, repository


def _without(scheme: str, name: str) -> str:
    """What to write where another program would take SCHEME://NAME; enroot has # after the registry."""
    if scheme in ("docker", "http", "https"):
        return f"leave {scheme}:// out: {name.replace('#', '/', 1)}"
    return f"images come from registries, as HOST/NAME:TAG: there is no {scheme}:// here"


def _invalid(text: str, hint: str | None) -> InvalidInput:
    return InvalidInput(f"invalid reference format: {text!r}", hint=hint)
