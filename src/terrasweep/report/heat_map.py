"""A confusion matrix as a drawing: the template writes it as SVG, the style sheet colours it for light, dark and paper.

Not one of Plotly's: its squares would not follow the page's colours, and their texts could not be read aloud.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from terrasweep.results.confusion import Confusion, Mistake
from terrasweep.results.wording import counted, percent

MOST_CLASSES = 64
"""Classes up to which a matrix is drawn."""
_SIDE = 440.0
"""Width of a matrix whose squares are neither large nor small."""
_SQUARE = (10.0, 44.0)
"""Least and greatest width of a square, so that names of rows stay readable."""
_LEAST_WITH_TEXT = 30.0
"""Width of a square from which its share is written into it."""
_NAME = 18
"""Characters of a class's name at its row and column."""
_CHARACTER = 0.6
"""Width of a character, in sizes of its font."""
_TITLE = 20.0
"""Room for the words ``label`` and ``prediction``."""
_GAP = 6.0


@dataclass(frozen=True, kw_only=True)
class Square:
    """How often a label was predicted as some class; there is none where that never happened."""

    x: float
    y: float
    right: bool
    """Whether the class is the label's."""
    opacity: float
    """The root of the share of the label, so that small shares are seen, too."""
    text: str
    """The share in whole percents; empty where there is no room."""
    title: str
    """What it says under the mouse."""


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """A drawing in pixels: rows are labels, columns predictions."""

    width: float
    height: float
    left: float
    """Where the first column begins."""
    top: float
    """Where the first row begins."""
    side: float
    """Width and height of a square."""
    font: float
    names: list[tuple[str, str, float]]
    """Per class its name as it fits, its whole name, and the middle of its row or column from the first one's edge."""
    squares: list[Square]
    text: str
    """What it shows, for a reader who does not see it."""


def heat_map(confusion: Confusion, classes: list[int]) -> HeatMap | None:
    """Draw the matrix; None where there is nothing to draw, or more than :data:`MOST_CLASSES`.

    Args:
        confusion: Of classes that exclude each other.
        classes: Positions of those that occur.
    """
    if not 0 < len(classes) <= MOST_CLASSES:
        return None
    least, greatest = _SQUARE
    side = round(min(greatest, max(least, _SIDE / len(classes))), 1)
    font = round(min(12.0, 0.9 * side), 1)
    names = [_shortened(confusion.classes[place]) for place in classes]
    room = _TITLE + _GAP + math.ceil(_CHARACTER * font * max(map(len, names)))
    extent = round(side * len(classes), 1)
    return HeatMap(
        width=room + extent + _GAP,
        height=room + extent + _GAP,
        left=room,
        top=room,
        side=side,
        font=font,
        names=[
            (name, confusion.classes[place], round(side * (rank + 0.5), 1))
            for rank, (name, place) in enumerate(zip(names, classes, strict=True))
        ],
        squares=[
            _square(confusion, (label, prediction), (room + side * column, room + side * row), side)
            for row, label in enumerate(classes)
            for column, prediction in enumerate(classes)
            if confusion.counts[label][prediction]
        ],
        text=_text(confusion, classes),
    )


def _square(confusion: Confusion, pair: tuple[int, int], corner: tuple[float, float], side: float) -> Square:
    (label, prediction), (x, y) = pair, corner
    count, total = confusion.counts[label][prediction], sum(confusion.counts[label])
    share, right = count / total, label == prediction
    name = confusion.classes[label]
    what = "found" if right else f"taken for {confusion.classes[prediction]}"
    return Square(
        x=round(x, 1),
        y=round(y, 1),
        right=right,
        opacity=max(0.05, round(math.sqrt(share), 2)),
        text=_whole_percent(share) if side >= _LEAST_WITH_TEXT else "",
        title=f"{name} {what}: {percent(share)} ({count:,} of {counted(total, confusion.unit)})",
    )


def _whole_percent(share: float) -> str:
    """``93``; a share that is neither nothing nor everything never reads as such."""
    whole = round(100 * share)
    if whole == 0:
        return "<1"
    return ">99" if whole == 100 and share < 1 else str(whole)


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _text(confusion: Confusion, classes: list[int]) -> str:
    mistakes: list[Mistake] = confusion.mistakes()
    most = ""
    if mistakes:
        label, prediction = (confusion.classes[place] for place in (mistakes[0].label, mistakes[0].prediction))
        most = f" Most often {label} is taken for {prediction}, in {percent(mistakes[0].share)} of its labels."
    kinds = counted(len(classes), "class")
    return f"Heat map of {kinds}, a row per label and a column per prediction, in shares of the row.{most}"
