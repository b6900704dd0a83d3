"""Weights of a backbone from a file, fitted to other bands and image sizes."""
