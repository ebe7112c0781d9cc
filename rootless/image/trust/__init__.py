"""Which images may be used: containers-policy.json(5), and signatures in sigstore's format."""
