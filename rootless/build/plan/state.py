"""A stage while its instructions are gone through: its configuration, its variables, the steps so far."""

from __future__ import annotations

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.expand import expand
from rootless.build.dockerfile.instructions import Copy, Origin, Run, Workdir
from rootless.build.dockerfile.lint.linter import Linter
from rootless.build.dockerfile.suggest import nearest
from rootless.build.plan import scope
from rootless.build.plan.graph import Graph, Node
from rootless.build.plan.image_config import History, ImageConfig
from rootless.build.plan.sources import ImageSource, Source
from rootless.build.plan.steps import Scope, Step, StepPlace

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MOST_STEPS = 1000
"""Of a stage; overlayfs takes 500 layers, Docker 127."""
MOST_VARIABLES = 10_000
DEFAULT_SHELL = ("/bin/sh", "-c")


class StageState:
    """Changed by each instruction in turn; `stage.py` makes a StagePlan of what it is at the end."""

    def __init__(
        self,
        graph: Graph,
        node: Node,
        config: ImageConfig,
        parent: Scope | None,
        linter: Linter,
        *,
        base_known: bool,
    ) -> None:
        self.graph, self.node, self.linter = graph, node, linter
        self.config = config
        # What many instructions may add to is changed in place, and put into the configuration at the end.
        self.env = dict(config.env)
        self.env.setdefault("PATH", DEFAULT_PATH)
        self.labels = dict(config.labels)
        self.volumes = dict.fromkeys(config.volumes)
        self.exposed = dict.fromkeys(config.exposed)
        self.on_build: list[str] = []  # triggers fire once: those of the base are not this stage's
        self.variables = {**self.env, **(parent.variables if parent else {})}
        self.arguments = dict(parent.arguments) if parent else {}
        self.workdir_set = parent.workdir_set if parent else False
        self.base_known = base_known
        self.cmd_set: Origin | None = None
        self.entrypoint_set: Origin | None = None
        self.health_set: Origin | None = None
        self.steps: list[Step] = []
        self.history: list[History] = []
        self.needs: dict[Source, None] = {}
        self._index = 0
        self._total = 0

    @property
    def escape(self) -> str:
        return self.graph.dockerfile.directives.escape

    def count(self, triggers: int) -> None:
        """How many steps vertices are numbered to: FROM of an image is one; BuildKit counts every trigger."""
        own = self.node.stage.instructions
        steps = sum(isinstance(instruction, Copy | Run | Workdir) for instruction in own)
        starts = isinstance(self.node.base, ImageSource) or self.node.base.kind == "context"
        self._total = starts + steps + triggers

    def vertex(self, text: str, *, trigger: bool = False) -> str:
        """The next step's name: `[build 2/5] RUN make`."""
        if not self._total:
            return text
        self._index += 1
        platform = f"{self.node.platform}{self._cross()} " if self.graph.request.multi_platform else ""
        name = f"{self.node.display} " if self.node.display else ""
        width = len(str(self._total))
        return f"[{platform}{name}{self._index:>{width}}/{self._total}] {'ONBUILD ' * trigger}{text}"

    def _cross(self) -> str:
        """`->arm64` in the name of a stage that runs here and has asked for what it builds for."""
        target = self.graph.request.platform
        if target == self.node.platform or not {"TARGETPLATFORM", "TARGETARCH"} & self.arguments.keys():
            return ""
        system, _, rest = target.partition("/")
        return f"->{rest if system == self.node.platform.partition('/')[0] else target}"

    def place(self, origin: Origin, text: str) -> StepPlace:
        name = self.vertex(text, trigger=bool(origin.trigger))
        return StepPlace(name, origin.first, origin.last, self.node.no_cache)

    def shown(self, text: str, *, keep: bool) -> str:
        """An instruction as its vertex shows it: the word in capitals, variables with their values.

        `keep`: quotes, and variables without a value, stay as they are written (a RUN, whose shell expands them).
        """
        try:
            text = expand(text, self.variables, escape=self.escape, keep_quotes=keep, keep_unset=keep).text
        except DockerfileError:
            pass  # only shown: what a shell understands need not be ours
        word, blank, rest = text.partition(" ")
        return word.upper() + blank + rest

    def expand(self, text: str, origin: Origin, *, words: bool = False) -> tuple[str, ...]:
        """One word, or several where blanks may split it. What has no value is reported."""
        found = expand(text, self.variables, escape=self.escape)
        self.report_unset(found.unset, origin)
        if "\0" in found.text:
            raise DockerfileError("a NUL character is in no file's name, argument or variable")
        return found.words if words else (found.text,)

    def word(self, text: str, origin: Origin) -> str:
        return self.expand(text, origin)[0]

    def document(self, text: str, origin: Origin) -> str:
        """A heredoc's content: variables, but no quotes; the escape is the backslash whatever the directive says."""
        found = expand(text, self.variables, quotes=False)
        self.report_unset(found.unset, origin)
        return found.text

    def report_unset(self, names: frozenset[str], origin: Origin) -> None:
        """A variable of the base's environment is none that is undefined; where the base is unknown, nothing is."""
        for name in sorted(names) if self.base_known else ():
            if self.linter.is_full:
                return
            if name in self.arguments or name in scope.NOT_IN_ENVIRONMENT:
                continue
            near = nearest(name, self.variables)
            suggestion = f" (did you mean ${near}?)" if near else ""
            self.linter.report("UndefinedVar", origin.first, origin.last, name, suggestion)

    def set_variable(self, name: str, value: str) -> None:
        """For the steps that come; not in the configuration."""
        if len(self.variables) >= MOST_VARIABLES and name not in self.variables:
            raise DockerfileError(f"more than {MOST_VARIABLES} variables")
        self.variables[name] = value

    def metadata(self, created_by: str) -> None:
        """An entry of the history that has no layer."""
        self.history.append(History(created_by))

    def step(self, step: Step, created_by: str) -> None:
        """A step, and its entry."""
        if len(self.steps) == MOST_STEPS:
            raise DockerfileError(
                f"a stage of more than {MOST_STEPS} steps",
                hint="no kernel mounts that many layers: join commands with &&, or begin a new stage",
            )
        self.history.append(History(created_by, empty_layer=False, step=len(self.steps)))
        self.steps.append(step)

    def finished(self) -> ImageConfig:
        """The configuration that all instructions have led to."""
        return self.config._replace(
            env=tuple(self.env.items()),
            labels=self.labels,
            volumes=tuple(self.volumes),
            exposed=tuple(self.exposed),
            on_build=tuple(self.on_build),
        )
