"""A view of image files: a GDAL virtual raster (VRT) that any reader opens like an image. Imports no torch.

Nothing is copied: bands are chosen, put in order, scaled, cut out or translated as they are read.
Format: https://gdal.org/en/stable/drivers/raster/vrt.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from terrasweep.config.band_choice import PHOTO
from terrasweep.data.views.headers import Header
from terrasweep.machine.files import write_unflushed

ENDING = ".vrt"
GDAL_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "uint64": "UInt64",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
    "complex64": "CFloat32",
    "complex128": "CFloat64",
    "complex_int16": "CInt16",
}
"""rasterio's names of number types, and GDAL's."""


@dataclass(frozen=True, kw_only=True)
class BandSource:
    """One band of a file, and what becomes of its values: ``lookup(value) * scale + offset``."""

    file: str
    number: int = 1
    """From 1, as in GDAL."""
    no_data: float | None = None
    """Value in the file that stands for nothing."""
    scale: float = 1.0
    offset: float = 0.0
    lookup: tuple[tuple[float, float], ...] = ()
    """Points of a piecewise linear function, by rising value; see :func:`exact_lookup`."""
    masked: bool = False
    """Whether pixels that the file itself says to be no data are so in the view, too, by the view's value for them;
    ``no_data`` has to be None then."""

    @property
    def is_plain(self) -> bool:
        """Whether values stay as they are."""
        return (self.no_data, self.scale, self.offset, self.lookup, self.masked) == (None, 1.0, 0.0, (), False)


@dataclass(frozen=True, kw_only=True)
class View:
    """An image as it is to be read."""

    height: int
    """Pixels, as are those of ``width``."""
    width: int
    bands: tuple[BandSource, ...]
    names: tuple[str, ...]
    """Of the bands; empty texts where they have none."""
    dtype: str
    """Number type of all bands, by rasterio's name."""
    no_data: float | None = None
    """Value that stands for nothing in what is read."""
    validity: BandSource | None = None
    """Band that is 0 where a pixel is no data."""
    crs: str = ""
    transform: tuple[float, ...] | None = None
    """As in :class:`~terrasweep.data.views.headers.Header`, of the part that is read."""
    window: tuple[int, int, int, int] | None = None
    """Column, row, width and height, in the files' pixels, of the part that is read; None: all."""
    stretched_from: tuple[int, int] | None = None
    """Height and width of the files where they are another size than the view, which shows all of them."""
    resampling: str = "nearest"
    """GDAL's word for how they are brought to its size: ``nearest``, ``mode``, ``average``, ..."""
    tags: tuple[tuple[str, str], ...] = ()


def whole_file(header: Header) -> View:
    """The view that shows a file as it is."""
    return View(
        height=header.height,
        width=header.width,
        bands=tuple(
            BandSource(file=header.file, number=number, no_data=no_data)
            for number, no_data in enumerate(header.no_data, 1)
        ),
        names=_names(header),
        dtype=_common_type(header.dtypes),
        no_data=header.no_data[0] if header.no_data else None,
        validity=BandSource(file=header.file, number=0) if header.has_mask or "alpha" in header.colours else None,
        crs=header.crs,
        transform=header.transform,
    )


def _names(header: Header) -> tuple[str, ...]:
    """The bands' own names; those of a photo where it has none."""
    is_photo = header.count == len(PHOTO) and header.driver not in ("GTiff", "VRT")
    return PHOTO if is_photo and not all(header.names) else header.names


def exact_lookup(mapping: Mapping[int, int], lowest: int, highest: int) -> tuple[tuple[float, float], ...]:
    """Points of the function that sends each whole number to what ``mapping`` says, and all others to themselves.

    GDAL draws straight lines between the points, and beyond the first and the last it stays level.

    Args:
        mapping: Value to value.
        lowest: Smallest whole number that can occur.
        highest: The largest.
    """
    points = {lowest: lowest, highest: highest}
    for value in mapping:
        for neighbour in (value - 1, value + 1):
            if lowest <= neighbour <= highest:
                points.setdefault(neighbour, neighbour)
    points |= {value: target for value, target in mapping.items() if lowest <= value <= highest}
    return tuple((float(value), float(points[value])) for value in sorted(points))


def moved(transform: tuple[float, ...], columns: int, rows: int) -> tuple[float, ...]:
    """The transform of a part that begins so many pixels inside an image."""
    a, b, c, d, e, f = transform
    return a, b, c + columns * a + rows * b, d, e, f + columns * d + rows * e


def root_element(view: View) -> Element:
    """The beginning of a virtual raster: its size, its place and its tags."""
    _, _, width, height = view.window or (0, 0, view.width, view.height)
    root = Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    if view.crs:
        SubElement(root, "SRS").text = view.crs
    if view.transform is not None:
        a, b, west, d, e, north = view.transform
        SubElement(root, "GeoTransform").text = ", ".join(map(repr, (west, a, b, north, d, e)))
    if view.tags:
        tags = SubElement(root, "Metadata")
        for key, value in view.tags:
            SubElement(tags, "MDI", key=key).text = value
    return root


def write_view(view: View, target: Path) -> Path:
    """Write a view to a file that ends in :data:`ENDING`; it is on the disk once everything is flushed."""
    root = root_element(view)
    for number, (source, name) in enumerate(zip(view.bands, view.names, strict=True), 1):
        band = SubElement(root, "VRTRasterBand", dataType=GDAL_TYPES[view.dtype], band=str(number))
        if name:
            SubElement(band, "Description").text = name
        if view.no_data is not None:
            SubElement(band, "NoDataValue").text = repr(float(view.no_data))
        _add_source(band, source, view)
    if view.validity is not None:
        mask = SubElement(SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
        _add_source(mask, view.validity, replace(view, resampling="nearest"))
    write_unflushed(target, tostring(root, encoding="unicode"))
    return target


def _add_source(band: Element, source: BandSource, view: View) -> None:
    """A plain copy of pixels, or one that translates them. Band 0 is the mask that the file itself has."""
    how = {} if view.resampling == "nearest" else {"resampling": view.resampling}
    node = SubElement(band, "SimpleSource" if source.is_plain else "ComplexSource", how)
    SubElement(node, "SourceFilename", relativeToVRT="0").text = source.file
    SubElement(node, "SourceBand").text = str(source.number) if source.number else "mask,1"
    column, row, width, height = view.window or (0, 0, view.width, view.height)
    _add_rectangle(node, "SrcRect", column, row, view.stretched_from or (height, width))
    _add_rectangle(node, "DstRect", 0, 0, (height, width))
    if source.no_data is not None:
        SubElement(node, "NODATA").text = repr(float(source.no_data))
    if source.masked:
        SubElement(node, "UseMaskBand").text = "true"
    if (source.scale, source.offset) != (1.0, 0.0):
        SubElement(node, "ScaleOffset").text = repr(source.offset)
        SubElement(node, "ScaleRatio").text = repr(source.scale)
    if source.lookup:
        SubElement(node, "LUT").text = ",".join(f"{value!r}:{target!r}" for value, target in source.lookup)


def _add_rectangle(node: Element, name: str, column: int, row: int, size: tuple[int, int]) -> None:
    height, width = map(str, size)
    SubElement(node, name, xOff=str(column), yOff=str(row), xSize=width, ySize=height)


def _common_type(dtypes: tuple[str, ...]) -> str:
    """The one number type of all bands, or one that holds them all."""
    return dtypes[0] if len(set(dtypes)) == 1 else "float64"
