"""Go's text/template, as Docker's --format uses it."""
