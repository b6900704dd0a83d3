"""Headers that disagree about what is no data, or mark what no pixel of their file can be. Imports no torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

from terrasweep.data.find.sample_list import MASK
from terrasweep.data.inspect.extremes import ExtremesCount
from terrasweep.data.inspect.lone_values import find_lone_values, written
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.views.file_set import ERROR, NOTE, WARNING, FileSet, Remark
from terrasweep.data.views.headers import Header, declared_no_data
from terrasweep.data.views.reading_rules.no_data import holds, marked, named_no_data, no_data_key
from terrasweep.data.views.stored_marks import read_thinned
from terrasweep.results.errors import raise_out_of_memory
from terrasweep.results.wording import percent

_LOOKED_AT = 64
"""How many files of a kind are opened to see what headers don't tell."""
_UNMARKED_FORMATS = ("JPEG", "PNG")


def compare_no_data(files: FileSet) -> FileSet:
    """Look at what headers mark, where the configuration says nothing of it.

    What some files mark is no data in all, if it stands alone in the others; otherwise a person has to say.
    """
    for kind in files.headers:
        kept = kind == MASK and files.config.data.label_settings.keep_no_data
        if named_no_data(files, kind) is None and not kept:
            files = _told_by_some(files, kind)
            impossible = next(_impossible(files, kind), None)
            files = files.with_remarks(impossible) if impossible else files
    return files


@dataclass(frozen=True, kw_only=True)
class _Held:
    """A value in files that don't mark it."""

    first: Header
    share: float
    """Of the first file's pixels."""
    alone: bool
    """Whether it is far from all others."""


def _told_by_some(files: FileSet, kind: str) -> FileSet:
    marks = Counter(header.no_data[0] for header in files.readable(kind))
    silent = [index for index, header in enumerate(files.headers[kind]) if header and _is_silent(header)]
    values = [value for value, _ in marks.most_common() if value is not None and math.isfinite(value)]
    if not values or not silent:
        return files
    value = values[0]
    held = _held(files, kind, value, silent)
    if held is None:
        return files
    told = (
        f"data.root={files.config.data.root}: {marks[value]} of {len(files.readable(kind))} {_called(kind)} mark "
        f"{written(value)} as no data, and others hold it unmarked (first {Path(held.first.file).name}, "
        f"{percent(held.share)} of its pixels)"
    )
    if held.alone:
        able = [index for index in silent if _able(files.headers[kind][index], value)]
        line = f"{told}: far from all other values, it is read as no data in all of them"
        return marked(files, kind, value, able).with_remarks(Remark(rule="no-data-marks", level=NOTE, line=line))
    if kind == MASK:
        way_out = "set data.labels.keep_no_data=true where it is a class, or mark it in every mask"
    else:
        way_out = f"set {no_data_key(files, kind)}={written(value)}, and where it was measured, take the marks out"
    level = ERROR if kind == MASK else WARNING
    return files.with_remarks(Remark(rule="no-data-marks", level=level, line=f"{told}; {way_out}"))


def _is_silent(header: Header) -> bool:
    """Whether a file says nothing about which pixels are valid."""
    return header.no_data[0] is None and not header.has_mask and "alpha" not in header.colours


def _able(header: Header | None, value: float) -> bool:
    return header is not None and all(holds(dtype, value) for dtype in header.dtypes)


def _held(files: FileSet, kind: str, value: float, silent: list[int]) -> _Held | None:
    """Whether some of the silent files hold a value, and where it lies among the others."""
    first: tuple[Header, float] | None = None
    count = ExtremesCount()
    for header in _some([files.headers[kind][index] for index in silent]):
        if not _able(header, value) or any(dtype.startswith("complex") for dtype in header.dtypes):
            continue
        try:
            pixels = read_thinned(header.file).data.astype(np.float64)
        except rasterio.errors.RasterioError as error:
            raise_out_of_memory(error)
            continue  # The look at all samples tells.
        count.add(header.file, pixels[np.isfinite(pixels)])
        share = float((pixels == value).mean())
        first = first or ((header, share) if share else None)
    if first is None:
        return None
    alone = any(lone.value == value for lone in find_lone_values(count.extremes()))
    return _Held(first=first[0], share=first[1], alone=alone)


def _some(headers: list[Header | None]) -> list[Header]:
    """At most so many files, evenly spread."""
    readable = [header for header in headers if header is not None]
    return readable[:: -(-len(readable) // _LOOKED_AT) or 1]


def _impossible(files: FileSet, kind: str) -> Iterator[Remark]:
    """Values that are marked, though no pixel can be one."""
    for header in _some(list(files.headers[kind])):
        value = _declared(header)
        if value is None or math.isnan(value) or holds(header.dtypes[0], value):
            continue
        way_out = "take it out, or mark what the pixels hold instead"
        if kind == MASK:
            way_out += f" by task.ignore_index={_nearest(header.dtypes[0], value)}"
        else:
            way_out += f" by {no_data_key(files, kind)}={_nearest(header.dtypes[0], value)}"
        line = (
            f"data.root={files.config.data.root}: {_called(kind)} mark {written(value)} as no data (first "
            f"{Path(header.file).name}), which {header.dtypes[0]} can't hold, so that the mark is of no use; {way_out}"
        )
        yield Remark(rule="no-data-marks", level=WARNING, line=line)


def _declared(header: Header) -> float | None:
    if header.no_data[0] is not None or header.driver in _UNMARKED_FORMATS:
        return header.no_data[0]
    return declared_no_data(header.file)


def _nearest(dtype: str, value: float) -> str:
    """What a value becomes that is written into a number type all the same."""
    ends = np.finfo(dtype) if dtype.startswith("float") else np.iinfo(dtype)
    return written(float(min(max(value, float(ends.min)), float(ends.max))))


def _called(kind: str) -> str:
    return {MASK: "masks", IMAGE: "images"}.get(kind, f"images of {kind}")
