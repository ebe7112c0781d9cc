"""Registries: the client, its authorization, its configuration."""
