"""The steps of a build: each in a process of its own, on the layers below, into a layer of its own."""
