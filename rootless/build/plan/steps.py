"""The steps of a stage: what changes files. Everything else is an edit of the configuration and costs nothing.

A step carries all its words expanded, paths absolute. What it reads besides the layers below it is in its sources and mounts.
"""

from __future__ import annotations

from rootless.build.dockerfile.instructions import LintWarning
from rootless.build.plan.image_config import History, ImageConfig
from rootless.build.plan.sources import Source
from rootless.record import Record


class StepPlace(Record):
    """What all steps have: for progress, errors and the cache."""

    name: str  # the vertex: `[build 2/5] RUN make`
    first: int  # lines of the Dockerfile; 0 for a trigger of the base image
    last: int
    no_cache: bool = False


class Mount(Record):
    """One `RUN --mount`, every default filled in.

    bind     source below `from_`, read_only unless said otherwise (what is written is thrown away)
    cache    id (with the namespace of BUILDKIT_CACHE_MOUNT_NS), sharing, mode, uid, gid; seeded by `from_` and source
    tmpfs    size_bytes, 0 is unlimited
    secret   id, target ("" where only `env` is given), env, mode, uid, gid, required
    ssh      id, target, mode, uid, gid, required
    """

    type: str
    target: str  # absolute
    source: str = "/"
    from_: Source | None = None  # None: of a cache that starts empty, of tmpfs, secret, ssh
    read_only: bool = False
    id: str = ""
    sharing: str = "shared"  # shared, private, locked
    required: bool = False
    size_bytes: int = 0
    mode: int | None = None
    uid: int = 0
    gid: int = 0
    env: str = ""


class PipeFile(Record):
    """A heredoc of a RUN that is executed itself (`#!`): a read-only file, mounted at `path`."""

    path: str
    content: str
    mode: int = 0o755


class RunStep(Record):
    """A command. `env` is all of its environment that the key knows; `proxy` comes on top and is in no key."""

    place: StepPlace
    args: tuple[str, ...]  # whole, with the shell
    env: tuple[tuple[str, str], ...]
    cwd: str
    user: str  # as USER has it, "" is root
    mounts: tuple[Mount, ...] = ()
    network: str = "default"  # default, none, host
    security: str = "sandbox"  # sandbox, insecure
    devices: tuple[tuple[str, bool], ...] = ()  # CDI name, required
    files: tuple[PipeFile, ...] = ()
    proxy: tuple[tuple[str, str], ...] = ()
    kind: str = "run"


class PathSource(Record):
    """Paths or patterns of a context, stage or image, all of one `from_`."""

    from_: Source
    patterns: tuple[str, ...]


class HttpSource(Record):
    """ADD of a URL. `filename` is what it is called where the destination is a directory."""

    url: str
    filename: str
    checksum: str = ""


class GitSource(Record):
    """ADD of a repository, its root's content. `keep_git_dir` and the rest as the flags and the query say."""

    remote: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git_dir: bool = False
    submodules: bool = True
    mtime: str = ""  # checkout, commit; "" is the default
    fetch_by_commit: bool = False


class InlineSource(Record):
    """A heredoc: a file of mode 0644, its content expanded already."""

    filename: str
    content: str


CopySource = PathSource | HttpSource | GitSource | InlineSource


class CopyStep(Record):
    """COPY, or ADD where `add` says so (`unpack`: whether local archives, or forced also remote ones, are unpacked)."""

    place: StepPlace
    sources: tuple[CopySource, ...]  # in the order in which they are written
    destination: str  # absolute; ends with / where a directory is meant
    add: bool = False
    chown: str = ""  # user[:group], names or numbers; "" is 0:0 for a context and unchanged for --from
    chmod: str = ""  # octal, or symbolic
    link: bool = False
    parents: bool = False
    excludes: tuple[str, ...] = ()
    unpack: bool | None = None  # None: local archives of ADD are, remote ones are not
    kind: str = "copy"


class WorkdirStep(Record):
    """WORKDIR: the directory exists afterwards, with its parents, what was missing 0755 and `user`'s."""

    place: StepPlace
    path: str
    user: str
    kind: str = "workdir"


Step = RunStep | CopyStep | WorkdirStep


class Scope(Record):
    """What a stage hands on that is in no configuration."""

    variables: dict[str, str]  # environment and declared arguments, the later ones having won
    arguments: dict[str, str]  # the declared ones, as the history of a RUN shows them
    workdir_set: bool
    base_known: bool  # false where the base's configuration was not looked at


class StagePlan(Record):
    """One stage for one platform, whole: what to start from, what to do, what the result says of itself."""

    number: int
    name: str  # of AS; "" where there is none
    platform: str
    base: Source
    base_name: str  # the vertex of its FROM: `[build 1/5] FROM docker.io/library/debian:13`
    steps: tuple[Step, ...]
    config: ImageConfig
    history: tuple[History, ...]  # of this stage; the base's comes before
    # Every stage, image and context that the steps read, besides the base; each once.
    needs: tuple[Source, ...]
    epoch: int | None = None  # SOURCE_DATE_EPOCH
    scope: Scope | None = None  # what a stage that starts from this one goes on with
    warnings: tuple[LintWarning, ...] = ()
