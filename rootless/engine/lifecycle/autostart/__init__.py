"""Containers that come back with the machine."""
