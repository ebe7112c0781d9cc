"""One module for each case: `measure(world) -> list[Row]`, and a docstring that says what is timed."""

NAMES = (
    "startup", "run", "oci", "oci_life", "cri", "srun", "network", "network_tcp", "network_http", "network_many", "resolver", "exec", "ps",
    "parallel", "memory", "pods", "compose", "api", "api_copy", "many", "sandbox", "pull", "push", "build_steps", "build_context",
    "build_stages", "build_apps", "emulated_ids", "console", "keep_id", "image_files", "ranks",
)  # fmt: skip
