"""terrasweep: measured trade-offs between accuracy, memory and speed for geospatial foundation models."""

__version__ = "0.1.0"
