"""Layers: unpacked, compared, packed again."""
