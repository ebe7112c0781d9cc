"""doctor: programs of other architectures, by the host's handlers or by the session's own binfmt_misc."""

from __future__ import annotations

from rootless.engine.doctor.result import ProbeResult, not_available, ok
from rootless.engine.doctor.run_probes import Probe
from rootless.engine.doctor.scratch import Scene
from rootless.engine.emulation import handlers, interpreters
from rootless.engine.emulation.architectures import ARCHITECTURES, is_foreign
from rootless.errors import NotSupported

_NAME = "emulation"
_EFFECT = "images for other architectures (--platform) cannot be run or built"


def emulation(scene: Scene) -> ProbeResult:
    """Which architectures can be run, and by whom."""
    foreign = [one for one in ARCHITECTURES.values() if is_foreign(one.name)]
    of_host = [one.name for one in foreign if handlers.of_host(one) is not None]
    own = [one.name for one in foreign if one.name not in of_host and interpreters.find(one) is not None]
    scene.join()
    try:
        handlers.check_kernel()
    except NotSupported as refused:
        own, reason, fix = [], refused.message, ("", "apt install qemu-user-static binfmt-support")
    else:
        reason, fix = "there is no qemu-user for other architectures", ("rootless binfmt install", "")
    if not of_host and not own:
        return not_available(_NAME, reason, _EFFECT, *fix)
    ways = [f"{', '.join(names)} by {whom}" for names, whom in ((of_host, "the host's handlers"), (own, "qemu-user")) if names]
    return ok(_NAME, f"programs for {'; '.join(ways)}")


PROBES = (Probe(_NAME, emulation, needs="user namespace"),)
