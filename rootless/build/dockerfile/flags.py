"""The flags of an instruction, `--name[=value]`, by name and checked."""

from __future__ import annotations

from collections.abc import Sequence

from rootless.build.dockerfile.error import DockerfileError
from rootless.build.dockerfile.suggest import did_you_mean


class Flags:
    """What was given, of what may be given: texts, booleans, and texts that may be repeated."""

    def __init__(
        self,
        given: Sequence[str],
        *,
        text: Sequence[str] = (),
        boolean: Sequence[str] = (),
        repeated: Sequence[str] = (),
    ) -> None:
        self._values: dict[str, list[str]] = {}
        known = (*text, *boolean, *repeated)
        for flag in given:
            written, equals, value = flag.partition("=")
            name = written[2:]
            if name not in known:
                raise DockerfileError(f"unknown flag: {written}{did_you_mean(name, known)}")
            if name in self._values and name not in repeated:
                raise DockerfileError(f"duplicate flag specified: {written}")
            if not value and (equals if name in boolean else not equals):
                raise DockerfileError(f"missing a value on flag: {written}")
            if name in boolean:
                value = value.lower() or "true"
                if value not in ("true", "false"):
                    raise DockerfileError(
                        f"expecting boolean value for flag {written}, not: {flag.partition('=')[2]}"
                    )
            self._values.setdefault(name, []).append(value)

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, [default])[0]

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self._values.get(name, ()))

    def boolean(self, name: str) -> bool:
        return self.text(name) == "true"

    def maybe(self, name: str) -> bool | None:
        """A boolean that may have been left open."""
        return self.boolean(name) if name in self._values else None
