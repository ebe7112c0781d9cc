"""doctor: what a user without a range of ids has instead, the best of what this host can do."""

from __future__ import annotations

from rootless import user_config
from rootless.engine.doctor.result import ProbeResult, ok, warning
from rootless.engine.doctor.run_probes import Probe
from rootless.engine.doctor.scratch import Scene
from rootless.engine.options.ids import DEFAULT
from rootless.engine.state import emulated_ids
from rootless.errors import NotSupported
from rootless.runtime import ids
from rootless.session.ids import nsresourced

_NAME = "emulated ids"
FULL = (
    "no range: ids are emulated (full): programs see users, groups and owners, and find them again after a stop; "
    "for the kernel all are you, and there is no wall between them"
)


def emulation(scene: Scene) -> list[ProbeResult]:
    """Nothing to tell where there is a range: newuidmap's ids come first."""
    if not scene.join().single_id:
        return []
    there = nsresourced.answers()
    lent = "; systemd-nsresourced runs here, and is not used: its ids cannot own files that stay" if there else ""
    word = emulated_ids.configured() or DEFAULT
    if word not in ("auto", "full"):
        return [ok(_NAME, f"no range: {word} (emulate_ids in {user_config.path()}){lent}")]
    try:
        ids.require(cache_dir=scene.scratch + "/seccomp")
    except NotSupported as error:
        return [warning(_NAME, f"no range, and no emulated ids: {error.message}{lent}",
                        "containers have one user id only: `su`, `apt-get` and servers that change users fail in them",
                        error.hint or "")]  # fmt: skip
    return [ok(_NAME, FULL + lent)]


PROBES = (Probe(_NAME, emulation, needs="user namespace"),)
