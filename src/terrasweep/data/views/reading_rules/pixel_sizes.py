"""Images of one kind that show the ground at several scales, or measure it in unlike systems. Imports no torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from terrasweep.config.data import AS_STORED
from terrasweep.data.find.sample_list import MASK
from terrasweep.data.views.file_set import ERROR, NOTE, WARNING, FileSet, Remark
from terrasweep.data.views.ground_pixels import ALIKE, GroundPixel, ground_pixels
from terrasweep.data.views.headers import Header
from terrasweep.data.views.pixel_grid import grid_at
from terrasweep.data.views.places import is_same_system, unit
from terrasweep.results.wording import counted, listed

TOO_FAR = 1.25
"""Factor between the sides of pixels from which on files are of different scales.

One sensor's products lie below it (PlanetScope 3 and 3.125 m, Landsat 28.5 and 30 m), and so do flights of one height;
two sensors, or two bands of one, lie above (0.6 and 1 m, 10 and 20 m, 20 and 30 m). A thing of four patches has five
then, about as much as training's random crops change sizes anyway.
"""
_NAMED = 4
"""How many sizes a line names."""
_WHOLE = 16
"""Pixels of which tiles that are proposed are a multiple, if they are as large: the patches of most backbones."""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """The images of a modality that have a place on the ground."""

    headers: list[Header]
    pixels: list[GroundPixel]

    @property
    def factor(self) -> float:
        """By how much the sides of any two pixels differ."""
        widths, heights = [pixel.width for pixel in self.pixels], [pixel.height for pixel in self.pixels]
        return max(max(sides) / min(sides) for sides in (widths, heights))

    def scale_factor(self, *, cut: bool) -> float:
        """By how much the scales differ in what a model gets.

        Tiles that are not cut have to be of one size in pixels, and are made so by ``data.resize_px``: those that cover
        ground of one size then have pixels of one size, too.
        """
        covered = [
            (pixel.width * header.width, pixel.height * header.height)
            for header, pixel in zip(self.headers, self.pixels, strict=True)
        ]
        extents = max(max(sides) / min(sides) for sides in zip(*covered, strict=True))
        return self.factor if cut else min(self.factor, extents)

    @property
    def are_of_one_grid(self) -> bool:
        """Whether all are stored in one coordinate system and in pixels of one size in it."""
        first = self.headers[0]
        alike = all(_stored(header).factor(_stored(first)) <= ALIKE for header in self.headers)
        return alike and all(is_same_system(header.crs, first.crs) for header in self.headers)

    @property
    def kinds(self) -> set[bool]:
        """Whether they lie in degrees."""
        return {unit(header.crs).is_geographic for header in self.headers}

    def sizes(self) -> list[tuple[GroundPixel, list[Header]]]:
        """The files by the size of their pixels, those that are alike taken together, the most common size first."""
        widths, heights = (_merged(sides) for sides in zip(*((p.width, p.height) for p in self.pixels), strict=True))
        groups: dict[GroundPixel, list[Header]] = {}
        for header, pixel in zip(self.headers, self.pixels, strict=True):
            size = GroundPixel(width=widths[pixel.width], height=heights[pixel.height])
            groups.setdefault(size, []).append(header)
        return sorted(groups.items(), key=lambda group: -len(group[1]))


def compare_pixel_sizes(files: FileSet) -> FileSet:
    """Refuse images of different scales unless ``data.pixel_size`` says what becomes of them.

    Each file is read in its own grid, of which only the size of its pixels on the ground counts, and whether it is
    mirrored: zones of one projection are normal, and degrees are what they are in metres at the file's place.
    """
    for kind in files.modalities:
        pixels = ground_pixels(files.headers[kind])
        placed = [(h, p) for h, p in zip(files.headers[kind], pixels, strict=True) if h is not None and p is not None]
        if placed:
            seen = _Seen(headers=[header for header, _ in placed], pixels=[pixel for _, pixel in placed])
            files = files.with_remarks(*_sizes(files, kind, seen), *_others(files, kind, seen))
    return files


def _sizes(files: FileSet, kind: str, seen: _Seen) -> Iterator[Remark]:
    place, setting = files.subject(kind), files.config.data.pixel_size
    if seen.factor <= ALIKE or setting not in (None, AS_STORED):
        return
    told = f"pixels have {len(seen.sizes())} sizes on the ground, {_listed(seen)}"
    if setting == AS_STORED:
        line = f"data.pixel_size={AS_STORED}: {told}; files are read as they lie"
        yield Remark(rule="pixel-size", level=NOTE, line=line)
    elif seen.are_of_one_grid and seen.factor > TOO_FAR:
        line = (
            f"{place}: all files have one coordinate system and one pixel size in it, but {told}; they are read "
            f"as they lie; {_keys(files, seen)} reads all at one size"
        )
        yield Remark(rule="pixel-size", level=NOTE, line=line)
    elif not seen.are_of_one_grid:
        yield from _judged(files, seen, f"{place}: {told}")


def _judged(files: FileSet, seen: _Seen, told: str) -> Iterator[Remark]:
    """What files say that contradict each other, while nobody says what becomes of them."""
    factor = seen.scale_factor(cut=bool(files.config.data.cut))
    if factor <= ALIKE:
        line = f"{told}; they cover ground of one size: data.resize_px or {_keys(files, seen)} reads all at one scale"
        yield Remark(rule="pixel-size", level=NOTE, line=line)
    elif factor > TOO_FAR or len(seen.kinds) == 1:
        line = (
            f"{told}; things of one size look different; set {_keys(files, seen)} to read all files at the most common "
            f"one, or data.pixel_size={AS_STORED} to read them as they lie where the task does not mind"
        )
        yield Remark(rule="pixel-size", level=ERROR if factor > TOO_FAR else WARNING, line=line)


def _others(files: FileSet, kind: str, seen: _Seen) -> Iterator[Remark]:
    mirrored = [header for header in seen.headers if _is_mirrored(header)]
    if 0 < len(mirrored) < len(seen.headers):
        name = Path(mirrored[0].file).name
        line = (
            f"{files.subject(kind)}: {counted(len(mirrored), 'file')} of {len(seen.headers)} with the first row in the "
            f"south (first {name}), mirrored against the others, and read as stored; write them with the north above: "
            f"gdalwarp {name} {Path(name).stem}_north_up.tif"
        )
        yield Remark(rule="mirrored", level=WARNING, line=line)
    if len(seen.kinds) > 1:
        yield _systems(files, kind, seen)


def _is_mirrored(header: Header) -> bool:
    """Whether what is clockwise on the ground is not so in the image."""
    assert header.transform is not None
    a, b, _, d, e, _ = header.transform
    return a * e - b * d > 0


def _systems(files: FileSet, kind: str, seen: _Seen) -> Remark:
    systems = Counter(unit(header.crs).system for header in seen.headers)
    told = listed((f"{system} in {counted(count, 'file')}" for system, count in systems.most_common()), _NAMED)
    line = (
        f"{files.subject(kind)}: some files lie in degrees, others in a projection ({told}); each is read in its own "
        f"grid, of which only the size of its pixels on the ground counts: {_listed(seen)}"
    )
    return Remark(rule="coordinate-systems", level=NOTE, line=line)


def _listed(seen: _Seen) -> str:
    groups = (f"{size} in {counted(len(of), 'file')} (first {Path(of[0].file).name})" for size, of in seen.sizes())
    return listed(groups, _NAMED)


def _keys(files: FileSet, seen: _Seen) -> str:
    """What to set to read all at the most common size, and to have tiles of one size again."""
    metres = float(f"{seen.sizes()[0][0].side:.4g}")
    data, key = files.config.data, f"data.pixel_size={metres:g}"
    grids = [grid_at(header, pixel, metres) for header, pixel in zip(seen.headers, seen.pixels, strict=True)]
    sizes = {(grid.height, grid.width) for grid in grids}
    if len(sizes) == 1 or data.cut or MASK not in files.headers:
        return key
    tile_px = max(1, min(min(size) for size in sizes))
    return f"{key} data.cut=lazily data.tile_px={tile_px // _WHOLE * _WHOLE or tile_px}"


def _stored(header: Header) -> GroundPixel:
    """A pixel's sides in the unit of its file."""
    assert header.transform is not None
    a, b, _, d, e, _ = header.transform
    return GroundPixel(width=math.hypot(a, d), height=math.hypot(b, e))


def _merged(sides: Sequence[float]) -> dict[float, float]:
    """The smallest of all sides that are alike, by each of them."""
    merged: dict[float, float] = {}
    start = 0.0
    for side in sorted(sides):
        start = side if side > start * ALIKE else start
        merged[side] = start
    return merged
