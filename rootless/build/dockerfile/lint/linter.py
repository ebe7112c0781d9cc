"""Collects findings, as far as `# check=` lets them through."""

from __future__ import annotations

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.instructions import Directives, LintWarning
from rootless.build.dockerfile.lint.rules import RULES
from rootless.build.dockerfile.quantities import truth
from rootless.record import Record

_MOST = 1000


class CheckOptions(Record):
    """`# check=skip=RuleA,RuleB;error=true;experimental=all`, or the build argument BUILDKIT_DOCKERFILE_CHECK."""

    skip: frozenset[str] = frozenset()
    skip_all: bool = False
    error: bool = False
    experimental: frozenset[str] = frozenset()
    experimental_all: bool = False


def parse_options(text: str, *, line: int = 0) -> CheckOptions:
    """Raises DockerfileError for an option that is none; names of rules are not judged, for there may be newer ones."""
    options = CheckOptions()
    for part in text.split(";") if text.strip() else ():
        key, equals, value = part.partition("=")
        key, value = key.strip(), value.strip()
        names = frozenset(name.strip() for name in value.split(",") if name.strip())
        if equals and key == "skip":
            options = options._replace(skip=names, skip_all=value == "all")
        elif equals and key == "experimental":
            options = options._replace(experimental=names, experimental_all=value == "all")
        elif equals and key == "error":
            found = truth(value)
            if found is None:
                raise DockerfileError(f'failed to parse check option "{part.strip()}"', first=line)
            options = options._replace(error=found)
        else:
            raise DockerfileError(f'invalid check option "{part.strip()}"', first=line)
    return options


class Linter:
    """What is reported to it is kept in `warnings` where nothing says to skip it; each finding once."""

    def __init__(self, directives: Directives, *, options: str | None = None) -> None:
        line = directives.check_line if options is None else 0
        self.options = parse_options(directives.check if options is None else options, line=line)
        self.warnings: list[LintWarning] = []
        self._seen: set[LintWarning] = set()

    @property
    def is_full(self) -> bool:
        """Whether there is no room for more: nobody reads a thousand, and a hostile file has millions."""
        return len(self.warnings) >= _MOST

    def report(self, name: str, first: int, last: int, *words: str) -> None:
        rule = RULES[name]
        options = self.options
        if self.is_full or options.skip_all or name in options.skip:
            return
        if rule.experimental and not (options.experimental_all or name in options.experimental):
            return
        warning = LintWarning(name, rule.description, rule.detail.format(*words), rule.url, first, last)
        if warning not in self._seen:
            self._seen.add(warning)
            self.warnings.append(warning)


def failure(options: CheckOptions, warnings: tuple[LintWarning, ...]) -> DockerfileError | None:
    """The error that `error=true` makes of findings."""
    if not (options.error and warnings):
        return None
    names = sorted({warning.rule for warning in warnings})
    first = warnings[0]
    return DockerfileError(
        f"lint violation found for rules: {', '.join(names)}", first=first.first, last=first.last
    )
