"""What is swept, what is freed, what is used."""
