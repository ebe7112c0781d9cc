"""Ways out of a container's network namespace."""
