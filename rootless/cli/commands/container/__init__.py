"""Commands about containers, a file each."""
