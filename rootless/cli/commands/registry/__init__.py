"""Commands about registries, a file each."""
