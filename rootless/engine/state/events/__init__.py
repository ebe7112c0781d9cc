"""The log of events: written, read, and what follows from a line."""
