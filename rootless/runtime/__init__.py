"""An OCI configuration and a root in, a running process out."""
