"""Data as a trainer reads it."""
