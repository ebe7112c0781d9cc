"""Containers' directories: what is fixed, what is derived, what restarts."""
