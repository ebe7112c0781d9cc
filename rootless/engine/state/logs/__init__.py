"""Containers' logs: their files, their lines, what --log-opt asks for."""
