"""What there is of a project: its containers, networks, volumes and images, as far as a plan asks for them."""

from __future__ import annotations

from typing import NamedTuple

from rootless.compose.plan import names


class Container(NamedTuple):
    """A container that has the project's label. `networks`: ids by names; `volumes`: names by mount point, `anonymous` those of them
    that nobody named. `state` is Docker's word."""

    id: str
    name: str
    labels: dict[str, str]
    state: str
    image_id: str = ""
    exit_code: int = 0
    health: str = ""
    networks: dict[str, str] = {}
    volumes: dict[str, str] = {}
    anonymous: dict[str, str] = {}
    joined: tuple[str, ...] = ()
    created_at: str = ""

    @property
    def service(self) -> str:
        """The service that it is one of."""
        return self.labels.get(names.SERVICE, "")

    @property
    def number(self) -> int:
        """Which one of them, from 1."""
        text = self.labels.get(names.NUMBER, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0

    @property
    def oneoff(self) -> bool:
        """Whether `compose run` made it."""
        return self.labels.get(names.ONEOFF) == "True"

    @property
    def runs(self) -> bool:
        """Whether it has a process."""
        return self.state in ("running", "paused", "restarting")


class Network(NamedTuple):
    """A network of the store."""

    id: str
    labels: dict[str, str]


class Observed(NamedTuple):
    """`networks` and `volumes` are all of the store, by name; `images` the ids of those that the project names, as it names them;
    `tagged` when each of them got its name, in seconds after the epoch."""

    containers: list[Container] = []
    networks: dict[str, Network] = {}
    volumes: dict[str, dict[str, str]] = {}
    images: dict[str, str] = {}
    tagged: dict[str, float] = {}

    def of(self, service: str) -> list[Container]:
        """The service's containers, without those of `run`, by number."""
        found = [one for one in self.containers if one.service == service and not one.oneoff]
        return sorted(found, key=lambda one: (one.number, one.created_at))
