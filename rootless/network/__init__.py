"""slirp4netns, published ports, resolv.conf and hosts."""
