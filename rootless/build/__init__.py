"""Images from Dockerfiles: the language, contexts, the steps, the cache, what comes of them."""
