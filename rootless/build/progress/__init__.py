"""What a build shows while it runs: BuildKit's vertices, in its forms."""
