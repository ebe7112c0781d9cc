"""Thin, typed system calls: errno becomes OSError; no policy, no state, nothing from the rest."""
