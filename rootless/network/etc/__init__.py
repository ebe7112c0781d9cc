"""A container's resolv.conf, hosts and hostname."""
