"""Files of one kind that declare different scales and offsets are read in physical units. Imports no torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio

from terrasweep.data.find.sample_list import MASK
from terrasweep.data.inspect.lone_values import written
from terrasweep.data.views.file_set import ERROR, NOTE, WARNING, FileSet, Remark
from terrasweep.data.views.headers import Header
from terrasweep.data.views.own_bands import spread
from terrasweep.data.views.reading_rules.no_data import named_no_data, no_data_key
from terrasweep.data.views.stored_marks import find_stored_mark
from terrasweep.data.views.view import BandSource, View
from terrasweep.results.errors import raise_out_of_memory
from terrasweep.results.wording import counted, listed, percent, rounded

_PX = 128
"""Side of what is read of a file to see how large its values are."""
_APART = 10.0
"""Factor by which scaling may bring files apart before it is taken for a tag that some files lost."""

_Scaling = tuple[tuple[float, ...], tuple[float, ...]]


def apply_scales(files: FileSet) -> FileSet:
    """Read files as ``stored * scale + offset``, in 32-bit floating point, where they don't all declare the same.

    Where all do, their values stay as stored: the band statistics fit them. So they do where files without a
    declaration have stored values as large as those with one, and the declaration was lost.
    """
    targets = [MASK] if MASK in files.headers and files.config.task.name == "regression" else []
    for kind in [*files.modalities, *targets]:
        scalings = [_scaling(header) if header else None for header in files.headers[kind]]
        different = Counter(scaling for scaling in scalings if scaling is not None)
        if len(different) < 2 or len({len(scales) for scales, _ in different}) > 1:
            continue
        if _lost(files.readable(kind), different):
            files = files.with_remarks(_remark(files, kind, different, lost=True))
            continue
        views = [
            _scaled(view, scaling) if view and scaling else view
            for view, scaling in zip(files.views[kind], scalings, strict=True)
        ]
        marks = _marks(files, kind, scalings)
        files = files.with_views(kind, views).with_remarks(_remark(files, kind, different, lost=False), *marks)
    return files


def _marks(files: FileSet, kind: str, scalings: Sequence[_Scaling | None]) -> Iterator[Remark]:
    """A value that stands for nothing in what is stored: scaled by several scales it would be several numbers."""
    if kind == MASK or named_no_data(files, kind) is not None:
        return
    by_scaling: dict[_Scaling, list[tuple[Header, list[int]]]] = {}
    for header, view, scaling in zip(files.headers[kind], files.views[kind], scalings, strict=True):
        if header and view and scaling:
            by_scaling.setdefault(scaling, []).append((header, [band.number for band in view.bands]))
    found = {scaling: lone for scaling, of in by_scaling.items() if (lone := find_stored_mark(of)) is not None}
    if not found:
        return
    (scales, offsets), lone = next(iter(found.items()))
    key, value = no_data_key(files, kind), written(lone.value)
    replacement = float(f"{lone.mean * scales[0] + offsets[0]:.3g}")
    line = (
        f"{files.subject(kind)}: {percent(lone.share)} of the stored pixels of a band are {value} (first in "
        f"{lone.first}), far from all others, and nothing marks it as no data: it would be scaled and learnt as a "
        f"measurement; where it stands for nothing, set {key}={value} data.no_data_replace={replacement:g}, and where "
        f"it was measured, {key}=nan"
    )
    yield Remark(rule="undeclared-no-data", level=ERROR, line=line)


def _scaling(header: Header) -> _Scaling:
    return header.scales, header.offsets


def _is_plain(scaling: _Scaling) -> bool:
    return set(scaling[0]) == {1.0} and set(scaling[1]) == {0.0}


def _scaled(view: View, scaling: _Scaling) -> View:
    return replace(
        view,
        bands=tuple(_scaled_band(band, scaling) for band in view.bands),
        dtype="float32",
        no_data=math.nan if any(band.no_data is not None for band in view.bands) else None,
    )


def _scaled_band(band: BandSource, scaling: _Scaling) -> BandSource:
    scale, offset = scaling[0][band.number - 1], scaling[1][band.number - 1]
    return replace(band, scale=band.scale * scale, offset=band.offset * scale + offset)


def _lost(headers: Sequence[Header], different: Counter[_Scaling]) -> bool:
    """Whether files without a declaration are as large as the others' stored values, and scaling would part them."""
    plain = [header for header in headers if _is_plain(_scaling(header))]
    declared = [header for header in headers if not _is_plain(_scaling(header))]
    if not plain or not declared:
        return False
    there = _magnitude(plain, physical=False)
    stored, physical = (_magnitude(declared, physical=physical) for physical in (False, True))
    if min(there, stored, physical) <= 0:
        return False
    return abs(math.log(physical / there)) > abs(math.log(stored / there)) + math.log(_APART)


def _magnitude(headers: Sequence[Header], *, physical: bool) -> float:
    """The median size of some files' values; 0 where none can be read."""
    medians = [median for header in spread(headers) if (median := _median(header, physical=physical)) is not None]
    return float(np.median(medians)) if medians else 0.0


def _median(header: Header, *, physical: bool) -> float | None:
    shape = (min(header.height, _PX), min(header.width, _PX))
    try:
        with rasterio.open(Path(header.file)) as image:
            values = image.read(1, out_shape=shape, masked=True).compressed().astype(np.float64)
    except rasterio.errors.RasterioError as error:
        raise_out_of_memory(error)
        return None
    values = values[np.isfinite(values)]
    if physical:
        values = values * header.scales[0] + header.offsets[0]
    return float(np.median(np.abs(values))) if values.size else None


def _remark(files: FileSet, kind: str, different: Counter[_Scaling], *, lost: bool) -> Remark:
    place = files.subject(kind)
    seen = listed(f"{_described(scaling)} in {counted(count, 'file')}" for scaling, count in different.most_common())
    if lost:
        line = (
            f"{place}: files declare different scales ({seen}), though their stored values are alike, so that some may "
            "have lost the tag; read as stored; give all files the same scale and offset"
        )
        return Remark(rule="scales", level=WARNING, line=line)
    line = f"{place}: files declare different scales ({seen}); all are read as stored * scale + offset, in float32"
    return Remark(rule="scales", level=NOTE, line=line)


def _described(scaling: _Scaling) -> str:
    """The scale and offset of the first band that has any."""
    if _is_plain(scaling):
        return "none"
    scale, offset = next(pair for pair in zip(*scaling, strict=True) if pair != (1.0, 0.0))
    return f"scale {rounded(scale)} offset {rounded(offset)}"
