"""rootless: containers for ordinary users, without root and without a daemon."""

__version__ = "0.1.0"
