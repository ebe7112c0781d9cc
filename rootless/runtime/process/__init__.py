"""What a process becomes before it executes a container's command."""
