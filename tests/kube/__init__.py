"""Kubernetes YAML: read, played, and generated."""
