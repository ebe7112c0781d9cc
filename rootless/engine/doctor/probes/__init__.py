"""What this host can do, tried: a file for each part."""
