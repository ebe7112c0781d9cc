"""A request's words, each of its type before anything is done with it."""
