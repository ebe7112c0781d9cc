"""The commands of rootless-oci, one file each: `command` is what the command line calls."""
