"""Subordinate ids and their mappings."""
