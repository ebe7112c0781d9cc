"""What there is becomes what is wanted: a plan applied to the store, by the engine."""
