"""What files say of themselves without a look at their pixels. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import rasterio
import rasterio.shutil
from rasterio.enums import ColorInterp, MaskFlags

from terrasweep.data.in_parts import InParts
from terrasweep.results.errors import first_line, raise_out_of_memory

_READERS = 8
"""Threads: opening a file mostly waits for the disk."""
_PART = 500
"""Files whose headers are kept together."""
UPRIGHT = 1
"""EXIF's number for an image whose first row is its upper edge."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """One image file."""

    file: str
    driver: str
    """GDAL's name of the format: ``GTiff``, ``PNG``, ``JPEG``, ..."""
    height: int
    """Pixels, as are those of ``width``."""
    width: int
    dtypes: tuple[str, ...]
    """Per band, as are the following."""
    no_data: tuple[float | None, ...]
    names: tuple[str, ...]
    """Descriptions; empty texts where there are none."""
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    colours: tuple[str, ...]
    """What GDAL says that a band is: ``red``, ``alpha``, ``palette``, ``gray``, ``undefined``, ..."""
    crs: str = ""
    """Coordinate system as WKT; empty where there is none."""
    transform: tuple[float, ...] | None = None
    """``(a, b, c, d, e, f)`` of rasterio's Affine; None where the file has no place on the ground."""
    has_mask: bool = False
    """Whether a mask of its own says which pixels are valid."""
    orientation: int = UPRIGHT
    """EXIF's number, 1 to 8."""
    palette: tuple[tuple[int, ...], ...] = ()
    """Red, green, blue and alpha by pixel value, where the file has a colour table."""
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def count(self) -> int:
        """Number of bands."""
        return len(self.dtypes)


def read_header(file: Path) -> Header:
    """Open a file and note what it says of itself.

    Raises:
        rasterio.errors.RasterioError: It is no image, or is damaged.
    """
    with rasterio.open(file) as image:
        tags = image.tags()
        return Header(
            file=str(file),
            driver=image.driver,
            height=image.height,
            width=image.width,
            dtypes=tuple(image.dtypes),
            no_data=tuple(image.nodatavals),
            names=tuple(text or "" for text in image.descriptions),
            scales=tuple(image.scales),
            offsets=tuple(image.offsets),
            colours=tuple(colour.name for colour in image.colorinterp),
            crs=image.crs.to_wkt() if image.crs else "",
            transform=None if image.transform.is_identity else tuple(image.transform)[:6],
            has_mask=any(
                MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags for flags in image.mask_flag_enums
            ),
            orientation=int(tags.get("EXIF_Orientation", UPRIGHT)),
            palette=_palette(image),
            tags=tuple(sorted(tags.items())),
        )


def read_headers(files: Iterable[Path], parts: InParts | None = None) -> tuple[dict[str, Header], dict[str, str]]:
    """The headers of many files, several at a time.

    Args:
        files: Their paths.
        parts: How it is done where they are very many.

    Returns:
        By path, the headers, and the reasons of those that can't be read.

    Raises:
        HostOutOfMemory: The host has no memory left; that says nothing about a file.
    """
    paths = list(files)
    read = (parts or InParts()).over("Reading headers", paths, _read_some, size=_PART)
    found = dict(zip(map(str, paths), (header for some in read for header in some), strict=True))
    headers = {file: header for file, header in found.items() if isinstance(header, Header)}
    return headers, {file: reason for file, reason in found.items() if isinstance(reason, str)}


def _read_some(paths: Sequence[Path]) -> list[Header | str]:
    with ThreadPoolExecutor(_READERS) as readers:
        return list(readers.map(_attempt, paths))


def _attempt(file: Path) -> Header | str:
    try:
        return read_header(file)
    except (rasterio.errors.RasterioError, OSError, ValueError) as error:
        raise_out_of_memory(error)
        return first_line(error)


def declared_no_data(file: str) -> float | None:
    """The value that a file declares to be no data, also one that its number type can't hold, which others leave out.

    Raises:
        rasterio.errors.RasterioError: It is no image, or is damaged.
    """
    with rasterio.MemoryFile(ext=".vrt") as described:
        rasterio.shutil.copy(file, described.name, driver="VRT")
        found = re.search(rb"<NoDataValue>(.*?)</NoDataValue>", described.read())
    return None if found is None else float(found[1])


def _palette(image: rasterio.DatasetReader) -> tuple[tuple[int, ...], ...]:
    if image.colorinterp[0] != ColorInterp.palette:
        return ()
    table = image.colormap(1)
    return tuple(table[value] for value in sorted(table))
