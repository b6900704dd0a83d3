"""Which number a class gets, and what becomes of the values that masks hold. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from terrasweep.config.data import IGNORE, LabelsConfig
from terrasweep.data.label_rules import is_whole
from terrasweep.data.views.file_set import ERROR, Remark
from terrasweep.data.views.view import exact_lookup
from terrasweep.results.wording import listed, nearest

Points = tuple[tuple[float, float], ...]
_NAMED = 8
"""How many classes a line names."""
_WHOLE_IN_FLOAT = 2**53
"""From here on a float64 has not every whole number."""


@dataclass(frozen=True, kw_only=True)
class ClassNumbers:
    """Classes by what stands for them: names, texts of numbers, or colours' names."""

    by_key: dict[str, int]
    names: list[str] | None
    """By number; None where the classes have numbers alone."""


def number_classes(keys: Iterable[str], ignored: int) -> ClassNumbers:
    """Numbers keep themselves, names are counted in their order, and ``ignore`` is what does not count."""
    classes = [key for key in keys if key != IGNORE]
    if all(map(is_whole, classes)):
        return ClassNumbers(by_key={key: int(key) for key in classes} | {IGNORE: ignored}, names=None)
    return ClassNumbers(by_key={key: n for n, key in enumerate(classes)} | {IGNORE: ignored}, names=classes)


def merge_classes(merge: Mapping[str, Any], ignored: int) -> ClassNumbers:
    """The number of each stored class, given those that belong together."""
    groups = number_classes(merge, ignored)
    members = {str(member): groups.by_key[group] for group, listed in merge.items() for member in listed}
    return ClassNumbers(by_key=members, names=groups.names)


def merged_numbers(
    classes: ClassNumbers, keys: list[str], labels: LabelsConfig, ignored: int
) -> tuple[ClassNumbers, list[Remark]]:
    """The numbers of classes once those that belong together are one, and what is wrong about that."""
    if labels.merge is None:
        return classes, []
    merged, remarks = merge_classes(labels.merge, ignored), []
    present = [key for key in keys if key != IGNORE]
    if lacking := [key for key in present if key not in merged.by_key]:
        remarks.append(unlisted(lacking))
    for member in merged.by_key:
        if member not in keys:
            line = f"data.labels.merge: {member} is no class of the labels; {nearest(member, present)}"
            remarks.append(Remark(rule="label-merge", level=ERROR, line=line))
    return ClassNumbers(by_key=dict.fromkeys(keys, ignored) | merged.by_key, names=merged.names), remarks


def unlisted(lacking: list[str]) -> Remark:
    """What is said of stored classes that ``data.labels.merge`` leaves out."""
    line = (
        f"data.labels.merge: no list has {listed(lacking, _NAMED)}, which occur; add each to a class, or to one called "
        f"{IGNORE}"
    )
    return Remark(rule="label-merge", level=ERROR, line=line)


def lookup_of(targets: Mapping[int, int], others: int | None, dtype: str) -> Points:
    """Points of the function that sends each value to its target.

    Args:
        targets: Stored whole number to class number.
        others: What all other values become; None: they stay.
        dtype: The masks' number type.
    """
    lowest, highest = _limits(dtype)
    if others is None:
        return exact_lookup(targets, lowest, highest)
    level = {neighbour: others for value in targets for neighbour in (value - 1, value + 1)}
    points = {lowest: others, highest: others} | level | dict(targets)
    return tuple((float(value), float(points[value])) for value in sorted(points) if lowest <= value <= highest)


def threshold_lookup(threshold: float, dtype: str) -> Points:
    """Points of the function that is 0 below a value and 1 from it on."""
    if np.issubdtype(np.dtype(dtype), np.integer):
        first = int(np.ceil(threshold))
        return ((float(first - 1), 0.0), (float(first), 1.0))
    return ((float(np.nextafter(threshold, -np.inf)), 0.0), (float(threshold), 1.0))


def type_for(numbers: Iterable[int], stored: str | None = None) -> str:
    """The number type of masks of such classes; ``stored``: whose values may stay as they are."""
    if stored is not None and np.issubdtype(np.dtype(stored), np.floating):
        return stored
    lowest, highest = _limits(stored) if stored is not None else (0, 0)
    values = (lowest, highest, *numbers)
    return next(name for name in ("int16", "int32", "int64") if _fits(values, name))


def _limits(dtype: str) -> tuple[int, int]:
    kind = np.dtype(dtype)
    if not np.issubdtype(kind, np.integer):
        return -_WHOLE_IN_FLOAT, _WHOLE_IN_FLOAT
    limits = np.iinfo(kind)
    return max(int(limits.min), -_WHOLE_IN_FLOAT), min(int(limits.max), _WHOLE_IN_FLOAT)


def _fits(values: Iterable[int], dtype: str) -> bool:
    limits = np.iinfo(dtype)
    return all(limits.min <= value <= limits.max for value in values)
