"""A trained trial as plain TerraTorch."""
