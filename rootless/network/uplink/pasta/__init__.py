"""pasta, of passt: connects a container by its own tap device, with IPv6."""
