"""Docker's objects as types: every field, with its zero value."""
