"""Commands about images, a file each."""
