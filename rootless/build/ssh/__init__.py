"""Agents of ssh for a build: the caller's, or one of our own for keys in files."""
