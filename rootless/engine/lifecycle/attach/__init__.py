"""Streams between a container and the user's terminal."""
