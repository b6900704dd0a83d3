"""How large pixels are on the ground, whatever their files measure in. Imports no torch."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rasterio.crs import CRS
from rasterio.warp import transform as to_system

from terrasweep.data.views.headers import Header
from terrasweep.data.views.places import METRES_PER_DEGREE, NOT_ON_EARTH, unit
from terrasweep.results.wording import rounded

ALIKE = 1.01
"""Factor up to which two pixel sizes are one: projections stretch the ground by as much."""
_DEGREES = "EPSG:4326"
_NARROWEST = 1e-6
"""Share of a degree at the equator that one of longitude keeps at a pole."""

_Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class GroundPixel:
    """A pixel's sides on the ground, in metres."""

    width: float
    height: float

    @property
    def side(self) -> float:
        """That of a square as large."""
        return math.sqrt(self.width * self.height)

    def factor(self, other: GroundPixel) -> float:
        """By how much the sides of two pixels differ, at least 1; of both sides the larger factor."""
        ratios = (self.width / other.width, self.height / other.height)
        return max(max(ratio, 1 / ratio) for ratio in ratios)

    def __str__(self) -> str:
        if self.factor(GroundPixel(width=self.height, height=self.width)) <= ALIKE:
            return f"{rounded(self.side)} m"
        return f"{rounded(self.width)} x {rounded(self.height)} m"


def ground_pixels(headers: Sequence[Header | None], down: float = 0.5) -> list[GroundPixel | None]:
    """The sizes of pixels of many files; None where a file has no place on the ground.

    A projection's own metres count where they are true to :data:`ALIKE`. Those of Web Mercator are not, and degrees
    are shorter in longitude than in latitude: the file's own place says what they are on a sphere.

    Args:
        headers: Of the files.
        down: Where in each file, as a share of its height; in the middle of its width.
    """
    found: list[GroundPixel | None] = [None] * len(headers)
    by_system: dict[str, list[tuple[int, Header]]] = defaultdict(list)
    for index, header in enumerate(headers):
        if header is not None and _has_a_place(header):
            by_system[header.crs].append((index, header))
    for crs, of in by_system.items():
        sizes = _in_system(crs, [header for _, header in of], down)
        for (index, _), size in zip(of, sizes, strict=True):
            found[index] = size
    return found


def _has_a_place(header: Header) -> bool:
    if header.transform is None or unit(header.crs).metres is None:
        return False
    a, b, _, d, e, _ = header.transform
    return math.hypot(a, d) > 0 and math.hypot(b, e) > 0


def utm_zone(header: Header) -> str:
    """The zone of UTM in which the middle of a file lies, as ``EPSG:32633``."""
    points = list(_corner(header, 0.5))
    (longitude, latitude), *_ = points if unit(header.crs).is_geographic else _in_degrees(header.crs, points)
    return f"EPSG:{326 if latitude >= 0 else 327}{int((longitude + 180) // 6) % 60 + 1:02}"


def _in_system(crs: str, headers: list[Header], down: float) -> Iterator[GroundPixel]:
    system = unit(crs)
    assert system.metres is not None
    points = [point for header in headers for point in _corner(header, down)]
    if not system.is_geographic:
        points = _in_degrees(crs, points)
    for place, header in enumerate(headers):
        assert header.transform is not None
        a, b, _, d, e, _ = header.transform
        told = GroundPixel(width=system.metres * math.hypot(a, d), height=system.metres * math.hypot(b, e))
        measured = _measured(points[3 * place : 3 * place + 3])
        is_true = not system.is_geographic and (measured is None or measured.factor(told) <= ALIKE)
        yield told if measured is None or is_true else measured


def _corner(header: Header, down: float) -> tuple[_Point, _Point, _Point]:
    """A point of a file, and those one pixel to the right and below, in its own system."""
    assert header.transform is not None
    a, b, c, d, e, f = header.transform
    column, row = header.width / 2, header.height * down
    x, y = c + column * a + row * b, f + column * d + row * e
    return (x, y), (x + a, y + d), (x + b, y + e)


def _in_degrees(crs: str, points: list[_Point]) -> list[_Point]:
    """Longitudes and latitudes; not finite where nobody knows them."""
    try:
        across, up = to_system(CRS.from_wkt(crs), _DEGREES, *(list(values) for values in zip(*points, strict=True)))
    except NOT_ON_EARTH:  # A system of a building site, say, that has no place on the Earth.
        return [(math.nan, math.nan)] * len(points)
    return list(zip(across, up, strict=True))


def _measured(points: list[_Point]) -> GroundPixel | None:
    """The size of a pixel between three points in degrees."""
    if not all(math.isfinite(value) for point in points for value in point):
        return None
    here, right, below = points
    width, height = _metres(here, right), _metres(here, below)
    return GroundPixel(width=width, height=height) if min(width, height) > 0 else None


def _metres(here: _Point, there: _Point) -> float:
    across, up = (there[0] - here[0] + 180) % 360 - 180, there[1] - here[1]
    narrowed = max(math.cos(math.radians(here[1])), _NARROWEST)
    return METRES_PER_DEGREE * math.hypot(across * narrowed, up)
