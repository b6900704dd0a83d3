"""The backbones to choose from, how each is called, and what its features look like."""
