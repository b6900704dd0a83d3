"""Data sets: found, inspected, opened; and the synthetic one."""
