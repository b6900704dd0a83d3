"""Coordinate systems, as far as the rules compare them. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rasterio.crs import CRS, CPLE_BaseError
from rasterio.errors import CRSError, RasterioError

METRES_PER_DEGREE = 111_195.0
"""Of latitude, on a sphere of the Earth's mean radius, 6,371 km."""
NOT_ON_EARTH = (RasterioError, CPLE_BaseError)
"""What rasterio raises where no degrees are known of a place: some of GDAL's errors come as they are."""


@dataclass(frozen=True, kw_only=True)
class System:
    """A coordinate system."""

    system: str
    """``EPSG:32633``, or its name."""
    name: str
    """Of its unit: ``metre``, ``degree``, ..."""
    metres: float | None
    """Length of the unit; of a degree, that of latitude. None where nobody knows."""
    is_geographic: bool = False


@lru_cache(maxsize=256)
def unit(crs: str) -> System:
    """What a coordinate system measures in.

    Args:
        crs: As WKT; an empty text has no unit.
    """
    try:
        known = CRS.from_wkt(crs) if crs else None
    except CRSError:
        known = None
    if known is None:
        return System(system="an unknown coordinate system", name="units", metres=None)
    code = known.to_epsg()
    text = f"EPSG:{code}" if code else crs.split('"')[1] if '"' in crs else "a system of its own"
    if known.is_geographic:
        return System(system=text, name="degrees", metres=METRES_PER_DEGREE, is_geographic=True)
    try:
        name, factor = known.linear_units_factor
    except CRSError:  # Not projected from the Earth: a building site's own, say.
        return System(system=text, name="units", metres=None)
    return System(system=text, name=f"{name}s" if name in ("metre", "meter") else name, metres=factor)


@lru_cache(maxsize=1024)
def is_same_system(one: str, other: str) -> bool:
    """Whether two texts in WKT are of one coordinate system."""
    if one == other:
        return True
    try:
        return bool(CRS.from_wkt(one) == CRS.from_wkt(other))
    except CRSError:
        return False
