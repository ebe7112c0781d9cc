"""Volumes by the user's names."""
