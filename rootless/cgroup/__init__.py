"""Cgroup v2 for one container: a subtree we may write, its limits, its figures, its end.

Knows kernel files and systemd's scopes; must not know containers' records or Docker's words.
"""
