"""What is remembered of containers and what runs of them; changes no process."""
