"""Photos are turned as their cameras were held, unless their masks were drawn on them unturned. Imports no torch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import rasterio

from terrasweep.data.find.sample_list import MASK
from terrasweep.data.views.file_set import NOTE, FileSet, Remark
from terrasweep.data.views.headers import UPRIGHT, Header
from terrasweep.data.views.view import View
from terrasweep.results.errors import raise_out_of_memory
from terrasweep.results.wording import counted

_TRANSPOSED = range(5, 9)
"""EXIF's numbers of photos that lie on their side."""
_WRITERS = 4


def turn_upright(files: FileSet) -> FileSet:
    """Show photos as every viewer and labelling tool shows them, since GDAL reads the pixels as they are stored.

    A mask of a photo that is no square tells by its height and width whether it was drawn on the turned photo or on
    the stored pixels; others follow the rest, and are turned where none tells.
    """
    unturned = _drawn_unturned(files)
    turned: list[str] = []
    for kind, headers in files.headers.items():
        chosen = [i for i, header in enumerate(headers) if header and _is_turned(header) and i not in unturned]
        if not chosen:
            continue
        turned += [files.place(kind, index) for index in chosen]
        with ThreadPoolExecutor(_WRITERS) as writers:
            copies = dict(zip(chosen, writers.map(partial(_turned, files, kind), chosen), strict=True))
        files = files.with_views(kind, [copies.get(index, view) for index, view in enumerate(files.views[kind])])
    stay = [files.place(files.modalities[0], index) for index in sorted(unturned)]
    return files.with_remarks(_remark(files, turned, stay)) if turned or stay else files


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as EXIF's number wants them to be shown.

    Args:
        pixels: Shape (bands, height, width), as stored.
        orientation: 1 to 8.

    Returns:
        Shape (bands, height, width), or (bands, width, height) from 5 on.
    """
    turned = pixels.swapaxes(1, 2) if orientation in _TRANSPOSED else pixels
    return turned[:, :: -1 if orientation in (3, 4, 7, 8) else 1, :: -1 if orientation in (2, 3, 6, 7) else 1]


def _is_turned(header: Header) -> bool:
    """Whether a viewer would turn it; an image with a place on the ground lies as it lies."""
    return header.orientation != UPRIGHT and header.orientation in range(2, 9) and header.transform is None


def _shown(header: Header) -> tuple[int, int]:
    """Height and width after turning."""
    size = (header.height, header.width)
    return size[::-1] if _is_turned(header) and header.orientation in _TRANSPOSED else size


def _drawn_unturned(files: FileSet) -> set[int]:
    """Samples whose mask lies on the stored pixels."""
    kind, masks = files.modalities[0], files.headers.get(MASK)
    if masks is None:
        return set()
    told: dict[int, bool | None] = {}
    for index, (photo, mask) in enumerate(zip(files.headers[kind], masks, strict=True)):
        if photo is not None and mask is not None and _is_turned(photo):
            stored = (photo.height, photo.width)
            fits = [size for size in {_shown(photo), stored} if size == _shown(mask)]
            told[index] = fits[0] == stored if fits and _shown(photo) != stored else None
    verdicts = {verdict for verdict in told.values() if verdict is not None}
    return {index for index, verdict in told.items() if verdict or (verdict is None and verdicts == {True})}


def _turned(files: FileSet, kind: str, index: int) -> View | None:
    """The view of a lossless copy with its pixels turned; a photo that can't be read stays, and is told with others."""
    header, view = files.headers[kind][index], files.views[kind][index]
    assert header is not None
    assert view is not None
    split, name = files.samples[index]
    target = files.folder / "turned" / split / kind / f"{name}.tif"
    try:
        with rasterio.open(header.file) as photo:
            pixels = upright(photo.read(), header.orientation)
    except rasterio.errors.RasterioError as error:
        raise_out_of_memory(error)
        return view
    target.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    profile = {"count": count, "height": height, "width": width, "dtype": pixels.dtype, "nodata": view.no_data}
    with rasterio.open(target, "w", driver="GTiff", compress="deflate", zlevel=1, predictor=2, **profile) as copy:
        copy.write(pixels)
    bands = tuple(replace(band, file=str(target)) for band in view.bands)
    return replace(view, height=height, width=width, bands=bands)


def _remark(files: FileSet, turned: list[str], unturned: list[str]) -> Remark:
    done = []
    if turned:
        done.append(
            f"{counted(len(turned), 'photo')} {'is' if len(turned) == 1 else 'are'} turned as the camera was held "
            f"(EXIF orientation; first {turned[0]}), as viewers and labelling tools show them"
        )
    if unturned:
        done.append(
            f"{counted(len(unturned), 'photo')} with an EXIF orientation {'stays' if len(unturned) == 1 else 'stay'} "
            f"as stored, since the masks have the stored height and width (first {unturned[0]})"
        )
    return Remark(rule="orientation", level=NOTE, line=f"data.root={files.config.data.root}: {'; '.join(done)}")
