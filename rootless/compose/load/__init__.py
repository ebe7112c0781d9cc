"""Compose files, read: text and environment in, a project out. Pure; reader.py says what it asks of files."""
