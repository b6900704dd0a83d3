"""Masks that show classes in colours: which ones they have, and the class rasters that are written of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from terrasweep.data.views.class_raster import class_profile, strips
from terrasweep.data.views.headers import Header
from terrasweep.machine.files import draft_file
from terrasweep.results.errors import raise_out_of_memory

Colour = tuple[int, ...]
"""Red, green and blue, and alpha where it tells classes apart."""
LOOKED_AT = 100
"""How many masks are looked at, evenly chosen."""
_LOOK_PX = 1024
"""Larger masks are looked at with every second, third, ... pixel."""
MANY = 64
"""More colours than any set of classes has: they come from compression or resampling."""
NEAR = 48
"""Colours that differ by fewer levels may be one, spoilt by compression."""
RARE = 0.02
"""Share of the pixels around a colour from which on it may be a class, where there are many."""
_OPAQUE = 255
_TRIED = 64
"""How many colours are tried, the commonest first."""
_DRAWN = 0.6
"""Share of pixels close to a main colour from which on an image is a mask."""


def chosen(headers: list[Header]) -> list[Header]:
    """A hundred of them at most, from the first to the last."""
    places = np.unique(np.linspace(0, len(headers) - 1, min(len(headers), LOOKED_AT)).astype(int))
    return [headers[place] for place in places]


def colours_in(headers: list[Header]) -> Counter[Colour]:
    """Pixels by colour in some of the masks, with alpha where it varies."""
    found: Counter[Colour] = Counter()
    for header, pixels in _looks(headers):
        colours, _, counts = _distinct(_coloured(pixels.data, header))
        found.update({tuple(map(int, colour)): int(n) for colour, n in zip(colours, counts, strict=True)})
    if len({colour[3:] for colour in found}) > 1:
        return found
    opaque: Counter[Colour] = Counter()
    for colour, count in found.items():
        opaque[colour[:3]] += count
    return opaque


def values_in(headers: list[Header]) -> Counter[int]:
    """Pixels by whole value of the first band in some of the masks, those that are marked as no data left out."""
    found: Counter[int] = Counter()
    for _, pixels in _looks(headers):
        valid = pixels[0].compressed()
        values, counts = np.unique(valid[np.isfinite(valid)], return_counts=True)
        found.update({int(value): int(n) for value, n in zip(values, counts, strict=True) if value == int(value)})
    return found


def _looks(headers: list[Header]) -> Iterator[tuple[Header, np.ma.MaskedArray[Any, Any]]]:
    """Some of the masks (bands, height, width), the large ones thinned out, and without those that are damaged."""
    for header in chosen(headers):
        step = max(1, -(-max(header.height, header.width) // _LOOK_PX))
        small = (header.count, -(-header.height // step), -(-header.width // step))
        try:
            with rasterio.open(header.file) as image:
                pixels = image.read(masked=True, out_shape=small)
        except rasterio.errors.RasterioError as error:
            raise_out_of_memory(error)
            continue
        yield header, pixels


def main_colours(found: Counter[Colour]) -> list[Colour]:
    """The colours that classes may have, sorted: all where they are few, else those that others lie around."""
    if len(found) <= MANY:
        return sorted(found)
    colours, main = np.array(list(found), int), []
    left = np.array(list(found.values()))
    total = left.sum()
    for _ in range(_TRIED):
        commonest = colours[left.argmax()]
        around = np.abs(colours - commonest).max(axis=1) <= NEAR
        if left[around].sum() >= RARE * total:
            main.append(tuple(map(int, commonest)))
        left[around] = 0
    return sorted(main)


def looks_drawn(found: Counter[Colour], main: list[Colour]) -> bool:
    """Whether most pixels have one of the main colours, or nearly so; else it is a photo."""
    colours, counts = np.array(list(found), int), np.array(list(found.values()))
    close = np.zeros(len(colours), bool)
    for colour in main:
        close |= np.abs(colours - colour).max(axis=1) <= NEAR // 4
    return bool(counts[close].sum() >= _DRAWN * counts.sum())


@dataclass(frozen=True, kw_only=True)
class ColourTable:
    """Colours, and the class of each."""

    colours: list[Colour]
    numbers: list[int]
    distance: int
    """How far a pixel may be from the nearest colour, in levels."""
    ignored: int
    """Number of a pixel that is near none."""
    dtype: str

    def numbers_of(self, colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Class numbers of colours (n, bands), and whether each is near one of the table."""
        table = np.array(self.colours, int)
        if colours.shape[1] < table.shape[1]:  # Without alpha all is opaque.
            colours = np.pad(colours, ((0, 0), (0, 1)), constant_values=_OPAQUE)
        best, nearest = np.full(len(colours), 256), np.zeros(len(colours), int)
        for place, colour in enumerate(table):
            distance = np.abs(colours[:, : table.shape[1]].astype(int) - colour).max(axis=1)
            closer = distance < best
            best[closer], nearest[closer] = distance[closer], place
        near = best <= self.distance
        return np.where(near, np.array(self.numbers)[nearest], self.ignored).astype(self.dtype), near


def write_classes(header: Header, table: ColourTable, target: Path) -> Counter[Colour]:
    """Write a mask in colours as one band of class numbers, on the same place on the ground.

    Returns:
        Pixels by colour that the table lacks.
    """
    unknown: Counter[Colour] = Counter()
    profile = class_profile(header, table.dtype)
    with (
        rasterio.open(header.file) as source,
        draft_file(target) as draft,
        rasterio.open(draft, "w", **profile) as made,
    ):
        for window in strips(header.height, header.width):
            colours, inverse, counts = _distinct(_coloured(source.read(window=window), header))
            numbers, near = table.numbers_of(colours)
            classes = numbers[inverse]
            if header.has_mask:
                classes[source.read_masks(1, window=window) == 0] = table.ignored
            made.write(classes, 1, window=window)
            lacking = zip(colours[~near], counts[~near], strict=True)
            unknown.update({tuple(map(int, colour)): int(count) for colour, count in lacking})
    return unknown


def _coloured(pixels: np.ndarray, header: Header) -> np.ndarray:
    """Red, green, blue and perhaps alpha (bands, height, width), by the colour table where the file has one."""
    return np.array(header.palette, np.uint8)[pixels[0], :3].transpose(2, 0, 1) if header.palette else pixels


def _distinct(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The colours of an image (n, bands), which of them each pixel has (height, width), and their pixels (n)."""
    packed = sum(band.astype(np.uint32) << (8 * place) for place, band in enumerate(pixels))
    values, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colours = np.stack([values >> (8 * place) & 255 for place in range(len(pixels))], axis=1)
    return colours, inverse.reshape(pixels.shape[1:]), counts
