"""Where the files of a build come from."""
