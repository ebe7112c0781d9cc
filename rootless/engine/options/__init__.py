"""Users' words as values; pure."""
