"""`rootless compose`: a command a file, and what all of them take. Nothing here is on the hot path."""
