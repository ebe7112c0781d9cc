"""The build cache beyond this store: exported to a registry, a directory or into the image, and imported from there."""
