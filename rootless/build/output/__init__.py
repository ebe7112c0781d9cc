"""What comes of a build: an image of the store, a directory, an archive."""
