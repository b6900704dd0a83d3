"""Masks that show classes in colours: which ones they have, and the class rasters that are written of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

from terrasweep.data.views.class_raster import class_profile, strips
from terrasweep.data.views.headers import Header
from terrasweep.machine.files import draft_file

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
_SHARE = 0.005
"""Share of the pixels from which on a colour may be a class where there are many."""


def chosen(headers: list[Header]) -> list[Header]:
    """A hundred of them at most, from the first to the last."""
    places = np.unique(np.linspace(0, len(headers) - 1, min(len(headers), LOOKED_AT)).astype(int))
    return [headers[place] for place in places]


def colours_in(headers: list[Header]) -> Counter[Colour]:
    """Pixels by colour in some of the masks, with alpha where it varies."""
    found: Counter[Colour] = Counter()
    for header in chosen(headers):
        with rasterio.open(header.file) as image:
            colours, _, counts = _distinct(_coloured(image.read(out_shape=_small(image)), header))
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
    for header in chosen(headers):
        with rasterio.open(header.file) as image:
            pixels = image.read(1, masked=True, out_shape=_small(image)[1:]).compressed()
        values, counts = np.unique(pixels[np.isfinite(pixels)], return_counts=True)
        found.update({int(value): int(n) for value, n in zip(values, counts, strict=True) if value == int(value)})
    return found


def main_colours(found: Counter[Colour]) -> list[Colour]:
    """The colours that classes may have, sorted: all where they are few, else those that others lie around."""
    if len(found) <= MANY:
        return sorted(found)
    total, main = found.total(), np.empty((0, len(next(iter(found)))), int)
    for colour, count in found.most_common():
        if count < _SHARE * total:
            break
        if not len(main) or np.abs(main - colour).max(axis=1).min() > NEAR:
            main = np.vstack([main, colour])
    return sorted(tuple(map(int, colour)) for colour in main)


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


def _small(image: rasterio.DatasetReader) -> tuple[int, int, int]:
    """The shape in which a large image is looked at."""
    step = max(1, -(-max(image.height, image.width) // _LOOK_PX))
    return image.count, -(-image.height // step), -(-image.width // step)
