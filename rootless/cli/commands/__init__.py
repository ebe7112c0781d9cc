"""One module for each command (small kindred ones share one), imported when the command runs."""
