"""System call filters: profiles, compiled."""
