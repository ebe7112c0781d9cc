"""How layers become a root file system, best way first."""
