"""Kubernetes YAML (docs/kube.md): pods made of a file, and a file made of containers. The file's meaning: load/."""
