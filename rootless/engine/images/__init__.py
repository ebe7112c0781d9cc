"""Images by the names users give them: found, fetched, listed, removed, saved."""
