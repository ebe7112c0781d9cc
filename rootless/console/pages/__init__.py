"""The pages, a file a noun: what is asked of the engine, and what is shown of it."""
