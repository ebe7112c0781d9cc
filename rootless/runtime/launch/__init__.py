"""A container's processes at its start: supervisor, intermediate, init."""
