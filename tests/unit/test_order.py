"""In each package the names from top to bottom, files and packages alike: imports go down, to what is listed later.

A new file is added where its imports go down and those of it come from above.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2] / "rootless"

ORDER = {
    "api": "install dial_stdio service server routes answer request http own_socket words versions",
    "api/answer": "disk_usage containers images volumes frames errors",
    "api/http": "exchange answers head limits",
    "api/request": "container host_config networking mounts security resources registry fields query filters",
    "api/routes":
        "table absent archive attach build build_image commit containers distribution exec_instances files grpc images lifecycle "
        "networks projects streams system volumes found websocket hijacked progress tar_bodies route",
    "api/server": "front zygote worker pool listener wire ends",
    "build":
        "answer build coordinator worker_pool asked entitlements executor emulation planning base_images several outputs targets "
        "source_trees contexts definition failure request output remotecache execute copy secrets ssh csv_words stage_state cache "
        "context plan dockerfile progress",
    "build/cache": "explain upkeep digests prune usage fetched mounts records in_use keys",
    "build/context":
        "fetch archive git submodules git_program http kept walk source_tree file_hashes digest_table ignore glob",
    "build/copy": "step remote writer destination entries mode owner select",
    "build/dockerfile":
        "parse lexer directives lint parse_config parse_files heredocs expand parse_run mounts parsing flags instructions patterns "
        "quantities suggest words error",
    "build/dockerfile/lint": "casing linter rules",
    "build/execute":
        "copy diff_id run run_config run_mounts seed stage_root tree workdir finish copied_root engine_files workers",
    "build/output": "annotations files image layout requested results",
    "build/plan":
        "render_calls calls together whole stage copies runs config_edits history ports state graph bases controls epoch contexts "
        "names remote git_url scope request steps image_config sources",
    "build/progress": "choose plain log_text rawjson tty vertices",
    "build/remotecache": "export imported sources layout_directory document places",
    "build/ssh": "sources agent keys",
    "cgroup": "create join stats candidate systemd apply bus cgroupfs io_weights limits subtrees",
    "cli": "__main__ commands flags main terminal help output client_config command_table grammar",
    "cli/commands":
        "compose kube pod builder_prune buildx completion console exists inspect manifest network prune registry system volume container "
        "image",
    "cli/commands/compose":
        "config create down follow images logs look machine one ps run watch up attached watcher verbs creation carry_out deadline "
        "log_lines screen display project",
    "cli/commands/container":
        "attach commit cp create diff exec export healthcheck_run kill logs monitor_callbacks pause port ps rename restart rm start "
        "stats top unpause update wait run run_shared save_shared pmix rank_facts run_container stop",
    "cli/commands/image": "bootstrap build history import_ load ls pack publish pull push rm save tag untag",
    "cli/commands/kube": "generate play",
    "cli/commands/manifest": "imagetools push local entry_flags",
    "cli/commands/network": "connect create ls prune rm",
    "cli/commands/pod": "create inspect look ps rm verbs",
    "cli/commands/registry": "login logout search",
    "cli/commands/system":
        "binfmt df doctor enable events host_programs info reset service shims srun unshare version srun_words srun_keeper",
    "cli/commands/volume": "archive create ls rm",
    "cli/flags": "compose build_options build_request chosen container_options container_request pod filters limits network",
    "cli/grammar": "parser command refused suggest",
    "cli/help": "completion docs man error_texts help examples click_commands completion_names",
    "cli/output": "for_each image_tree listing progress errors format units columns messages template",
    "cli/output/template":
        "template template_parser template_functions template_lexer template_printf template_values",
    "cli/terminal": "attachment confirm job_end",
    "compose": "converge discover disk plan load",
    "compose/converge":
        "executor providers api_socket apply init_containers conditions syncing contents hooks images log_stream observe watching "
        "service_request request_mounts request_network",
    "compose/load":
        "load render files selection consistency defaults project canonical short merge tags interpolate dotenv template "
        "resolve_paths schema values paths_of_keys reader",
    "compose/plan": "machine down unsupported up images resources service_hash observed names steps",
    "console":
        "server app routes pages compose_files jobs running listening passwords pam_child engine_api peers guard request sessions",
    "console/pages":
        "build containers events files images volumes networks projects run quantities system terminal several_logs logs live login static "
        "context render shapes",
    "engine": "pods doctor lifecycle emulation host_programs views networks files images cdi state options",
    "engine/cdi": "places edits requests specs trusted nvidia render_nodes libraries device",
    "engine/doctor": "probes run_probes result scratch",
    "engine/doctor/probes": "bridges container devices emulated_ids emulation host network pam storage user_namespace",
    "engine/emulation": "handlers install interpreters architectures",
    "engine/files":
        "archive squash export changes given view mounts incoming volumes directory copy copy_end copy_tree tar_stream hard_links entry",
    "engine/files/mounts": "container_root empty_root host_root mounted_volumes mount_sources enroot_files image_file store_file "
        "own_directories bind_sources mount_points",
    "engine/files/volumes": "files archive copy_up volumes options",
    "engine/host_programs": "install apt",
    "engine/images":
        "host_image imagetools lists logins packing publishing pushing removal saving listing remote lookup budget platform repair "
        "from_store similar",
    "engine/lifecycle":
        "pod_member bind_owners commit healthcheck kill prune rename reset restart update wait autostart shared create "
        "exec_instances exec remove "
        "create_rules request architecture user_defaults device_groups start "
        "pod_names stop volumes_from attach ipc monitor_options network pause socket_activation spec process_spec",
    "engine/lifecycle/attach": "exec_streams attachment attachers client_events attach terminal",
    "engine/lifecycle/autostart": "autostart lingering crontab",
    "engine/networks":
        "choice connect live attach pod_aliases registration hosts remove endpoints endpoint_config create listing users leases "
        "ipam_config records options default names ipam addresses",
    "engine/options":
        "ages clock health names namespaces patterns resources security_words signals ids userns zones mounts mount_keys values "
        "mount_config",
    "engine/pods": "create remove verbs",
    "engine/state":
        "cgroup compose_project confinement exec_instances logs processes pruned restart security user_namespace resources "
        "unrecorded_exits events status_words listing pods emulated_ids damaged health running config",
    "engine/state/events": "event_log consequences labels events",
    "engine/state/logs": "follow journal logs options files",
    "engine/views":
        "pod_filters pod conditions container_filters exec info user_config inspect container_stats stats system top container image "
        "network version volume "
        "host_config types network_settings",
    "engine/views/types": "pod image imagetools system container host_config network gotypes",
    "image":
        "stores archive bootstrap transfer compress config decompress index progress trust registry run_config manifest platforms "
        "reference",
    "image/archive": "layout save load archive_reader import_tar instructions",
    "image/bootstrap": "bootstrap busybox_image distributions emulated",
    "image/registry":
        "catalog upload blob_stream blob_upload client transport authorization connection registries_conf auth_file challenge "
        "responses credential_helper",
    "image/stores": "upkeep publish writing lookup reading layout",
    "image/transfer":
        "pull push_index copy push push_layer ahead work layer_blob packed_forms room spool new_image layers layer_stream workers",
    "image/trust": "policy signatures keys simple_signing",
    "kube": "generate export_container play volumes requests load",
    "kube/load": "objects pod container probe volumes confinement environment values model node",
    "linux":
        "binfmt_misc bpf capability filesystem host inotify interface keyring landlock namespace netlink openat2 ptrace quota rlimit "
        "seccomp signals terminal mount process signal socket libc struct ctypes",
    "linux/netlink": "connection link route traffic address message",
    "network": "hub etc uplink port_errors privileged_ports ports",
    "network/etc": "hosts resolv",
    "network/hub":
        "listen attach gate bridges container settings netd held_ports uplink scope rules stale foundation thread host_route tables "
        "namespace endpoint",
    "network/uplink": "driver pasta slirp4netns program connection",
    "network/uplink/pasta": "uplink start arguments diagnosis options",
    "network/uplink/slirp4netns": "uplink start port_forward arguments diagnosis options",
    "oci": "commands main other_users container terminal_relay cgroup config console facts state hooks log arguments",
    "oci/cgroup": "manager stats cgroupfs resources cgroup device_filter systemd",
    "oci/commands": "delete events exec features kill list ps resume run spec start state update create pause flags",
    "oci/config": "bundle config_schema config_linux defs validate",
    "oci/container":
        "create end forward_signals processes wait_for_exec init_config net_devices new_state pid_file init_callbacks mount_sources "
        "user_namespace own_state",
    "runtime":
        "exec exec_request inside launch hooks listen_fds child monitor mounts squashfs seccomp descriptors namespaces process ids clone "
        "mounting sync rootfs_path owner_record",
    "runtime/launch": "launch report container_hooks emulation init_config start_init intermediate cgroup init",
    "runtime/mounts":
        "plan devices mapped_tmpfs masks mount_parts bind notes build_mounts owners dev_steps idmap mount_options rootfs fuse_overlayfs "
        "host_lower overlay steps copyup refusals",
    "runtime/process":
        "account init_program run_command scheduling sealed_exec terminal command credentials memfd capabilities landlock passwd",
    "runtime/seccomp": "profile compiler newer_calls socketcall",
    "runtime/squashfs": "connect serve jail header",
    "session": "session outside start finished_jobs holder surviving_hub session_file connection ids diagnosis run_program",
    "session/ids": "mapping nsresourced subids idmap",
    "storage":
        "drivers maintenance packs pods host_images images squashed squashfs_tools holes copy_data blobs containers indexes image_names "
        "layers abandoned output_file named_paths quoted_names shape staging tar volumes left_files names owner_file disk_errors "
        "store places probe_places driver_probe directories foreign_store served_mounts file_servers remove_tree witness",
    "storage/containers": "removal containers members paused status restart",
    "storage/drivers": "shifted rootfs choose vfs",
    "storage/layers":
        "diff known_blobs steps tar_pipe write_tar file_times image_owners lower layers extract layer_owners recorded attributes "
        "entry_names layer_lock step_names whiteouts directory_cache",
    "storage/maintenance": "gc sweep usage",
    "storage/tar": "reader sparse header source",
    "yamltext": "emit document",
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
    assert sorted(order) == sorted(names(package)), f"ORDER[{package!r}] lists what is in the package, each name once"
    for position, name in enumerate(order):
        here = ROOT / package / name
        files = sorted(here.rglob("*.py")) if here.is_dir() else [here.with_suffix(".py")]
        for path in files:
            for target in imported(path):
                if target.startswith(f"{package}/"):
                    other = target.removeprefix(f"{package}/").partition("/")[0]
                    assert other not in order[:position], f"{path.relative_to(ROOT)} imports upwards: {target}"


def test_every_package_has_its_order() -> None:
    packages = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/**/__init__.py")}
    assert set(ORDER) == {package for package in packages if len(names(package)) > 1}
