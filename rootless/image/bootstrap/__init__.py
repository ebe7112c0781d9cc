"""Images made of a distribution's packages, or of the host's busybox."""
