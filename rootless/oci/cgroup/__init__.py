"""The OCI runtime's cgroups: by path, by systemd scope, their limits and figures."""
