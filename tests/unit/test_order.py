"""In each package the names from top to bottom, files and packages alike: imports go down, to what is listed later.

A new file is added where its imports go down and those of it come from above. What is not listed yet is not checked.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "rootless"

# Packages that have an import cycle, or are still being made: each leaves this list for ORDER.
OPEN = {"build", "network/uplink", "runtime/launch", "storage", "storage/layers"}

ORDER = {
    "cgroup": "create join stats candidate systemd apply bus cgroupfs io_weights limits subtrees",
    "cli": "__main__ commands flags main terminal help output client_config command_table grammar",
    "cli/commands": "builder_prune completion exists inspect manifest prune registry system volume container image",
    "cli/commands/container":
        "attach commit cp create diff exec export healthcheck_run kill logs monitor_callbacks pause port ps rename "
        "restart rm start stats top unpause update wait run stop",
    "cli/commands/image": "bootstrap build history import_ load ls pull push rm save tag untag build_check",
    "cli/commands/manifest": "imagetools push local entry_flags",
    "cli/commands/registry": "login logout search",
    "cli/commands/system": "binfmt df doctor enable events info reset unshare version",
    "cli/commands/volume": "archive create ls rm",
    "cli/flags": "build_options build_request chosen container_options container_request filters limits network",
    "cli/grammar": "parser command refused suggest",
    "cli/help": "completion docs help click_commands completion_names",
    "cli/output": "for_each image_tree listing progress errors format units columns messages template",
    "cli/output/template":
        "template template_parser template_functions template_lexer template_printf template_values",
    "cli/terminal": "attachment confirm",
    "engine/doctor": "probes run_probes result scratch",
    "engine/doctor/probes": "container emulation host network storage user_namespace",
    "engine/emulation": "handlers install interpreters architectures",
    "engine/files": "changes copy given view mounts volumes copy_end copy_tree tar_stream hard_links entry",
    "engine/files/mounts": "container_root mounted_volumes mount_sources bind_sources mount_points",
    "engine/files/volumes": "archive copy_up volumes options",
    "engine/images": "imagetools lists logins pushing removal saving listing remote lookup platform repair similar",
    "engine/lifecycle":
        "bind_owners commit healthcheck kill prune reset update wait autostart create exec remove create_rules start "
        "stop volumes_from attach ipc monitor_options network pause socket_activation spec process_spec",
    "engine/lifecycle/attach": "exec_streams attach terminal",
    "engine/lifecycle/autostart": "autostart lingering crontab",
    "engine/options":
        "clock health names patterns resources signals userns zones mounts mount_keys values mount_config",
    "engine/state":
        "cgroup confinement logs processes pruned restart user_namespace resources unrecorded_exits events listing "
        "damaged health running config",
    "engine/state/events": "event_log consequences events",
    "engine/state/logs": "follow journal logs options files",
    "engine/views":
        "conditions container_filters info inspect stats system top container image version volume host_config types "
        "network_settings",
    "engine/views/types": "image imagetools system container host_config network gotypes",
    "image":
        "archive bootstrap transfer compress config decompress index progress trust registry run_config manifest "
        "platforms reference",
    "image/archive": "layout save load archive_reader import_tar instructions",
    "image/bootstrap": "bootstrap busybox_image distributions",
    "image/registry":
        "catalog upload blob_upload client transport authorization connection registries_conf auth_file challenge "
        "responses credential_helper",
    "image/transfer": "pull push_index copy push push_layer layer_blob new_image layers layer_stream workers",
    "image/trust": "policy signatures keys simple_signing",
    "linux":
        "binfmt_misc bpf capability filesystem host interface keyring landlock namespace netlink openat2 ptrace "
        "rlimit seccomp signals terminal mount process signal socket libc struct ctypes",
    "network": "etc uplink ports",
    "network/etc": "hosts resolv",
    "network/uplink/slirp4netns": "uplink start port_forward process diagnosis options",
    "oci": "commands main container terminal_relay cgroup config console state hooks log arguments",
    "oci/cgroup": "manager stats cgroupfs resources cgroup device_filter systemd",
    "oci/commands": "delete events exec features kill list ps resume run spec start state update create pause flags",
    "oci/config": "bundle config_schema config_linux defs validate",
    "oci/container":
        "create end forward_signals processes wait_for_exec init_config net_devices new_state pid_file init_callbacks "
        "mount_sources user_namespace",
    "runtime":
        "exec inside launch listen_fds child monitor mounts seccomp clone descriptors namespaces process mounting "
        "sync rootfs_path",
    "runtime/mounts":
        "plan bind devices mapped_tmpfs masks mount_parts notes build_mounts dev_steps idmap mount_options rootfs "
        "overlay steps copyup refusals",
    "runtime/process":
        "account init_program run_command scheduling sealed_exec terminal command credentials memfd capabilities "
        "landlock passwd",
    "runtime/seccomp": "profile compiler newer_calls socketcall",
    "session": "session start holder session_file connection ids diagnosis run_program",
    "session/ids": "mapping subids idmap",
    "storage/containers": "containers paused status restart",
    "storage/drivers": "shifted rootfs choose vfs probe",
    "storage/maintenance": "gc sweep usage",
    "storage/tar": "reader sparse header source",
}  # fmt: skip


def names(package: str) -> set[str]:
    here = ROOT / package
    files = {path.stem for path in here.glob("*.py")} - {"__init__"}
    return files | {path.parent.name for path in here.glob("*/__init__.py")}


def imported(path: Path) -> set[str]:
    """What the file imports of ours, wherever that stands, as slashed paths: a module, or a name in one."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("rootless.").replace(".", "/") for name in found if name.startswith("rootless.")}


@pytest.mark.parametrize("package", ORDER)
def test_imports_go_down(package: str) -> None:
    order = ORDER[package].split()
    assert len(order) == len(set(order))
    for position, name in enumerate(order):
        if name not in names(package):
            continue
        here = ROOT / package / name
        files = sorted(here.rglob("*.py")) if here.is_dir() else [here.with_suffix(".py")]
        for path in files:
            for target in imported(path):
                if target.startswith(f"{package}/"):
                    other = target.removeprefix(f"{package}/").partition("/")[0]
                    assert other not in order[:position], f"{path.relative_to(ROOT)} imports upwards: {target}"


def test_what_is_open_is_open() -> None:
    """A package that is left in OPEN though nothing is wrong with it any more."""
    assert all((ROOT / name / "__init__.py").exists() for name in OPEN)
    assert not set(ORDER) & OPEN
