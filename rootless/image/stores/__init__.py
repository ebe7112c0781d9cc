"""Read-only stores: directories in which one user publishes images for others, and how those read them (network-homes.md)."""
