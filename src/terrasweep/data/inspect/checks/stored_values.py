"""Checks of masks whose values are no class numbers: what they look like, and the key that reads them so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from terrasweep.config.data import LabelsConfig
from terrasweep.data.inspect.checks.case import ERROR, Case, Check
from terrasweep.results.wording import counted, percent

MANY = 64
"""More classes than this that nobody named or counted are hardly meant."""
SLIVERS = 16
"""From so many classes on, most of them tiny, they are hardly meant either."""
TINY = 0.01
"""A class with less than this part of an even share is tiny."""
_LISTED = 16
"""The most values that a ready key lists."""
_ENDS = 8
"""Values in the lowest and the highest of so many parts of the range are near its ends."""
_AT_ENDS = 0.75
"""Share of pixels near both ends from which on grey levels are of two classes."""
_TWICE = 2
"""So many times what is between them has to be near each end."""
_LEVELS = 3
"""Fewer values away from the lower end are single numbers, like 255 for no data, and no grey levels."""


def looks_like(case: Case) -> tuple[str, str] | None:
    """What the values of masks look like, and the key that makes classes of them; None where nothing is seen."""
    counts = _counts(case)
    if case.task != "segmentation" or len(counts) < 2 or not _is_as_stored(case):
        return None
    values = sorted(counts)
    if len(values) == 2:
        return f"two classes, stored as {values[0]} and {values[1]}", f"data.labels.map={_map(values)}"
    share, middle = _at_ends(counts), (values[0] + values[-1] + 1) // 2
    if share is not None:
        text = (
            f"grey levels of two classes ({percent(share)} of the pixels near {values[0]} or {values[-1]}), as "
            "blurring, resampling or JPEG make them"
        )
        return text, f"data.labels.threshold={middle}"
    return None


def renumbered(case: Case) -> str | None:
    """The key that numbers the stored values without gaps; None where they are too many to list."""
    values = sorted(_counts(case))
    return f"data.labels.map={_map(values)}" if 2 <= len(values) <= _LISTED and _is_as_stored(case) else None


def is_doubtful(case: Case) -> bool:
    """Whether there are more classes than anybody means, so that nothing else is to be said of them."""
    return any(True for _ in _many(case))


def _many(case: Case) -> Iterator[str]:
    counts = case.class_counts("train")
    if case.task != "segmentation" or _is_stated(case) or len(counts) < SLIVERS:
        return
    tiny = sum(count < TINY * sum(counts.values()) / len(counts) for count in counts.values())
    if len(counts) <= MANY and tiny * 2 <= len(counts):
        return
    few = f", {tiny} of them of almost no pixels" if tiny else ""
    stated = f"data.num_classes={max(counts) + 1} if all are classes"
    seen = looks_like(case)
    yield f"data.num_classes=null: masks of train have {counted(len(counts), 'label')} from {min(counts)} to " + (
        f"{max(counts)}{few}: they look like {seen[0]}; set '{seen[1]}', or {stated}"
        if seen
        else f"{max(counts)}{few}, as measured values, numbered objects or lossy compression make them; use "
        f"task=regression for values, data.labels.merge for classes that belong together, or {stated}"
    )


def _is_as_stored(case: Case) -> bool:
    """Whether the labels are the values in the files."""
    return replace(case.config.data.label_settings, keep_no_data=False) == LabelsConfig()


def _is_stated(case: Case) -> bool:
    """Whether somebody says how many classes there are."""
    data = case.config.data
    return bool(data.num_classes or data.class_names or case.survey.class_names)


def _counts(case: Case) -> Counter[int]:
    """Pixels by label in all splits, without those that are ignored."""
    counts: Counter[int] = Counter()
    for split in case.survey.splits.values():
        counts.update(split.labels.counts)
    del counts[case.config.task.ignore_index]
    return +counts


def _at_ends(counts: Counter[int]) -> float | None:
    """Share of the pixels near both ends of the range; None where they are no grey levels of two classes."""
    lowest, highest = min(counts), max(counts)
    part = (highest - lowest) / _ENDS
    low = sum(count for value, count in counts.items() if value <= lowest + part)
    high = sum(count for value, count in counts.items() if value >= highest - part)
    levels = sum(value > lowest + part for value in counts)
    if levels < _LEVELS or highest - lowest < SLIVERS:
        return None
    share, between = (low + high) / counts.total(), counts.total() - low - high
    even = between / (_ENDS - 2)  # What a part of the range between the ends has.
    return share if share >= _AT_ENDS and min(low, high) >= _TWICE * even else None


def _map(values: list[int]) -> str:
    return "{" + ", ".join(f"{value}: {number}" for number, value in enumerate(values)) + "}"


STORED_VALUE_CHECKS = (Check("class-many", ERROR, _many),)
