"""What ``data.labels`` says about masks: values that become classes, colours that show them. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from terrasweep.config.data import IGNORE, LabelsConfig
from terrasweep.data.find.sample_list import MASK
from terrasweep.data.views.class_numbers import (
    ClassNumbers,
    Points,
    lookup_of,
    merge_classes,
    threshold_lookup,
    type_for,
    unlisted,
)
from terrasweep.data.views.file_set import NOTE, FileSet, Remark
from terrasweep.data.views.mask_colours import colours_in, values_in
from terrasweep.data.views.reading_rules.coloured_labels import (
    about_palettes,
    is_in_colours,
    propose_colours,
    read_by_colours,
)
from terrasweep.data.views.reading_rules.drawn_labels import draw_masks
from terrasweep.data.views.view import View
from terrasweep.results.wording import listed

_NAMED = 8
"""How many values a line names."""


def read_labels(files: FileSet) -> FileSet:
    """Masks as class numbers, by ``data.labels``; where it says nothing, what it could say of masks in colours."""
    labels = files.config.data.label_settings
    if files.config.task.name != "segmentation":
        return files
    if labels.vector is not None:
        return draw_masks(files)
    if labels.colours is not None:
        return read_by_colours(files, labels, labels.colours)
    in_colours = [header for header in files.readable(MASK) if is_in_colours(header)]
    if in_colours:
        found = colours_in(in_colours)
        if all(len(set(colour[:3])) == 1 and len(colour) == 3 for colour in found):
            files = _first_band(files)
        elif len(in_colours) == len(files.readable(MASK)):
            return propose_colours(files, found)
    return _translated(files, labels)


def _first_band(files: FileSet) -> FileSet:
    """Grey levels, which a photo's format holds three times."""
    views = [
        replace(view, bands=view.bands[:1], names=view.names[:1]) if header and view and is_in_colours(header) else view
        for header, view in zip(files.headers[MASK], files.views[MASK], strict=True)
    ]
    line = "masks have three equal bands, as grey in a photo's format; the first one is read"
    return files.with_views(MASK, views).with_remarks(Remark(rule="label-bands", level=NOTE, line=line))


def _translated(files: FileSet, labels: LabelsConfig) -> FileSet:
    """Masks of one band through a table of their values."""
    ignored = files.ignored
    if labels.threshold is not None:
        line = f"data.labels.threshold={labels.threshold:g}: values of masks below it are class 0, from it on class 1"
        points = partial(threshold_lookup, labels.threshold)
        return _looked_up(files.noted("label-values", line), points, {}, [0, 1])
    if labels.map is not None:
        targets = {int(value): ignored if to == IGNORE else int(to) for value, to in labels.map.items()}
        line = f"data.labels.map: values of masks become classes ({_pairs(labels.map)}); others stay"
        return _looked_up(files.noted("label-values", line), partial(lookup_of, targets, None), targets, None)
    if labels.merge is not None:
        merged = merge_classes(labels.merge, ignored)
        targets = {int(value): number for value, number in merged.by_key.items()}
        line = f"data.labels.merge: masks have the classes {_members(labels.merge)}"
        files = files.noted("label-values", line).with_remarks(*_without_group(files, merged))
        files = replace(files, class_names=merged.names)
        return _looked_up(files, partial(lookup_of, targets, ignored), targets, list(targets.values()))
    return files.with_remarks(*about_palettes(files))


def _looked_up(
    files: FileSet, points: Callable[[str], Points], targets: Mapping[int, int], numbers: list[int] | None
) -> FileSet:
    """The files with other values in their masks.

    Args:
        files: All.
        points: The function of the values, given their number type.
        targets: Values that are named.
        numbers: All that can come out; None: what isn't named stays.
    """
    views: list[View | None] = []
    for view in files.views[MASK]:
        if view is None or len(view.bands) != 1:
            views.append(view)
            continue
        possible = [files.ignored, *(targets.values() if numbers is None else numbers)]
        dtype = type_for(possible, view.dtype if numbers is None or view.dtype.startswith("float") else None)
        views.append(_through(view, points(view.dtype), dtype, files.ignored, targets))
    return files.with_views(MASK, views)


def _through(view: View, lookup: Points, dtype: str, ignored: int, named: Container[float]) -> View:
    """A view with other values. What the file marks as no data stays so, unless the user names that value."""
    source = view.bands[0]
    no_data = None if source.no_data in named else source.no_data
    if no_data is None and view.dtype.startswith("float"):
        no_data = math.nan  # A table of values would make it 0.
    kept = no_data is not None or view.validity is not None or source.masked
    band = replace(source, no_data=no_data, lookup=lookup)
    return replace(view, bands=(band,), dtype=dtype, no_data=float(ignored) if kept else None)


def _without_group(files: FileSet, merged: ClassNumbers) -> Iterable[Remark]:
    found = values_in([header for header in files.readable(MASK) if header.count == 1])
    lacking = [value for value in sorted(found) if str(value) not in merged.by_key and value != files.ignored]
    if lacking:
        yield unlisted(list(map(str, lacking)))


def _pairs(table: dict[str, Any]) -> str:
    return listed((f"{value} to {target}" for value, target in table.items()), _NAMED)


def _members(merge: dict[str, Any]) -> str:
    return listed((f"{name} ({', '.join(map(str, members))})" for name, members in merge.items()), _NAMED)
