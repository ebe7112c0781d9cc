"""What a start mounts in a container: volumes, binds, images, and the root they lie in."""
