"""One trial's story: refuse, prepare, measure in a child, answer."""
