"""Where the tiles of each split lie: rectangles on a map, north up."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rasterio.warp import transform_bounds

from terrasweep.data.views.headers import Header
from terrasweep.data.views.places import NOT_ON_EARTH

WIDTH = 640.0
"""Of a map, in units of its drawing."""
_TALLEST, _FLATTEST = 1.1, 0.16
"""Greatest and least height for the width."""
_LEAST = 5.0
"""A tile is drawn at least so wide."""
MAPS = 6
LONGITUDE_LATITUDE = "EPSG:4326"
Bounds = tuple[float, float, float, float]
"""West, south, east, north."""


@dataclass(frozen=True, kw_only=True)
class TileMap:
    """A map of tiles that share a coordinate system."""

    title: str
    height: float
    """Of the drawing, whose width is :data:`WIDTH`."""
    outlines: dict[str, str]
    """By split the tiles, as a path of SVG."""
    tiles: dict[str, int]
    """By split, how many are drawn."""
    corners: tuple[str, str]
    """Its upper left and lower right as text."""


def tile_maps(tiles: list[tuple[str, Header]], scene_tag: str) -> list[TileMap]:
    """Maps of tiles, by ``(split, header)``; those without a place are left out.

    Args:
        tiles: With several coordinate systems, they are shown by longitude and latitude.
        scene_tag: Tag that names the scene of a tile without a coordinate system; each such scene has a map.
    """
    placed = [(split, header, _bounds(header)) for split, header in tiles if header.transform is not None]
    systems = {header.crs for _, header, _ in placed if header.crs}
    groups: dict[str, list[tuple[str, Bounds]]] = {}
    for split, header, bounds in placed:
        if header.crs and len(systems) > 1:
            if (moved := _to_degrees(header.crs, bounds)) is not None:
                groups.setdefault(LONGITUDE_LATITUDE, []).append((split, moved))
        else:
            scene = dict(header.tags).get(scene_tag, "")
            groups.setdefault(header.crs or scene, []).append((split, bounds))
    largest_first = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [_drawn(system, found, in_system=bool(systems)) for system, found in largest_first[:MAPS]]


def _bounds(header: Header) -> Bounds:
    assert header.transform is not None
    a, b, west, d, e, north = header.transform
    across = [west + a * x + b * y for x in (0, header.width) for y in (0, header.height)]
    along = [north + d * x + e * y for x in (0, header.width) for y in (0, header.height)]
    return min(across), min(along), max(across), max(along)


def _to_degrees(system: str, bounds: Bounds) -> Bounds | None:
    try:
        west, south, east, north = transform_bounds(system, LONGITUDE_LATITUDE, *bounds)
    except NOT_ON_EARTH:  # A building site, say.
        return None
    return (west, south, east, north) if all(map(math.isfinite, (west, south, east, north))) else None


def _drawn(system: str, tiles: list[tuple[str, Bounds]], *, in_system: bool) -> TileMap:
    columns = list(zip(*(bounds for _, bounds in tiles), strict=True))
    west, south, east, north = min(columns[0]), min(columns[1]), max(columns[2]), max(columns[3])
    # A degree of longitude is shorter the further it is from the equator.
    is_degrees = in_system and max(abs(west), abs(east)) <= 360 and max(abs(south), abs(north)) <= 90
    shrunk = math.cos(math.radians((south + north) / 2)) if is_degrees else 1.0
    span = max((east - west) * shrunk, (north - south) / _TALLEST, 1e-12)
    scale = WIDTH / span
    left = (WIDTH - (east - west) * shrunk * scale) / 2
    height = max((north - south) * scale, WIDTH * _FLATTEST)
    top = (height - (north - south) * scale) / 2
    paths: dict[str, list[str]] = {}
    for split, (w, s, e, n) in tiles:
        x, y = left + (w - west) * shrunk * scale, top + (north - n) * scale
        wide, high = max((e - w) * shrunk * scale, _LEAST), max((n - s) * scale, _LEAST)
        paths.setdefault(split, []).append(f"M{x:.1f} {y:.1f}h{wide:.1f}v{high:.1f}h{-wide:.1f}z")
    return TileMap(
        title=system if system and not system.startswith(("PROJCRS", "PROJCS", "GEOGCS", "GEOGCRS")) else "",
        height=round(height, 1),
        outlines={split: "".join(found) for split, found in paths.items()},
        tiles={split: len(found) for split, found in paths.items()},
        corners=_corners(system if in_system else "", (west, south, east, north), is_degrees=is_degrees),
    )


def _corners(system: str, bounds: Bounds, *, is_degrees: bool) -> tuple[str, str]:
    shown = bounds if is_degrees or not system else _to_degrees(system, bounds)
    if shown is None or not system:
        west, south, east, north = bounds
        return f"{west:,.0f}, {north:,.0f}", f"{east:,.0f}, {south:,.0f}"
    west, south, east, north = shown
    return f"{_degrees(north, 'NS')}, {_degrees(west, 'EW')}", f"{_degrees(south, 'NS')}, {_degrees(east, 'EW')}"


def _degrees(value: float, letters: str) -> str:
    return f"{abs(value):.3f}° {letters[value < 0]}"
