"""A Kubernetes file read: YAML in, pods as data out; what we do not have is an error by its path. Pure."""
