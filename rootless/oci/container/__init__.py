"""A container of the OCI runtime, from its configuration to its process."""
