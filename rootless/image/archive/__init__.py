"""Images as archives: loaded, saved, imported."""
