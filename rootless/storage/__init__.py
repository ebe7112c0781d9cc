"""Blobs, layers, images, containers and volumes on disk; crash safety."""
