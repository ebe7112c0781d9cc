"""How fast we are beside the peers installed here. `make bench`; see CONTRIBUTING.md, Benchmarks."""
