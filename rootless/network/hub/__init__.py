"""The hub: a network namespace of the session, with a bridge for each network of the user."""
