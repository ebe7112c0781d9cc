"""`rootless kube`: a file a command."""
