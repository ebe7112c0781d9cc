"""The user's terminal: attached to a container, or asked for a yes."""
