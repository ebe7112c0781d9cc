"""References, manifests, registries, archives and bootstrap."""
