"""Polygons with classes, as field surveys hand them out: GeoPackage, GeoJSON, Shapefile. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import rasterio
from rasterio import Affine
from rasterio.features import rasterize
from rasterio.transform import array_bounds
from rasterio.windows import transform as window_transform

from terrasweep.config.data import LabelsConfig
from terrasweep.data.find.numbering import counted_up
from terrasweep.data.views.class_raster import class_profile, strips
from terrasweep.data.views.view import View
from terrasweep.machine.files import draft_file
from terrasweep.results.errors import DataError, first_line, raise_out_of_memory
from terrasweep.results.wording import listed

Shape = tuple[Any, str]
"""A geometry, as GeoJSON has it or of shapely, and its class."""
_COLUMNS_SHOWN = 8


class Polygons(Protocol):
    """Polygons, of whatever format."""

    classes: list[str]
    """In their natural order."""
    count: int
    column: str
    """Where a file says the classes."""

    def on(self, image: Path, grid: View) -> tuple[list[Shape], Affine]:
        """Those on an image in the file's order, and what leads from pixels to their coordinates."""


class GroundPolygons:
    """Polygons on the ground."""

    def __init__(self, file: Path, labels: LabelsConfig) -> None:
        """Read a file of polygons.

        Raises:
            DataError: It can't be read, or doesn't say which of its layers and columns are meant.
        """
        frame = _read(file, labels.layer)
        if frame.crs is None:
            raise DataError(f"data.labels.vector={file}: it names no coordinate system; give it one, as by a .prj file")
        self.file, self.column = file, _class_column(file, frame, labels.class_column)
        frame = frame[frame.geometry.notna() & ~frame.geometry.is_empty]
        values = [file.stem] * len(frame) if not self.column else list(_texts(frame[self.column]))
        self._frame = frame.assign(**{_CLASS: values})
        if lacking := values.count(""):
            raise DataError(
                f"data.labels.class_column={self.column}: {lacking} of {len(values)} polygons of {file.name} have no "
                "class in it; fill it in, or remove them"
            )
        self.classes, self.count = counted_up(set(values), within=True), len(values)
        self._placed: dict[str, Any] = {}

    def on(self, image: Path, grid: View) -> tuple[list[Shape], Affine]:
        """Those on an image in the file's order, and what leads from pixels to their coordinates."""
        from shapely.geometry import box

        if grid.transform is None or not grid.crs:
            raise DataError(
                f"data.labels.vector={self.file}: {image.name} has no place on the ground, so that nobody knows where "
                "its polygons lie; write its coordinate system, or use COCO's JSON, which counts in pixels"
            )
        if grid.crs not in self._placed:
            self._placed[grid.crs] = self._frame.to_crs(grid.crs)
        frame, transform = self._placed[grid.crs], Affine(*grid.transform)
        area = box(*array_bounds(grid.height, grid.width, transform))
        chosen = frame.iloc[np.sort(frame.sindex.query(area, predicate="intersects"))]
        return list(zip(chosen.geometry, chosen[_CLASS], strict=True)), transform


_CLASS = "terrasweep class"
"""Name of the column that is added."""


def draw(
    shapes: list[Shape], transform: Affine, grid: View, numbers: dict[str, int], outside: int, target: Path, **how: Any
) -> None:
    """Write a mask of class numbers on the grid of an image; where shapes overlap, the later one counts.

    Args:
        shapes: Geometries and their classes.
        transform: From pixels to the shapes' coordinates.
        grid: The image.
        numbers: By class.
        outside: Number of the other pixels.
        target: The file.
        how: ``dtype``, and ``all_touched``.
    """
    numbered = [(geometry, numbers[name]) for geometry, name in shapes]
    with draft_file(target) as draft, rasterio.open(draft, "w", **class_profile(grid, how["dtype"])) as made:
        for window in strips(grid.height, grid.width):
            shape = (int(window.height), int(window.width))
            pixels = np.full(shape, outside, how["dtype"])
            if numbered:
                rasterize(
                    numbered,
                    out=pixels,
                    transform=window_transform(window, transform),
                    all_touched=how["all_touched"],
                )
            made.write(pixels, 1, window=window)


def _read(file: Path, layer: str | None) -> Any:
    import geopandas

    try:
        layers = list(geopandas.list_layers(file)["name"])
        if layer is None and len(layers) > 1:
            choice = listed((f"data.labels.layer={name}" for name in layers), _COLUMNS_SHOWN)
            raise DataError(f"data.labels.vector={file}: it has {len(layers)} layers; choose one: {choice}")
        if layer is not None and layer not in layers:
            raise DataError(
                f"data.labels.layer={layer}: {file} has no such layer; use {listed(layers, _COLUMNS_SHOWN)}"
            )
        return geopandas.read_file(file, layer=layer or layers[0])
    except (OSError, RuntimeError, ValueError) as error:
        raise_out_of_memory(error)
        raise DataError(
            f"data.labels.vector={file}: it can't be read: {first_line(error)}; use GeoPackage, GeoJSON, a Shapefile "
            "or COCO's JSON"
        ) from error


def _class_column(file: Path, frame: Any, given: str | None) -> str:
    """The column of classes; empty where all polygons are of one class, since there is no column."""
    columns = [name for name in frame.columns if name != frame.geometry.name]
    choice = listed(_offers(frame, columns), _COLUMNS_SHOWN)
    if given is not None and given not in columns:
        raise DataError(f"data.labels.class_column={given}: {file} has no such column; use {choice or 'null'}")
    named = [name for name in columns if name.lower() not in ("fid", "id", "objectid")]
    if given is None and len(named) > 1:
        raise DataError(f"data.labels.vector={file}: it has {len(named)} columns; name that of the classes: {choice}")
    return given or next(iter(named), "")


def _offers(frame: Any, columns: list[str]) -> Iterator[str]:
    """Columns with few values first, which may be classes."""
    counts = {name: int(frame[name].astype(str).nunique()) for name in columns}
    for name in sorted(columns, key=lambda name: counts[name]):
        yield f"data.labels.class_column={name} ({counts[name]} values)"


def _texts(column: Any) -> Iterator[str]:
    """Classes as texts; nothing where there is none."""
    for value, lacking in zip(column, column.isna(), strict=True):
        yield "" if lacking else _text(value)


def _text(value: object) -> str:
    """A class as text: whole numbers without a point."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
