"""The user's long-lived user namespace and its id mappings."""
