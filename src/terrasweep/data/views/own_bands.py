"""What the bands in files are called, and whether one of them only says which pixels are valid. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import rasterio

from terrasweep.config.band_choice import PHOTO, OwnBands
from terrasweep.config.data import DataConfig
from terrasweep.data.find.sample_list import Listing
from terrasweep.data.views.frames import of_first_dates
from terrasweep.data.views.headers import Header, read_headers
from terrasweep.results.errors import raise_out_of_memory

ALPHA = "ALPHA"
"""Name of the fourth band of a photo, and GDAL's word for it, in small letters."""
_LOOKED_AT = 12
"""Files from which a set's alpha band is judged."""
_PX = 256
"""Side of what is read of each."""
_PARTLY = 0.05
"""Share of half-transparent pixels, as at the seams of an orthophoto, above which a band is no alpha band."""
_T = TypeVar("_T")


def descriptions(header: Header) -> tuple[str, ...] | None:
    """The names that a file gives its bands, fit for a configuration; None unless each has one of its own."""
    names = tuple(re.sub(r"\W+", "_", name) for name in header.names)
    return names if all(names) and len({name.casefold() for name in names}) == header.count else None


def band_names(header: Header) -> tuple[str, ...]:
    """What a file's bands are called: its descriptions, the colours of a photo, else ``B1``, ``B2``, ..."""
    if (described := descriptions(header)) is not None:
        return described
    if header.driver not in ("GTiff", "VRT"):
        if header.count == len(PHOTO):
            return PHOTO
        if header.count == len(PHOTO) + 1 and has_alpha(header):
            return (*PHOTO, ALPHA)
    return tuple(f"B{number}" for number in range(1, header.count + 1))


def has_alpha(header: Header) -> bool:
    """Whether a file's last band is marked as alpha."""
    return header.count > 1 and header.colours[-1] == ALPHA.lower()


def read_own_bands(listing: Listing, data: DataConfig) -> dict[str, OwnBands]:
    """By modality the bands of its first file, of one date; absent where none can be read."""
    own = {}
    for kind in listing.modalities:
        files = [listing.file(split, name, kind) for split, names in listing.names.items() for name in names]
        headers, _ = read_headers(spread(files))
        if headers:
            own[kind] = own_bands(of_first_dates(listing, kind, headers.values(), data))
    return own


def own_bands(headers: Sequence[Header]) -> OwnBands:
    """The bands of the first of some files that describes its bands, or of the first; all tell what alpha bands are."""
    first = next((header for header in headers if descriptions(header)), headers[0])
    alpha = has_alpha(first) and holds_validity(header for header in headers if has_alpha(header))
    return OwnBands(
        names=band_names(first),
        read=tuple(range(first.count - alpha)),
        described=descriptions(first) is not None,
        has_alpha=has_alpha(first),
    )


def spread(things: Sequence[_T], number: int = _LOOKED_AT) -> list[_T]:
    """At most so many of some things, from the first on, at even distances."""
    step = max(1, -(-len(things) // number))
    return list(things[::step])


def holds_validity(headers: Iterable[Header]) -> bool:
    """Whether the alpha bands of some files are what they are called: 0, fully opaque, or one value everywhere.

    GDAL marks the fourth band as alpha in files that were written as red, green and blue, near infrared or not.
    """
    values = [pixels for header in spread(list(headers)) if (pixels := _alpha(header)).size]
    if not values:
        return True
    pooled = np.concatenate(values)
    partly = (pooled > 0) & (pooled < pooled.max())
    return float(partly.mean()) <= _PARTLY


def _alpha(header: Header) -> np.ndarray:
    """Some pixels of a file's last band."""
    shape = (min(header.height, _PX), min(header.width, _PX))
    try:
        with rasterio.open(Path(header.file)) as image:
            pixels: np.ndarray = image.read(header.count, out_shape=shape).ravel()
    except rasterio.errors.RasterioError as error:
        raise_out_of_memory(error)
        return np.empty(0)
    return pixels
