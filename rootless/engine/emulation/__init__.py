"""Programs of other architectures, run by qemu-user through binfmt_misc in the session's own user namespace."""
