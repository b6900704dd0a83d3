"""Hydra groups: one folder per section of the configuration."""
