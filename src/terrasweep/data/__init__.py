"""Data: synthetic tiles, folders of GeoTIFFs, and what is cached about them."""
