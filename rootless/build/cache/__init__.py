"""What a build need not do again: keys, records, the mounts that RUNs keep, and how much of it all is kept."""
