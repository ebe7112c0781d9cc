"""slirp4netns: its process, its options, the ports it publishes."""
