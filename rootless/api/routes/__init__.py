"""What is answered at which path: a file for each noun."""
