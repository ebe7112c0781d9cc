"""Lists of manifests, here and in registries."""
