"""Help, completion and the pages of docs/cli, all from the command table."""
