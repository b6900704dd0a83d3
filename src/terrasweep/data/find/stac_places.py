"""When a STAC item was, where it is, and what items of one place have in common. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from terrasweep.data.find.dates import dates_in


def when(properties: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """What items are sorted by, and the day of one in ISO's form; of a period its middle."""
    text = str(properties.get("datetime") or "")
    if day := _days(text)[:1]:
        return text, (day[0].isoformat(),)
    ends = [day for key in ("start_datetime", "end_datetime") for day in _days(str(properties.get(key) or ""))[:1]]
    if not ends:
        return "", ()
    middle = date.fromordinal((ends[0].toordinal() + ends[-1].toordinal()) // 2).isoformat()
    return middle, (middle,)


def _days(text: str) -> list[date]:
    return dates_in(text.partition("T")[0])


def sites(item: Mapping[str, Any]) -> dict[str, str]:
    """What is alike for items of one place: the pixels' grid by the projection extension, or the geometry."""
    properties = item.get("properties") or {}
    grid = [properties.get(f"proj:{key}") for key in ("code", "epsg", "wkt2", "projjson", "shape")]
    extent = properties.get("proj:transform") or properties.get("proj:bbox")
    # A ring may begin at any of its corners.
    corners = sorted({str(_rounded(list(point))) for point in _corners(item.get("geometry"))})
    told = {
        "their geometry": corners or item.get("bbox"),
        "their grid": [*grid, extent] if extent else None,
    }
    return {what: json.dumps(_rounded(value), sort_keys=True) for what, value in told.items() if value}


def _rounded(value: Any) -> Any:
    """Numbers to a ten-millionth, a centimetre of latitude: writers round differently."""
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return round(value, 7) if isinstance(value, float) else value


def centre(item: Mapping[str, Any]) -> tuple[float, float] | None:
    """Latitude and longitude of the middle of an item's box, which may span the 180th meridian."""
    box = item.get("bbox") or _box(item.get("geometry"))
    if not isinstance(box, list) or len(box) not in (4, 6) or not all(isinstance(end, int | float) for end in box):
        return None
    west, south, east, north = (box[place] for place in (0, 1, len(box) // 2, len(box) // 2 + 1))
    return (south + north) / 2, ((west + east + (360 if west > east else 0)) / 2 + 180) % 360 - 180


def _box(geometry: Any) -> list[Any] | None:
    points = list(_corners(geometry))
    if not points:
        return None
    if not all(isinstance(number, int | float) for point in points for number in point):
        return None
    longitudes, latitudes = zip(*points, strict=True)
    return [min(longitudes), min(latitudes), max(longitudes), max(latitudes)]


def _corners(geometry: Any) -> Iterator[tuple[Any, Any]]:
    return _points(geometry.get("coordinates") if isinstance(geometry, dict) else None)


def _points(coordinates: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(coordinates, list) and coordinates:
        if isinstance(coordinates[0], list):
            for inner in coordinates:
                yield from _points(inner)
        elif len(coordinates) > 1:
            yield coordinates[0], coordinates[1]
