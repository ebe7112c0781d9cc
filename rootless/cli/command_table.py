"""Every command's name, module and one-line summary: what `--help` and dispatch need, and no more.

A module is imported only when its command runs; it holds the command as COMMAND, or under the name
after a colon. The first path is the one in the list of help; the others are the same command. Hot path.
"""

from __future__ import annotations

from rootless.cli.grammar.command import FLAG, VALUE, Option
from rootless.record import TYPE_CHECKING, Record

if TYPE_CHECKING:
    from typing import Any

    from rootless.cli.grammar.command import Command


class CommandEntry(Record):
    paths: tuple[str, ...]
    module: str
    summary: str
    common: bool = False

    @property
    def name(self) -> str:
        return self.paths[0]


LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")

GLOBAL_OPTIONS = (
    Option(("--config",), "config", VALUE, metavar="string", complete="directory",
           help="Location of client config files (default $DOCKER_CONFIG, or ~/.docker)"),
    Option(("-c", "--context"), "context", VALUE, metavar="string", hidden=True),
    Option(("-D", "--debug"), "debug", FLAG, help="Show tracebacks and what is being done"),
    Option(("-l", "--log-level"), "log_level", VALUE, metavar="string", complete="|".join(LOG_LEVELS),
           help='Set the logging level ("debug", "info", "warn", "error", "fatal") (default "info")'),
    Option(("--root",), "root", VALUE, metavar="string", complete="directory",
           help="Where images, containers and volumes are kept (default $ROOTLESS_ROOT, "
                "or ~/.local/share/rootless)"),
    Option(("-v", "--version"), "version", FLAG, help="Print version information and quit"),
)  # fmt: skip

NOUNS = {
    "helpers": "Programs that rootless starts, without an administrator",
    "binfmt": "Run programs of other architectures",
    "builder": "Manage builds",
    "buildx": "Build with what docker buildx knows",
    "buildx imagetools": "Commands to work on images in registry",
    "compose": "Define and run multi-container applications",
    "container": "Manage containers",
    "generate": "Write files of containers",
    "healthcheck": "Manage health checks",
    "image": "Manage images",
    "kube": "Pods of Kubernetes YAML, and YAML of containers",
    "manifest": "Manage Docker image manifests and manifest lists",
    "network": "Manage networks",
    "play": "Make pods of files",
    "pod": "Manage pods",
    "system": "Manage rootless",
    "volume": "Manage volumes",
}

NOUN_OPTIONS = {"compose": "rootless.cli.flags.compose"}
"""Nouns with options of their own, before the command: the module that has them as OPTIONS, and takes them off the words."""

# fmt: off
COMMANDS: tuple[CommandEntry, ...] = (
    CommandEntry(("run", "container run"), "container.run", "Create and run a new container from an image", common=True),
    CommandEntry(("exec", "container exec"), "container.exec", "Execute a command in a running container", common=True),
    CommandEntry(("ps", "container ls", "container list", "container ps"), "container.ps", "List containers", common=True),
    CommandEntry(("pull", "image pull"), "image.pull", "Download an image from a registry", common=True),
    CommandEntry(("push", "image push"), "image.push", "Upload an image to a registry", common=True),
    CommandEntry(("build", "image build", "buildx build", "buildx b", "builder build"), "image.build",
          "Build an image from a Dockerfile", common=True),
    CommandEntry(("images", "image ls", "image list"), "image.ls", "List images", common=True),
    CommandEntry(("bootstrap", "image bootstrap"), "image.bootstrap", "Make an image from a distribution's packages", common=True),
    CommandEntry(("doctor", "system doctor"), "system.doctor", "Check what this machine supports, and who can fix the rest", common=True),
    CommandEntry(("login",), "registry.login", "Authenticate to a registry", common=True),
    CommandEntry(("logout",), "registry.logout", "Log out from a registry", common=True),
    CommandEntry(("version",), "system.version", "Show the rootless version information", common=True),
    CommandEntry(("info", "system info"), "system.info", "Display system-wide information", common=True),
    CommandEntry(("attach", "container attach"), "container.attach",
          "Attach local standard input, output, and error streams to a running container"),
    CommandEntry(("commit", "container commit"), "container.commit", "Create a new image from a container's changes"),
    CommandEntry(("cp", "container cp"), "container.cp", "Copy files/folders between a container and the local filesystem"),
    CommandEntry(("create", "container create"), "container.create", "Create a new container"),
    CommandEntry(("diff", "container diff"), "container.diff",
          "Inspect changes to files or directories on a container's filesystem"),
    CommandEntry(("disable",), "system.enable:DISABLE", "Do not start containers at boot any more"),
    CommandEntry(("enable",), "system.enable:ENABLE", "Start containers at boot"),
    CommandEntry(("events", "system events"), "system.events", "Get real time events from containers, images and volumes"),
    CommandEntry(("export", "container export"), "container.export", "Export a container's filesystem as a tar archive"),
    CommandEntry(("healthcheck run",), "container.healthcheck_run", "Run the health check of a container"),
    CommandEntry(("history", "image history"), "image.history", "Show the history of an image"),
    CommandEntry(("import", "image import"), "image.import_",
          "Import the contents from a tarball to create a filesystem image"),
    CommandEntry(("inspect",), "inspect", "Return low-level information on containers, images, networks and volumes"),
    CommandEntry(("container inspect",), "inspect:CONTAINER", "Display detailed information on one or more containers"),
    CommandEntry(("image inspect",), "inspect:IMAGE", "Display detailed information on one or more images"),
    CommandEntry(("kill", "container kill"), "container.kill", "Kill one or more running containers"),
    CommandEntry(("load", "image load"), "image.load", "Load an image from a tar archive or STDIN"),
    CommandEntry(("logs", "container logs"), "container.logs", "Fetch the logs of a container"),
    CommandEntry(("pause", "container pause"), "container.pause", "Pause all processes within one or more containers"),
    CommandEntry(("port", "container port"), "container.port",
          "List port mappings or a specific mapping for the container"),
    CommandEntry(("rename", "container rename"), "container.rename", "Rename a container"),
    CommandEntry(("restart", "container restart"), "container.restart", "Restart one or more containers"),
    CommandEntry(("rm", "container rm", "container remove"), "container.rm", "Remove one or more containers"),
    CommandEntry(("rmi", "image rm", "image remove"), "image.rm", "Remove one or more images"),
    CommandEntry(("save", "image save"), "image.save",
          "Save one or more images to a tar archive (streamed to STDOUT by default)"),
    CommandEntry(("search",), "registry.search", "Search a registry for images"),
    CommandEntry(("srun",), "system.srun", "Run the tasks of a step of a Slurm job in containers"),
    CommandEntry(("start", "container start"), "container.start", "Start one or more stopped containers"),
    CommandEntry(("stats", "container stats"), "container.stats",
          "Display a live stream of container(s) resource usage statistics"),
    CommandEntry(("stop", "container stop"), "container.stop", "Stop one or more running containers"),
    CommandEntry(("image publish",), "image.publish", "Publish images in a directory, for other users and machines to run from"),
    CommandEntry(("image pack",), "image.pack", "Pack a directory (a conda or venv environment) into one squashfs file"),
    CommandEntry(("tag", "image tag"), "image.tag", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE"),
    CommandEntry(("top", "container top"), "container.top", "Display the running processes of a container"),
    CommandEntry(("unpause", "container unpause"), "container.unpause", "Unpause all processes within one or more containers"),
    CommandEntry(("unshare",), "system.unshare", "Run a command in the user namespace of your containers"),
    CommandEntry(("update", "container update"), "container.update", "Update configuration of one or more containers"),
    CommandEntry(("wait", "container wait"), "container.wait",
          "Block until one or more containers stop, then print their exit codes"),
    CommandEntry(("container prune",), "prune:CONTAINER", "Remove all stopped containers"),
    CommandEntry(("image prune",), "prune:IMAGE", "Remove unused images"),
    CommandEntry(("manifest add",), "manifest.local:ADD", "Add images to a manifest list"),
    CommandEntry(("manifest annotate",), "manifest.local:ANNOTATE", "Add additional information to a local image manifest"),
    CommandEntry(("manifest create",), "manifest.local:CREATE",
                 "Create a local manifest list for annotating and pushing to a registry"),
    CommandEntry(("manifest exists",), "manifest.local:EXISTS", "Check if a manifest list exists"),
    CommandEntry(("manifest inspect",), "manifest.push:INSPECT", "Display an image manifest, or manifest list"),
    CommandEntry(("manifest push",), "manifest.push:PUSH", "Push a manifest list to a repository"),
    CommandEntry(("manifest remove",), "manifest.local:REMOVE", "Remove an item from a manifest list"),
    CommandEntry(("manifest rm",), "manifest.local:RM", "Delete one or more manifest lists from local storage"),
    CommandEntry(("buildx imagetools create",), "manifest.imagetools:CREATE", "Create a new image based on source images"),
    CommandEntry(("buildx imagetools inspect",), "manifest.imagetools:INSPECT", "Show details of an image in the registry"),
    CommandEntry(("untag", "image untag"), "image.untag", "Remove one or more names from a locally-stored image"),
    CommandEntry(("container exists",), "exists:CONTAINER", "Check if a container exists"),
    CommandEntry(("image exists",), "exists:IMAGE", "Check if an image exists"),
    CommandEntry(("volume exists",), "exists:VOLUME", "Check if a volume exists"),
    CommandEntry(("network connect",), "network.connect:CONNECT", "Connect a container to a network"),
    CommandEntry(("network disconnect",), "network.connect:DISCONNECT", "Disconnect a container from a network"),
    CommandEntry(("network create",), "network.create", "Create a network"),
    CommandEntry(("network exists",), "exists:NETWORK", "Check if a network exists"),
    CommandEntry(("network inspect",), "inspect:NETWORK", "Display detailed information on one or more networks"),
    CommandEntry(("network ls", "network list"), "network.ls", "List networks"),
    CommandEntry(("network prune",), "network.prune", "Remove all unused networks"),
    CommandEntry(("network rm", "network remove"), "network.rm", "Remove one or more networks"),
    CommandEntry(("kube down",), "kube.play:DOWN", "Remove the pods that kube play has made of a file"),
    CommandEntry(("kube generate", "generate kube"), "kube.generate", "Generate Kubernetes YAML of containers, pods or a compose project"),
    CommandEntry(("kube play", "play kube"), "kube.play:PLAY", "Make pods and containers of Kubernetes YAML"),
    CommandEntry(("pod create",), "pod.create", "Create a new empty pod"),
    CommandEntry(("pod exists",), "exists:POD", "Check if a pod exists"),
    CommandEntry(("pod inspect",), "pod.inspect", "Display a pod's configuration and state"),
    CommandEntry(("pod kill",), "pod.verbs:KILL", "Send the specified signal or SIGKILL to containers in pod"),
    CommandEntry(("pod logs",), "pod.look:LOGS", "Fetch logs for pod with one or more containers"),
    CommandEntry(("pod pause",), "pod.verbs:PAUSE", "Pause one or more pods"),
    CommandEntry(("pod prune",), "pod.rm:PRUNE", "Remove all stopped pods and their containers"),
    CommandEntry(("pod ps", "pod ls", "pod list"), "pod.ps", "List pods"),
    CommandEntry(("pod restart",), "pod.verbs:RESTART", "Restart one or more pods"),
    CommandEntry(("pod rm",), "pod.rm", "Remove one or more pods"),
    CommandEntry(("pod start",), "pod.verbs:START", "Start one or more pods"),
    CommandEntry(("pod stats",), "pod.look:STATS", "Display a live stream of resource usage statistics for the containers in pods"),
    CommandEntry(("pod stop",), "pod.verbs:STOP", "Stop one or more pods"),
    CommandEntry(("pod top",), "pod.look:TOP", "Display the running processes of containers in a pod"),
    CommandEntry(("pod unpause",), "pod.verbs:UNPAUSE", "Unpause one or more pods"),
    CommandEntry(("volume create",), "volume.create", "Create a volume"),
    CommandEntry(("volume export",), "volume.archive:EXPORT", "Export a volume's files as a tar archive"),
    CommandEntry(("volume import",), "volume.archive:IMPORT", "Put the files of a tar archive into a volume"),
    CommandEntry(("volume inspect",), "inspect:VOLUME", "Display detailed information on one or more volumes"),
    CommandEntry(("volume ls", "volume list"), "volume.ls", "List volumes"),
    CommandEntry(("volume prune",), "prune:VOLUME", "Remove unused local volumes"),
    CommandEntry(("volume rm", "volume remove"), "volume.rm", "Remove one or more volumes"),
    CommandEntry(("system df",), "system.df", "Show disk usage"),
    CommandEntry(("system prune",), "prune:SYSTEM", "Remove stopped containers, untagged images and unneeded downloads"),
    CommandEntry(("console",), "console", "Look at containers in a browser"),
    CommandEntry(("system dial-stdio",), "system.service:DIAL", "Proxy the stdio stream to the service's socket"),
    CommandEntry(("system service",), "system.service", "Serve the Docker Engine API on a Unix socket"),
    CommandEntry(("system shims",), "system.shims", "Make docker, podman or docker-compose mean rootless"),
    CommandEntry(("system reset",), "system.reset", "Remove all containers, images, volumes and the session"),
    CommandEntry(("helpers install",), "system.host_programs:INSTALL", "Get programs that this machine lacks into your home"),
    CommandEntry(("helpers ls", "helpers list"), "system.host_programs:LS", "List the programs that rootless starts, and where each is"),
    CommandEntry(("helpers rm", "helpers remove"), "system.host_programs:RM", "Remove installed helpers"),
    CommandEntry(("binfmt install",), "system.binfmt:INSTALL", "Get qemu-user for other architectures into your home"),
    CommandEntry(("binfmt ls", "binfmt list"), "system.binfmt:LS", "List architectures and what runs their programs"),
    CommandEntry(("binfmt rm", "binfmt remove"), "system.binfmt:RM", "Remove installed interpreters"),
    CommandEntry(("builder prune", "buildx prune"), "builder_prune", "Remove build cache"),
    CommandEntry(("buildx inspect",), "buildx:INSPECT", "Inspect the current builder"),
    CommandEntry(("buildx ls",), "buildx:LS", "List builders"),
    CommandEntry(("buildx version",), "buildx:VERSION", "Show the buildx whose words build has"),
    CommandEntry(("compose attach",), "compose.one:ATTACH",
          "Attach local standard input, output, and error streams to a service's running container"),
    CommandEntry(("compose build",), "compose.images:BUILD", "Build or rebuild services"),
    CommandEntry(("compose commit",), "compose.one:COMMIT", "Create a new image from a service container's changes"),
    CommandEntry(("compose config", "compose convert"), "compose.config", "Parse, resolve and render compose file in canonical format"),
    CommandEntry(("compose cp",), "compose.one:CP", "Copy files/folders between a service container and the local filesystem"),
    CommandEntry(("compose create",), "compose.create", "Creates containers for a service"),
    CommandEntry(("compose down",), "compose.down", "Stop and remove containers, networks"),
    CommandEntry(("compose events",), "compose.follow:EVENTS", "Receive real time events from containers"),
    CommandEntry(("compose exec",), "compose.one:EXEC_COMMAND", "Execute a command in a running container"),
    CommandEntry(("compose export",), "compose.one:EXPORT", "Export a service container's filesystem as a tar archive"),
    CommandEntry(("compose images",), "compose.images:IMAGES", "List images used by the created containers"),
    CommandEntry(("compose kill",), "compose.verbs:KILL", "Force stop service containers"),
    CommandEntry(("compose logs",), "compose.logs", "View output from containers"),
    CommandEntry(("compose ls",), "compose.look:LS", "List running compose projects"),
    CommandEntry(("compose pause",), "compose.verbs:PAUSE", "Pause services"),
    CommandEntry(("compose port",), "compose.one:PORT", "Print the public port for a port binding"),
    CommandEntry(("compose ps",), "compose.ps", "List containers"),
    CommandEntry(("compose pull",), "compose.images:PULL", "Pull service images"),
    CommandEntry(("compose push",), "compose.images:PUSH", "Push service images"),
    CommandEntry(("compose restart",), "compose.verbs:RESTART", "Restart service containers"),
    CommandEntry(("compose rm",), "compose.verbs:RM", "Removes stopped service containers"),
    CommandEntry(("compose run",), "compose.run", "Run a one-off command on a service"),
    CommandEntry(("compose scale",), "compose.create:SCALE", "Scale services"),
    CommandEntry(("compose start",), "compose.verbs:START", "Start services"),
    CommandEntry(("compose stats",), "compose.look:STATS", "Display a live stream of container(s) resource usage statistics"),
    CommandEntry(("compose stop",), "compose.verbs:STOP", "Stop services"),
    CommandEntry(("compose top",), "compose.look:TOP", "Display the running processes"),
    CommandEntry(("compose unpause",), "compose.verbs:UNPAUSE", "Unpause services"),
    CommandEntry(("compose up",), "compose.up", "Create and start containers"),
    CommandEntry(("compose version",), "compose.look:VERSION", "Show the Docker Compose version whose words these are"),
    CommandEntry(("compose volumes",), "compose.look:VOLUMES", "List volumes"),
    CommandEntry(("compose wait",), "compose.follow:WAIT", "Block until containers of all (or specified) services stop"),
    CommandEntry(("compose watch",), "compose.watch",
          "Watch build context for service and rebuild/refresh containers when files are updated"),
    CommandEntry(("completion",), "completion", "Generate the completion script for bash, zsh or fish"),
)
# fmt: on

# What the monitor runs; no help, no completion.
_SUPERVISED = (
    CommandEntry(("container after-exit",), "container.monitor_callbacks:AFTER_EXIT", "Decide on a restart (run by the monitor)"),
    CommandEntry(("container leave-pod",), "container.monitor_callbacks:LEAVE_POD",
                 "See to a pod that is stopped with its last container (run by the monitor)"),
    CommandEntry(("container leave-shared",), "container.monitor_callbacks:LEAVE_SHARED",
                 "See to a shared container that has ended (run by the monitor)"),
    CommandEntry(("container start-again",), "container.monitor_callbacks:START_AGAIN", "Restart by policy (run by the monitor)"),
    CommandEntry(("container health-check",), "container.monitor_callbacks:HEALTH_CHECK", "Run a health check (run by the monitor)"),
    CommandEntry(("container repair-network",), "container.monitor_callbacks:REPAIR_NETWORK", "Repair a network (run by the monitor)"),
    CommandEntry(("container start-with-machine",), "system.enable:START", "Start by policy (run at boot)"),
    CommandEntry(("container stop-with-machine",), "system.enable:STOP", "Stop until boot (run at shutdown)"),
    CommandEntry(("compose start-with-machine",), "compose.machine:START", "Start by policy (run at boot)"),
    CommandEntry(("compose stop-with-machine",), "compose.machine:STOP", "Stop until boot (run at shutdown)"),
)

BY_PATH: dict[str, CommandEntry] = {path: entry for entry in COMMANDS for path in entry.paths}
HIDDEN: dict[str, CommandEntry] = {entry.name: entry for entry in _SUPERVISED}


def load(entry: CommandEntry) -> Command:
    """The entry's command, its module imported now."""
    import sys

    module, _, attribute = entry.module.partition(":")
    name = "rootless.cli.commands." + module
    __import__(name)
    command: Command = getattr(sys.modules[name], attribute or "COMMAND")
    return command


def options_of(noun: str) -> Any:
    """The module that has the noun's options, imported now."""
    import sys

    __import__(NOUN_OPTIONS[noun])
    return sys.modules[NOUN_OPTIONS[noun]]
