"""A view of an image in other pixels: a warped GDAL virtual raster, which no reader needs to know. Imports no torch.

GDAL's warper weighs each pixel by the area that it has in a new one, and passes over what is no data; its plain
reading, which a virtual raster's ``SrcRect`` and ``DstRect`` would use, does neither for every ratio.
Format: https://gdal.org/en/stable/drivers/raster/vrt.html#warped-vrt
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from terrasweep.data.views.headers import Header
from terrasweep.data.views.pixel_grid import PixelGrid
from terrasweep.data.views.view import ENDING, GDAL_TYPES, BandSource, View, root_element, whole_file, write_view
from terrasweep.machine.files import write_unflushed

_METHODS = {"nearest": "NearestNeighbour", "mode": "Mode", "average": "Average", "bilinear": "Bilinear"}
"""GDAL's words in resampling options, and those of its warper."""
_BLOCK_PX = 512
"""Side of what is computed at once."""


def resampled(view: View, header: Header, grid: PixelGrid, how: str, file: Path) -> View:
    """A view on another grid.

    Args:
        view: How the file is read in its own pixels.
        header: Of the file.
        grid: Where the new pixels lie.
        how: ``nearest``, ``mode``, ``average`` or ``bilinear``. What is no data counts in none of them.
        file: Is written, ending in :data:`~terrasweep.data.views.view.ENDING`.
    """
    if view == whole_file(header) and view.validity is None and len(set(header.no_data)) == 1:
        source = header.file
    else:  # Its values are to be what they mean before they are mixed.
        source = str(write_view(view, file.with_name(f"{file.stem}_stored{ENDING}")))
    placed = replace(grid.of(view), window=None, stretched_from=None, resampling="nearest")
    write_unflushed(file, tostring(_warped(placed, source, grid, how), encoding="unicode"))
    count = len(view.bands)
    return replace(
        placed,
        bands=tuple(BandSource(file=str(file), number=n, no_data=view.no_data) for n in range(1, count + 1)),
        validity=None if view.validity is None else BandSource(file=str(file), number=count + 1),
    )


def _warped(view: View, source: str, grid: PixelGrid, how: str) -> Element:
    root = root_element(view)
    root.set("subClass", "VRTWarpedDataset")
    for number, name in enumerate(view.names, 1):
        band = SubElement(root, "VRTRasterBand", _band(view, number))
        if name:
            SubElement(band, "Description").text = name
        if view.no_data is not None:
            SubElement(band, "NoDataValue").text = repr(float(view.no_data))
    if view.validity is not None:
        SubElement(SubElement(root, "VRTRasterBand", _band(view, len(view.bands) + 1)), "ColorInterp").text = "Alpha"
    SubElement(root, "BlockXSize").text = str(min(_BLOCK_PX, view.width))
    SubElement(root, "BlockYSize").text = str(min(_BLOCK_PX, view.height))
    options = SubElement(root, "GDALWarpOptions")
    SubElement(options, "ResampleAlg").text = _METHODS[how]
    SubElement(options, "Option", name="INIT_DEST").text = "0" if view.no_data is None else "NO_DATA"
    SubElement(options, "Option", name="UNIFIED_SRC_NODATA").text = "NO"
    SubElement(options, "SourceDataset", relativeToVRT="0").text = source
    transformer = SubElement(SubElement(options, "Transformer"), "GenImgProjTransformer")
    for name, (across, down) in {"Src": (1.0, 1.0), "Dst": (grid.across, grid.down)}.items():
        SubElement(transformer, f"{name}GeoTransform").text = f"0,{across!r},0,0,0,{down!r}"
        SubElement(transformer, f"{name}InvGeoTransform").text = f"0,{1 / across!r},0,0,0,{1 / down!r}"
    mapped = SubElement(options, "BandList")
    for number in range(1, len(view.bands) + 1):
        band = SubElement(mapped, "BandMapping", src=str(number), dst=str(number))
        if view.no_data is not None:
            for key in ("SrcNoData", "DstNoData"):
                SubElement(band, f"{key}Real").text = repr(float(view.no_data))
                SubElement(band, f"{key}Imag").text = "0"
    if view.validity is not None:
        SubElement(options, "DstAlphaBand").text = str(len(view.bands) + 1)
    return root


def _band(view: View, number: int) -> dict[str, str]:
    return {"dataType": GDAL_TYPES[view.dtype], "band": str(number), "subClass": "VRTWarpedRasterBand"}
