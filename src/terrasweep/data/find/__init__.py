"""Which files are samples: by their names, divided into splits, cut into tiles."""
