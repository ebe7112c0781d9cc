"""The instructions as they were written: words not expanded yet, flags by name, each with where it stands.

A variable is expanded when the stage is planned (build/plan), because what it means depends on what comes before.
"""

from __future__ import annotations

from rootless.record import Record


class Origin(Record):
    """Where an instruction stands and what its author wrote."""

    keyword: str  # as written, `run` or `RUN`
    text: str  # the whole instruction, its lines joined, without its heredocs
    first: int  # lines of the file, from 1; last includes heredocs
    last: int
    comment: tuple[str, ...] = ()  # the comment lines right above it, without `#`
    trigger: str = ""  # of an instruction that an ONBUILD of the base contributed: its text


class Heredoc(Record):
    """`[fd]<<[-]name`: content already without the tabs that `<<-` strips."""

    name: str
    content: str
    expand: bool  # false where the word was quoted
    strip_tabs: bool
    fd: int = 0
    end: str = ""  # the terminator's line as it stands in the file


class Command(Record):
    """Words of RUN, CMD, ENTRYPOINT or a health check: JSON form, or a text that the SHELL gets."""

    words: tuple[str, ...]
    shell_form: bool  # then `words` has one item, the text


class From(Record):
    origin: Origin
    image: str
    name: str = ""  # lower case; "" where there is no AS
    written_name: str = ""  # as written
    platform: str = ""
    as_word: str = ""  # `AS` as written, for the lint


class Arg(Record):
    """ARG: each name with its default, None where it has none."""

    origin: Origin
    arguments: tuple[tuple[str, str | None], ...]


class Env(Record):
    origin: Origin
    pairs: tuple[tuple[str, str], ...]
    legacy: bool = False  # `ENV KEY the rest`


class Label(Record):
    origin: Origin
    pairs: tuple[tuple[str, str], ...]
    legacy: bool = False


class Run(Record):
    origin: Origin
    command: Command
    mounts: tuple[str, ...] = ()  # values of --mount, unexpanded; `mounts.parse` reads one
    network: str = ""  # default, none, host
    security: str = ""  # sandbox, insecure
    devices: tuple[str, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()


class Copy(Record):
    """COPY, or ADD where `add` says so. Heredocs among the sources stand in `heredocs`, in order."""

    origin: Origin
    sources: tuple[str, ...]
    destination: str
    add: bool = False
    from_: str = ""
    chown: str = ""
    chmod: str = ""
    link: bool = False
    parents: bool = False
    excludes: tuple[str, ...] = ()
    checksum: str = ""
    keep_git_dir: bool | None = None
    unpack: bool | None = None
    heredocs: tuple[Heredoc, ...] = ()


class Workdir(Record):
    origin: Origin
    path: str


class User(Record):
    origin: Origin
    user: str


class Cmd(Record):
    origin: Origin
    command: Command


class Entrypoint(Record):
    origin: Origin
    command: Command


class Shell(Record):
    origin: Origin
    words: tuple[str, ...]


class Healthcheck(Record):
    """`test` as Docker's HealthConfig has it: NONE, CMD with words, CMD-SHELL with a text. Times in nanoseconds, 0 unset."""

    origin: Origin
    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class Stopsignal(Record):
    origin: Origin
    signal: str


class Expose(Record):
    origin: Origin
    ports: tuple[str, ...]


class Volume(Record):
    origin: Origin
    paths: tuple[str, ...]


class Maintainer(Record):
    origin: Origin
    author: str


class Onbuild(Record):
    """The trigger's text; it has been parsed once, so that its mistakes are told here."""

    origin: Origin
    trigger: str


Instruction = (
    Arg | Env | Label | Run | Copy | Workdir | User | Cmd | Entrypoint | Shell | Healthcheck | Stopsignal | Expose
    | Volume | Maintainer | Onbuild
)  # fmt: skip
"""All that may stand in a stage."""


class Stage(Record):
    """A FROM and what follows it."""

    base: From
    instructions: tuple[Instruction, ...] = ()


class Directives(Record):
    """What the comments at the very top say."""

    escape: str = "\\"
    syntax: str = ""
    check: str = ""
    check_line: int = 0


class LintWarning(Record):
    """A finding of a rule. `rule` is its name (UndefinedVar), `detail` the line that is printed."""

    rule: str
    description: str
    detail: str
    url: str
    first: int
    last: int


class Dockerfile(Record):
    """A whole file: what stands before the first FROM, and the stages."""

    file: str
    lines: tuple[str, ...]
    directives: Directives
    globals: tuple[Arg, ...]
    stages: tuple[Stage, ...]
    warnings: tuple[LintWarning, ...] = ()
