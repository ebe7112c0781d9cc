"""What the command line says of a build, as far as its plan depends on it."""

from __future__ import annotations

from rootless.record import Record


class PlanRequest(Record):
    """One build for one platform; several platforms are several requests of the same Dockerfile.

    Platforms are os/arch[/variant], made regular by the caller (image/platforms.py).
    """

    platform: str
    build_platform: str
    build_args: dict[str, str] = {}
    contexts: dict[str, str] = {}  # --build-context, `name` or `name::platform`
    target: str = ""
    labels: dict[str, str] = {}  # --label: wins over LABEL
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    network: str = ""  # --network: of RUNs without a flag of their own
    multi_platform: bool = False  # vertices are named with their platform
