"""How numbers and lists read in what is said about data. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

NAMED = 3
"""How many things a line names before it counts the rest."""


def number(value: float) -> str:
    """Four significant digits, thousands separated, no exponent below a million millions."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e12 else f"{value:.4g}"


def percent(share: float) -> str:
    """A share in [0, 1] as ``12.5 %``; two significant digits below one percent."""
    value = 100 * share
    return f"{value:.1f} %" if value >= 0.95 or value == 0 else f"{value:.2g} %"


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
