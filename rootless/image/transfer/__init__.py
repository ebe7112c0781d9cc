"""Layers on their way into the store."""
