"""The options that `run` and `create` share; container_request.py says what their words mean. Hot path."""

from __future__ import annotations

from rootless.cli.flags.limits import LIMITS
from rootless.cli.grammar.command import FLAG, LIST, VALUE, Option, choice, integer
from rootless.engine.options.health import ON_FAILURE
from rootless.engine.state.config import SDNOTIFY
from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _harmless(option: str, *words: str) -> Callable[[str], str]:
    """A `convert` for an option of Docker's that changes nothing here: the values that ask for what we do."""

    def convert(text: str) -> str:
        if text not in words:
            from rootless.cli.grammar import refused

            raise refused.value(option, text)
        return text

    return convert


def _seconds(text: str) -> int:
    number = integer(text)
    if not 0 <= number < 1 << 32:
        raise ValueError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return number


# fmt: off
OPTIONS: tuple[Option, ...] = (
    *LIMITS,
    Option(("--disable-content-trust",), "disable_content_trust", VALUE, implied="true", hidden=True,
           convert=_harmless("--disable-content-trust", "true", "1")),
    Option(("--isolation",), "isolation", VALUE, hidden=True, convert=_harmless("--isolation", "", "default")),
    Option(("--runtime",), "runtime", VALUE, hidden=True, convert=_harmless(
        "--runtime", "", "runc", "crun", "io.containerd.runc.v2", "rootless", "rootless-oci")),
    Option(("--volume-driver",), "volume_driver", VALUE, hidden=True, convert=_harmless("--volume-driver", "", "local")),
    Option(("--add-host",), "add_host", LIST, metavar="list", help="Add a custom host-to-IP mapping (host:ip)"),
    Option(("--annotation",), "annotation", LIST, metavar="map", help="Add an annotation to the container"),
    Option(("-a", "--attach"), "attach", LIST, metavar="list", help="Attach to STDIN, STDOUT or STDERR"),
    Option(("--cap-add",), "cap_add", LIST, metavar="list",
           help="Add Linux capabilities, rights over the container's own namespaces (e.g., NET_RAW, or ALL)"),
    Option(("--cap-drop",), "cap_drop", LIST, metavar="list", help="Drop Linux capabilities"),
    Option(("--cgroupns",), "cgroupns", VALUE, metavar="string", convert=choice("", "private", "host"),
           help="Cgroup namespace to use (host|private)", complete="host|private"),
    Option(("--cidfile",), "cidfile", VALUE, metavar="string", help="Write the container ID to the file", complete="file"),
    Option(("--detach-keys",), "detach_keys", VALUE, metavar="string", help="Override the key sequence for detaching a container"),
    Option(("--device",), "device", LIST, metavar="list", complete="file",
           help="Add a host device to the container: HOST[:CONTAINER][:rw], which you must be able to open yourself, or its name by "
                "CDI (vendor.com/class=name)"),
    Option(("--dns",), "dns", LIST, metavar="list", help="Set custom DNS servers"),
    Option(("--dns-option", "--dns-opt"), "dns_option", LIST, metavar="list", help="Set DNS options"),
    Option(("--dns-search",), "dns_search", LIST, metavar="list", help="Set custom DNS search domains"),
    Option(("--domainname",), "domainname", VALUE, metavar="string", default="", help="Container NIS domain name"),
    Option(("--emulate-ids",), "emulate_ids", VALUE, metavar="string", default="",
           help="Give users and groups to a container that has one id, by answering its system calls: "
                "full (ids and owners), ids, fake (success and no more), off, auto (the default: full where you have no subordinate ids)",
           complete="auto|fake|full|ids|off"),
    Option(("--entrypoint",), "entrypoint", VALUE, metavar="string", help="Overwrite the default ENTRYPOINT of the image"),
    Option(("-e", "--env"), "env", LIST, metavar="list", help="Set environment variables"),
    Option(("--env-file",), "env_file", LIST, metavar="list", help="Read in a file of environment variables", complete="file"),
    Option(("--expose",), "expose", LIST, metavar="list", help="Expose a port or a range of ports"),
    Option(("--gpus",), "gpus", LIST, metavar="gpu-request", complete="all",
           help="GPU devices to add to the container ('all' to pass all GPUs), as their CDI specification describes them"),
    Option(("--group-add",), "group_add", LIST, metavar="list", help="Add additional groups to join, or keep-groups: those of the caller"),
    Option(("--health-cmd",), "health_cmd", VALUE, metavar="string", help="Command to run to check health"),
    Option(("--health-interval",), "health_interval", VALUE, metavar="duration",
           help="Time between running the check (ms|s|m|h) (default 30s)"),
    Option(("--health-on-failure",), "health_on_failure", VALUE, metavar="string", default="none",
           convert=choice(*ON_FAILURE), complete="|".join(ON_FAILURE),
           help="What to do when a container becomes unhealthy (none|kill|restart|stop)"),
    Option(("--health-retries",), "health_retries", VALUE, metavar="int", convert=integer,
           help="Consecutive failures needed to report unhealthy (default 3)"),
    Option(("--health-start-interval",), "health_start_interval", VALUE, metavar="duration",
           help="Time between running the check during the start period (ms|s|m|h) (default 5s)"),
    Option(("--health-start-period",), "health_start_period", VALUE, metavar="duration",
           help="Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)"),
    Option(("--health-timeout",), "health_timeout", VALUE, metavar="duration",
           help="Maximum time to allow one check to run (ms|s|m|h) (default 30s)"),
    Option(("-h", "--hostname"), "hostname", VALUE, metavar="string", default="", help="Container host name"),
    Option(("--init",), "init", FLAG, help="Run an init inside the container that forwards signals and reaps processes"),
    Option(("-i", "--interactive"), "interactive", FLAG, help="Keep STDIN open even if not attached"),
    Option(("--ip",), "ip", VALUE, metavar="ip", default="", help="IPv4 address on the first network (e.g., 172.30.100.104)"),
    Option(("--ip6",), "ip6", VALUE, metavar="ip", default="", help="IPv6 address on the first network (e.g., 2001:db8::33)"),
    Option(("--ipc",), "ipc", VALUE, metavar="string", default="",
           help="IPC mode to use: private, shareable, host, none or container:NAME", complete="private|host|shareable|none"),
    Option(("-l", "--label"), "label", LIST, metavar="list", help="Set meta data on a container"),
    Option(("--label-file",), "label_file", LIST, metavar="list", help="Read in a line delimited file of labels", complete="file"),
    Option(("--link",), "link", LIST, metavar="list", complete="container",
           help="Add link to another container: NAME:ALIAS, a name for it on the first network"),
    Option(("--log-driver",), "log_driver", VALUE, metavar="string", default="json-file",
           help="Logging driver for the container", complete="json-file|local|none"),
    Option(("--log-opt",), "log_opt", LIST, metavar="list", help="Log driver options (max-size, max-file, labels, env, tag)"),
    Option(("--mac-address",), "mac_address", VALUE, metavar="string", default="",
           help="Container MAC address on the first network (e.g., 92:d0:c6:0a:29:33)"),
    Option(("--mount",), "mount", LIST, metavar="mount",
           help="Attach a filesystem mount to the container (e.g., type=bind,src=DIR,dst=/x,ro; type=volume, tmpfs or image)"),
    Option(("--name",), "name", VALUE, metavar="string", default="", help="Assign a name to the container"),
    Option(("--network", "--net"), "network", LIST, metavar="network",
           complete="network",
           help="Connect a container to a network: one of your own, which may be repeated, or bridge, none, host, "
                'slirp4netns[:OPTIONS], pasta[:OPTIONS], container:NAME (default "bridge")'),
    Option(("--network-alias", "--net-alias"), "network_alias", LIST, metavar="list",
           help="Add network-scoped alias for the container on its first network"),
    Option(("--no-healthcheck",), "no_healthcheck", FLAG, help="Disable any container-specified HEALTHCHECK"),
    Option(("--oom-score-adj",), "oom_score_adj", VALUE, metavar="int", convert=integer,
           help="Tune host's OOM preferences (-1000 to 1000)"),
    Option(("--pid",), "pid", VALUE, metavar="string", default="",
           help="PID namespace to use: host (it sees your processes) or container:NAME", complete="host|container:"),
    Option(("--platform",), "platform", VALUE, metavar="string", default="", help="Set platform if server is multi-platform capable"),
    Option(("--pod",), "pod", VALUE, metavar="string", default="", complete="pod",
           help="Run the container in an existing pod; new:NAME makes one"),
    Option(("--pod-id-file",), "pod_id_file", VALUE, metavar="file", default="", complete="file",
           help="Run the container in the pod whose ID is in the file"),
    Option(("--privileged",), "privileged", FLAG, help="Give all that the user namespace can give to this container"),
    Option(("-p", "--publish"), "publish", LIST, metavar="list",
           help="Publish a container's port(s) to the host: [IP:]HOST:CONTAINER. Without IP everybody on the network can "
                "connect; 127.0.0.1:8080:80 keeps it on this machine"),
    Option(("-P", "--publish-all"), "publish_all", FLAG, help="Publish all exposed ports to random ports"),
    Option(("--pull",), "pull", VALUE, metavar="string", default="missing", convert=choice("always", "missing", "never"),
           help='Pull image before running ("always", "missing", "never")', complete="always|missing|never"),
    Option(("-q", "--quiet"), "quiet", FLAG, help="Suppress the pull output"),
    Option(("--read-only",), "read_only", FLAG, help="Mount the container's root filesystem as read only"),
    Option(("--replace",), "replace", FLAG, help="Remove a container of the same name first, also one that runs"),
    Option(("--restart",), "restart", VALUE, metavar="string", default="no", complete="no|on-failure|always|unless-stopped",
           help="Restart policy to apply when a container exits (no, on-failure[:max-retries], always, unless-stopped)"),
    Option(("--rm",), "rm", FLAG, help="Automatically remove the container and its associated anonymous volumes when it exits"),
    Option(("--rootfs",), "rootfs", FLAG, help="The first argument is a directory to use as the root, not an image"),
    Option(("--sdnotify",), "sdnotify", VALUE, metavar="string", default="conmon", convert=choice(*SDNOTIFY),
           complete="|".join(SDNOTIFY),
           help="Who tells systemd that it is ready: conmon (rootless, when it runs), container (its own program), ignore (nobody)"),
    Option(("--security-opt",), "security_opt", LIST, metavar="list",
           help="Security options: no-new-privileges=false, seccomp=PROFILE.json or unconfined, label=..., apparmor=..., mask=..."),
    Option(("--shm-size",), "shm_size", VALUE, metavar="bytes", help="Size of /dev/shm (default 64m)"),
    Option(("--stop-signal",), "stop_signal", VALUE, metavar="string", default="", help="Signal to stop the container"),
    Option(("--stop-timeout",), "stop_timeout", VALUE, metavar="int", convert=integer, help="Timeout (in seconds) to stop a container"),
    Option(("--sysctl",), "sysctl", LIST, metavar="map", help="Sysctl options"),
    Option(("--timeout",), "timeout", VALUE, metavar="uint", default=0, convert=_seconds,
           help="Seconds that the container may run: then it is killed (0: as long as it likes)"),
    Option(("--tmpfs",), "tmpfs", LIST, metavar="list",
           help="Mount a tmpfs directory: files in memory, gone with the container (e.g., /tmp:size=64m)"),
    Option(("-t", "--tty"), "tty", FLAG, help="Allocate a pseudo-TTY"),
    Option(("--tz",), "tz", VALUE, metavar="string", default="",
           help='Time zone in the container: "local" for this machine\'s, or a name such as Europe/Berlin'),
    Option(("--ulimit",), "ulimit", LIST, metavar="ulimit", help="Ulimit options"),
    Option(("--umask",), "umask", VALUE, metavar="string", default="", help="Set the umask in the container (octal)"),
    Option(("-u", "--user"), "user", VALUE, metavar="string", default="",
           help="Username or UID (format: <name|uid>[:<group|gid>]); with --userns keep-id and -u $(id -u) files it writes are yours"),
    Option(("--userns",), "userns", VALUE, metavar="string", default="",
           help="User namespace to use: keep-id (your own id inside, for -u), auto (ids of its own), nomap, host",
           complete="auto|host|keep-id|nomap"),
    Option(("--uts",), "uts", VALUE, metavar="string", default="", help="UTS namespace to use", complete="host"),
    Option(("-v", "--volume"), "volume", LIST, metavar="list", complete="mount",
           help="Bind mount a directory, HOST:CONTAINER[:ro], made where it is missing; NAME:CONTAINER is a volume. "
                "The option U gives it to the container's user, with all that is in it"),
    Option(("--volumes-from",), "volumes_from", LIST, metavar="list", complete="container",
           help="Mount volumes from the specified container(s)"),
    Option(("-w", "--workdir"), "workdir", VALUE, metavar="string", default="", help="Working directory inside the container"),
)
# fmt: on
