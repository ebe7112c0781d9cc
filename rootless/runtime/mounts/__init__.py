"""A container's mounts: planned as data, made step by step."""
