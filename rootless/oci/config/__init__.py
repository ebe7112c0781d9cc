"""config.json of a bundle: loaded, and checked against the specification."""
