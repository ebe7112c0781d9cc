"""The Docker Engine API over a Unix socket: programs that speak to Docker speak to the engine."""
