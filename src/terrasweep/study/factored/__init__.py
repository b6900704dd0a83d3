"""A sampler that trains once per mathematics: quality is modelled, cost is predicted and probed (docs/search.md)."""
