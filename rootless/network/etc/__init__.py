"""The files of /etc that tell a container about its network."""
