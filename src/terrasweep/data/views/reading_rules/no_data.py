"""What ``data.no_data`` names stands for nothing, beside what headers mark. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from terrasweep.data.inspect.lone_values import written
from terrasweep.data.views.file_set import ERROR, FileSet, Remark
from terrasweep.data.views.view import ENDING, BandSource, View, write_view
from terrasweep.results.wording import counted


def mark_no_data(files: FileSet) -> FileSet:
    """Mark the value that the configuration names in every file of a modality, unless their numbers can't be it."""
    for kind in files.modalities:
        value = named_no_data(files, kind)
        if value is not None and not math.isnan(value):
            strange = _of_other_types(files, kind, value)
            files = files.with_remarks(strange) if strange else marked(files, kind, value, range(len(files.samples)))
    return files


def named_no_data(files: FileSet, kind: str) -> float | None:
    """The value that the configuration names for a modality; None for masks."""
    data = files.config.data
    if kind not in files.modalities:
        return None
    own = data.modalities[kind].no_data if kind in data.modalities else None
    return data.no_data if own is None else own


def no_data_key(files: FileSet, kind: str) -> str:
    """The key that names it."""
    return f"data.modalities.{kind}.no_data" if kind in files.config.data.modalities else "data.no_data"


def holds(dtype: str, value: float) -> bool:
    """Whether a number type, by rasterio's name, has a value."""
    if "int" not in dtype or dtype.startswith("complex"):
        return dtype != "float32" or math.isnan(value) or abs(value) <= float(np.finfo(np.float32).max) * (1 + 1e-7)
    ends = np.iinfo(dtype)
    return math.isfinite(value) and value == round(value) and ends.min <= value <= ends.max


def marked(files: FileSet, kind: str, value: float, places: Iterable[int]) -> FileSet:
    """Files of a kind in which a value is no data, as is what their headers mark.

    Args:
        files: All files.
        kind: A modality, or masks.
        value: That their number types can hold.
        places: Indices of the files.
    """
    views = list(files.views[kind])
    for index in places:
        if (view := views[index]) is not None:
            inner = files.folder / "unmarked" / kind / f"{index:06}{ENDING}"
            views[index] = _with_no_data(view, _of_type(view.dtype, value), inner)
    return files.with_views(kind, views)


def _of_other_types(files: FileSet, kind: str, value: float) -> Remark | None:
    strange = [header for header in files.readable(kind) if not all(holds(dtype, value) for dtype in header.dtypes)]
    if not strange:
        return None
    dtype = next(dtype for dtype in strange[0].dtypes if not holds(dtype, value))
    line = (
        f"{no_data_key(files, kind)}={written(value)}: {counted(len(strange), 'file')} of numbers that can't be it "
        f"(first {Path(strange[0].file).name}, {dtype}); name a value that the files have"
    )
    return Remark(rule="no-data-type", level=ERROR, line=line)


def _with_no_data(view: View, value: float, inner: Path) -> View:
    """A view in which a value is no data, and what is so without it.

    GDAL knows one such value per band, and none beside a mask: other marks are brought to this value by a view of the
    view.
    """
    is_scaled = any((source.scale, source.offset) != (1.0, 0.0) for source in view.bands)
    seen = math.nan if is_scaled else value
    if all(source.no_data is None for source in view.bands):
        view = replace(view, no_data=seen, bands=tuple(replace(source, no_data=value) for source in view.bands))
    if view.validity is None and all(source.no_data == value for source in view.bands):
        return replace(view, no_data=seen)
    file = str(write_view(view, inner))
    bands = tuple(BandSource(file=file, number=number, masked=True) for number in range(1, len(view.bands) + 1))
    return replace(view, bands=bands, validity=None, no_data=seen, stretched_from=None)


def _of_type(dtype: str, value: float) -> float:
    """What a value is in a number type: 1e20 is none of 32 bits."""
    return float(np.float32(value)) if dtype == "float32" else value
