"""The options of `build`; build_request.py says what their words mean."""

from __future__ import annotations

from rootless.cli.flags.limits import CHANGEABLE
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Option, choice, integer

_FORMS = "auto|plain|tty|quiet|rawjson"

# fmt: off
_WITHOUT_EFFECT: tuple[Option, ...] = (
    # Of builders with a daemon, of Docker's older builder, and of Buildah: what they ask for is so anyway, or
    # nothing that could be so.
    Option(("--builder",), "builder", VALUE, hidden=True),
    Option(("--compress",), "compress", FLAG, hidden=True),
    Option(("--disable-content-trust",), "disable_content_trust", FLAG, default=True, hidden=True),
    Option(("--force-rm",), "force_rm", FLAG, hidden=True),
    Option(("--format",), "format", VALUE, hidden=True, convert=choice("oci", "docker")),
    Option(("--inherit-labels",), "inherit_labels", FLAG, default=True, hidden=True),
    Option(("--isolation",), "isolation", VALUE, hidden=True, convert=choice("", "default", "oci", "rootless")),
    Option(("--layers",), "layers", FLAG, default=True, hidden=True),
    Option(("--retry",), "retry", VALUE, hidden=True, convert=integer),
    Option(("--retry-delay",), "retry_delay", VALUE, hidden=True),
    Option(("--rm",), "rm", FLAG, default=True, hidden=True),
    Option(("--skip-unused-stages",), "skip_unused_stages", FLAG, default=True, hidden=True),
    Option(("--stdin",), "stdin", FLAG, hidden=True),
)

OPTIONS: tuple[Option, ...] = (
    *(option for option in CHANGEABLE if option.dest != "memory_swappiness"),
    *_WITHOUT_EFFECT,
    Option(("--add-host",), "add_host", LIST, metavar="strings", help="Add a custom host-to-IP mapping (host:ip)"),
    Option(("--allow",), "allow", LIST, metavar="strings", complete="network.host|security.insecure",
           help="Allow what a Dockerfile may not ask for by itself (network.host)"),
    Option(("--annotation",), "annotation", LIST, metavar="list", help="Add annotation to the image"),
    Option(("--attest",), "attest", LIST, metavar="list", hidden=True),
    Option(("--build-arg",), "build_arg", LIST, metavar="list",
           help="Set build-time variables; without a value, the caller's"),
    Option(("--build-arg-file",), "build_arg_file", LIST, metavar="file", complete="file",
           help="Read build-time variables from a file"),
    Option(("--build-context",), "build_context", LIST, metavar="list",
           help="Additional build contexts (name=path, docker-image://, oci-layout://, a URL)"),
    Option(("--cache-from",), "cache_from", LIST, metavar="list", help="External cache sources (user/app:cache, type=local,src=DIRECTORY)"),
    Option(("--cache-to",), "cache_to", LIST, metavar="list", help="Cache export destinations (user/app:cache, type=local,dest=DIRECTORY)"),
    Option(("--call",), "call", VALUE, metavar="string", default="build", complete="build|check|outline|targets",
           help="Set method for evaluating build (check, outline, targets)"),
    Option(("--cap-add",), "cap_add", LIST, metavar="list", help="Add Linux capabilities to RUN"),
    Option(("--cap-drop",), "cap_drop", LIST, metavar="list", help="Drop Linux capabilities from RUN"),
    Option(("--cgroup-parent",), "cgroup_parent", VALUE, metavar="string", default="",
           help="Parent cgroup for the containers of RUN"),
    Option(("--check",), "check", FLAG, help="Check the Dockerfile and build nothing (--call=check)"),
    Option(("-D", "--debug"), "debug", FLAG, hidden=True),
    Option(("--dns",), "dns", LIST, metavar="list", help="Set custom DNS servers"),
    Option(("--dns-option", "--dns-opt"), "dns_option", LIST, metavar="list", help="Set DNS options"),
    Option(("--dns-search",), "dns_search", LIST, metavar="list", help="Set custom DNS search domains"),
    Option(("--explain-cache",), "explain_cache", FLAG, help="Say of each step that is done why it was not in the cache"),
    Option(("-f", "--file"), "file", VALUE, metavar="string", default="", complete="file",
           help="Name of the Dockerfile (default PATH/Dockerfile; - reads it from stdin)"),
    Option(("--ignorefile",), "ignorefile", VALUE, metavar="file", default="", complete="file",
           help="Name of the file in place of .dockerignore"),
    Option(("--iidfile",), "iidfile", VALUE, metavar="string", default="", complete="file", help="Write the image ID to a file"),
    Option(("--jobs",), "jobs", VALUE, metavar="int", convert=integer, help="How many steps are done at once (default: one a CPU)"),
    Option(("--label",), "label", LIST, metavar="list", help="Set metadata for an image"),
    Option(("--load",), "load", FLAG, help="Shorthand for --output=type=docker: the image goes to the store, as it does anyway"),
    Option(("--metadata-file",), "metadata_file", VALUE, metavar="string", default="", complete="file",
           help="Write build result metadata to a file"),
    Option(("--network",), "network", VALUE, metavar="string", default="default",
           complete="default|none|host", help="Set the networking mode for RUN: default, none, host"),
    Option(("--no-cache",), "no_cache", FLAG, help="Do not use cache when building the image"),
    Option(("--no-cache-filter",), "no_cache_filter", LIST, metavar="stages", help="Do not cache specified stages"),
    Option(("-o", "--output"), "output", LIST, metavar="list", help="Output destination (format: type=local,dest=path)"),
    Option(("--platform",), "platform", LIST, metavar="list", complete="linux/amd64|linux/arm64|linux/arm/v7",
           help="Set target platform for build"),
    Option(("--progress",), "progress", VALUE, metavar="string", default="", complete=_FORMS,
           help="Set type of progress output (auto, plain, tty, quiet, rawjson); default $BUILDKIT_PROGRESS, or auto"),
    Option(("--provenance",), "provenance", VALUE, metavar="string", implied="true", hidden=True),
    Option(("--pull",), "pull", VALUE, metavar="policy", implied="always",
           complete="always|missing|never|newer", help="Always attempt to pull all referenced images"),
    Option(("--push",), "push", FLAG, help="Shorthand for --output=type=registry: push the image when it is built"),
    Option(("-q", "--quiet"), "quiet", FLAG, help="Suppress the build output and print image ID on success"),
    Option(("--sbom",), "sbom", VALUE, metavar="string", implied="true", hidden=True),
    Option(("--secret",), "secret", LIST, metavar="list", help="Secret to expose to the build (id=NAME[,src=FILE][,env=NAME])"),
    Option(("--security-opt",), "security_opt", LIST, metavar="list", hidden=True),
    Option(("--shm-size",), "shm_size", VALUE, metavar="bytes", help="Shared memory size for RUN (default 64m)"),
    Option(("--squash",), "squash", FLAG, hidden=True),
    Option(("--ssh",), "ssh", LIST, metavar="list", help="SSH agent socket to expose to the build (default|<id>[=<socket>])"),
    Option(("-t", "--tag"), "tag", LIST, metavar="list", help="Name and optionally a tag (format: name:tag)"),
    Option(("--target",), "target", VALUE, metavar="string", default="", help="Set the target build stage to build"),
    Option(("--tls-verify",), "tls_verify", FLAG, default=True,
           help="Require https with a valid certificate; false allows plain http"),
    Option(("--ulimit",), "ulimit", LIST, metavar="ulimit", help="Ulimit options of RUN"),
)
# fmt: on
