"""Commands about the whole of a user's containers, and about this machine."""
