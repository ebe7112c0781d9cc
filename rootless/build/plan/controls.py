"""Build arguments that speak to the builder: BUILDKIT_..., and SOURCE_DATE_EPOCH."""

from __future__ import annotations

from rootless.build.dockerfile.quantities import truth
from rootless.record import Record


class Controls(Record):
    """As frontend/dockerui reads them; what is unset has the builder's default."""

    syntax: str = ""
    inline_cache: bool = False
    multi_platform: bool | None = None
    cache_mount_namespace: str = ""
    keep_git_dir: bool = False
    hostname: str = "buildkitsandbox"
    build_name: str = ""
    check: str | None = None


def controls(build_args: dict[str, str]) -> Controls:
    """Those among the build arguments."""
    given = {
        name.removeprefix("BUILDKIT_"): value
        for name, value in build_args.items()
        if name.startswith("BUILDKIT_")
    }
    multi = given.get("MULTI_PLATFORM")
    return Controls(
        syntax=given.get("SYNTAX", ""),
        inline_cache=bool(truth(given.get("INLINE_CACHE", ""))),
        multi_platform=None if multi is None else truth(multi),
        cache_mount_namespace=given.get("CACHE_MOUNT_NS", ""),
        keep_git_dir=bool(truth(given.get("CONTEXT_KEEP_GIT_DIR", ""))),
        hostname=given.get("SANDBOX_HOSTNAME") or "buildkitsandbox",
        build_name=given.get("BUILD_NAME", ""),
        check=given.get("DOCKERFILE_CHECK"),
    )
