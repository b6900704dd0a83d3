"""How rasters of class numbers are written: one band on the grid of an image, strip by strip. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from rasterio import Affine
from rasterio.windows import Window

from terrasweep.data.views.headers import Header
from terrasweep.data.views.view import View

_STRIP_PX = 1024
"""Rows that are held at once."""


def class_profile(grid: Header | View, dtype: str) -> dict[str, object]:
    """What rasterio writes a band of classes with, on the grid of an image."""
    placed = {"transform": Affine(*grid.transform)} if grid.transform is not None else {}
    return {
        "driver": "GTiff",
        "count": 1,
        "dtype": dtype,
        "height": grid.height,
        "width": grid.width,
        "crs": grid.crs or None,
        "compress": "deflate",
        **placed,
    }


def strips(height: int, width: int) -> Iterator[Window]:
    """The parts of an image that are held one at a time."""
    for row in range(0, height, _STRIP_PX):
        yield Window(0, row, width, min(_STRIP_PX, height - row))
