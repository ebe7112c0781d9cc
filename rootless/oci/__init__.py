"""`rootless-oci`: the OCI runtime command, on the same runtime as the engine; needs no session."""
