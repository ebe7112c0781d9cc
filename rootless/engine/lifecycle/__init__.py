"""Containers made, started, entered, watched, ended."""
