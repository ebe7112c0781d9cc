"""tar archives, read by a parser that trusts nothing."""
