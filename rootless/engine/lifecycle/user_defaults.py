"""What config.toml says (docs/config.md) for a request that leaves it open: whoever asks, by command line, API or compose."""

from __future__ import annotations

from rootless import user_config
from rootless.engine.networks import default, names
from rootless.engine.state import emulated_ids as of_ids
from rootless.engine.state.cgroup import not_limited
from rootless.engine.state.config import no_demands
from rootless.engine.state.resources import to_oci
from rootless.engine.state.user_namespace import UNLESS_ROOT, configured
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from rootless.engine.options.resources import Resources
    from rootless.engine.options.values import Ulimit
    from rootless.engine.state.config import Network


def user_namespace(asked: str, user: str, modes: tuple[str, ...]) -> str:
    """The --userns of a container that asks for `asked` and runs as `user`. `modes`: those of its other namespaces; where one
    is another container's, the ids are, too."""
    word = configured()
    if not word or asked or any(mode.startswith("container:") for mode in modes):
        return asked
    if word == UNLESS_ROOT:
        return "" if is_root(user) else "keep-id"
    return word


def emulated_ids(userns: str, ulimits: list[Ulimit]) -> str:
    """The --emulate-ids of a container that leaves it open; "" where what it asks for excludes that of the file."""
    word = of_ids.configured()
    excluded = userns not in ("", "host", "private") or any(limit["name"] == "rttime" for limit in ulimits)
    return "" if excluded else word


def network(asked: Network) -> Network:
    """A network that nobody has named, as the file names it."""
    found = default.configured()
    if found is None:
        return asked
    mode, options = found
    changed: Network = {**asked, "mode": mode, "options": options}
    del changed["default"]
    if mode in (*names.UPLINKS, "host", "none"):
        del changed["networks"]
    else:
        changed["networks"] = {mode: no_demands()}
    return changed


def is_root(user: str) -> bool:
    """Whether USER[:GROUP] is root; nobody is, too."""
    name = user.partition(":")[0]
    return name in ("", "root") or (name.isascii() and name.isdigit() and int(name[:20]) == 0)


def unlimited(resources: Resources, cgroups: str) -> list[str]:
    """What a client is told at create of the limits that a start will leave out; [] where none is, or it will be an error."""
    if not resources or cgroups == "disabled" or not user_config.limits_are_optional():
        return []
    from rootless.cgroup import limits, subtrees
    from rootless.cgroup.create import counts_by_namespace

    wanted = [one for one in limits.settings(to_oci(resources)) if not one.default]
    if counts_by_namespace():
        wanted = [one for one in wanted if one.limit != "pids-limit"]
    lacking = [limits.missing(wanted, subtree.controllers) for subtree in subtrees.search().subtrees] or [wanted]
    fewest = min(lacking, key=len)
    if not fewest:
        return []
    words = ", ".join(dict.fromkeys(one.asked_as for one in fewest))
    return [not_limited(f"{words} cannot be enforced").removeprefix("WARNING: ")]
