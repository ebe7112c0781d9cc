"""What is answered, in the shapes of Docker's API."""
