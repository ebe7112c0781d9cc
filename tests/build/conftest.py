"""Fixtures of the build's tests: those of the storage's, a store and code run inside a real session."""

from tests.storage.conftest import joined, session_runtime, store

__all__ = ["joined", "session_runtime", "store"]
