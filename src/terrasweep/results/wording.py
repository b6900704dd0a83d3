"""How names, numbers and lists read in a message, a table or a figure.

Rounding happens here alone, but for paths that are drawn, places on the ground, shifts with their sign, and numbers to
be typed back or compared, which say how many digits they have where they are written.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterable

ABSENT = "-"
"""What stands for a value that isn't there, where a reader would wonder about an empty place."""
NAMED = 3
"""How many things a line names before it counts the rest."""
_BEFORE_A_UNIT = re.compile(r"(?<=\d) (?=(?:[KMGT]i?B|px)\b|%)")
_UNBROKEN = "\u00a0"
"""A space at which no line ends."""


def rounded(value: float | int | None) -> str:
    """Four significant digits, thousands separated, no exponent below a million millions; a dash where it is absent."""
    if value is None:
        return ABSENT
    if isinstance(value, int) or 1000 <= abs(value) < 1e12:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def aligned(value: float) -> str:
    """As :func:`rounded`, with the zeros that make a column's digits stand below each other."""
    return f"{value:#.4g}" if 1e-3 <= abs(value) < 1000 else rounded(value)


def with_unit(value: float | None, unit: str) -> str:
    """A rounded number and its unit: ``3,120 MiB``; a dash where it is absent."""
    return ABSENT if value is None else f"{rounded(value)} {unit}".rstrip()


def with_error(value: float | None, low: float | None, high: float | None, unit: str = "") -> str:
    """A number, half its interval and its unit: ``212 ± 4.1 samples/s``; without what isn't known, or is 0."""
    if value is None or low is None or high is None or low == high:
        return with_unit(value, unit)
    return f"{rounded(value)} ± {half_width(low, high)} {unit}".rstrip()


def half_width(low: float, high: float) -> str:
    """Half an interval, in two significant digits: as many as an error has."""
    half = (high - low) / 2
    return f"{half:,.0f}" if half >= 9.95 else f"{half:#.2g}"


def with_decimals(value: float, decimals: int) -> str:
    """So many digits behind the point: ``3.20``."""
    return f"{value:.{decimals}f}"


def significant(value: float, digits: int) -> str:
    """At most so many significant digits: ``0.032``; an exponent where a number has more of them before the point."""
    return f"{value:.{digits}g}"


def two_digits(value: float) -> str:
    """Two significant digits, and all of them before the point: ``0.032``, ``32``, ``3,216``."""
    return f"{value:,.0f}" if value >= 99.5 else significant(value, 2)


def whole_percent(share: float) -> str:
    """A share for a narrow place: ``12%``."""
    return f"{share:.0%}"


def percent(share: float) -> str:
    """A share as ``12.5 %``; two significant digits below one percent, none behind the point from ten times on."""
    value = 100 * share
    if value >= 1000:
        return f"{value:,.0f} %"
    return f"{value:.1f} %" if value >= 0.95 or value == 0 else f"{value:.2g} %"


def narrow(value: float) -> str:
    """A size for a narrow column, in at most five characters: two decimals below 10, one below 100."""
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def narrow_bytes(size: float) -> str:
    """Bytes as :func:`narrow` MiB, or GiB from one on."""
    unit, scale = ("GiB", 2**30) if size >= 2**30 else ("MiB", 2**20)
    return f"{narrow(size / scale)} {unit}"


def duration(seconds: float) -> str:
    """``00:01:05``; from a day on ``2 days 03:00:00``."""
    days, rest = divmod(int(seconds), 24 * 3600)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{counted(days, 'day')} {clock}" if days else clock


def counted(count: int, noun: str) -> str:
    """``1 image``, ``12 images``, ``2 classes``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}{'es' if noun.endswith('s') else 's'}"


def listed(things: Iterable[object], named: int = NAMED) -> str:
    """``a, b, c and 4 more``."""
    texts = [str(thing) for thing in things]
    more = len(texts) - named
    return ", ".join(texts[:named]) + (f" and {more:,} more" if more > 0 else "")


def one_line(text: str) -> str:
    """Text of a library as a part of one line."""
    return " ".join(text.split())


def paragraph(text: str, width: int) -> str:
    """Text in lines of at most so many characters, where a number and its unit stay on one line."""
    return textwrap.fill(_BEFORE_A_UNIT.sub(_UNBROKEN, text), width).replace(_UNBROKEN, " ")


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint for a misspelt name: ``did you mean X?`` or the list of what there is."""
    names = sorted(names)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(names)}"
