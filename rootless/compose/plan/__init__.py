"""What is to be done for a project: the wanted state against what is there, as a list of steps. Pure."""
