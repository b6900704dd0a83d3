"""Which class gets which number. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from terrasweep.results.wording import listed


def numbered(names: Iterable[str], given: Sequence[str] | None = None) -> list[str]:
    """The classes in the order of their numbers: sorted, and as they count where all names are numbers.

    Args:
        names: Of the classes, in any order.
        given: ``data.class_names``. Those of a study of an earlier version, which sorted ``10`` before ``2``, keep it.
    """
    as_text = sorted(set(names))
    if list(given or ()) == as_text:
        return as_text
    return counted_up(as_text)


def counted_up(names: Iterable[str], *, within: bool = False) -> list[str]:
    """Names in the order in which they count where all are numbers, else sorted.

    Args:
        names: In any order.
        within: Whole numbers count within any name, too, ``field 9`` before ``field 10``, and there are no others.
    """
    as_text = sorted(names)
    if within:
        return sorted(as_text, key=_with_values)
    if all(re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", name) for name in as_text):
        return sorted(as_text, key=lambda name: (float(name), name))
    return as_text


def _with_values(name: str) -> tuple[tuple[int, int, str], ...]:
    """A name with its numbers by their values, which come before texts."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


def as_they_count(classes: Sequence[str]) -> str:
    """What to say of classes that are not numbered in the sorted order of their names."""
    return f"classes are numbered as their names count: {listed(classes, 12)}"
