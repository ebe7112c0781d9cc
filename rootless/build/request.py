"""What a user asked of a build: the words of `build`, parsed."""

from __future__ import annotations

from typing import IO, NamedTuple

from rootless.build.execute.run_config import Limits
from rootless.build.output.requested import Output
from rootless.build.remotecache.places import Place
from rootless.build.secrets import Secret
from rootless.build.ssh.sources import AgentSource


class BuildRequest(NamedTuple):
    """`context` is a directory, "-", or a URL; `file` the Dockerfile ("": found in the context, "-": stdin).

    `pull` is always, missing or never. `build_args` are complete: what came from the caller's environment is in
    them. `proxies` are predefined arguments that need no ARG.
    """

    context: str
    file: str = ""
    tags: list[str] = []
    build_args: dict[str, str] = {}
    contexts: dict[str, str] = {}
    target: str = ""
    labels: dict[str, str] = {}
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    pull: str = "missing"
    network: str = ""
    platforms: list[str] = []
    secrets: dict[str, Secret] = {}
    agents: dict[str, AgentSource] = {}
    ssh: dict[str, str] = {}  # their sockets, while the build goes on
    outputs: list[Output] = []
    iidfile: str = ""
    metadata_file: str = ""
    limits: Limits = Limits()
    ignore_file: str = ""
    annotations: list[str] = []
    explain: bool = False
    allow: frozenset[str] = frozenset()  # network.host, security.insecure
    jobs: int = 0  # steps at once; 0: as many as there are processors
    tls_verify: bool = True
    cache_from: list[Place] = []
    cache_to: list[Place] = []
    stdin: IO[bytes] | None = None  # what "-" means, where that is not our own
    all_times: bool = False  # SOURCE_DATE_EPOCH is the time of every new file, not the latest one
