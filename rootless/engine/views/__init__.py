"""What is shown of containers and of the whole installation."""
