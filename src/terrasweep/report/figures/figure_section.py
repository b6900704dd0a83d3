"""What a figure of the page is made of, and the section that it stands in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PageFigure:
    """A figure of the page, or the words that stand in its place."""

    anchor: str
    """Its element's id."""
    title: str
    note: str = ""
    """What to look at, in a sentence; without a spec, why there is no figure."""
    spec: str = ""
    """Plotly's data and layout as JSON; empty where there is nothing to draw."""
    alternative: str = ""
    """What it shows, for who can't see it."""
    least_width_px: int = 0
    """Narrower screens scroll it sideways."""


@dataclass(frozen=True, kw_only=True)
class KeyMark:
    """A mark of a section's figures, and what it stands for."""

    shape: str
    """``dot``, ``dot faint``, ``dot ring``, ``dot big``, ``dots`` or ``cross and tick``: the style sheet draws it."""
    colour: str
    """A state of trials, or ``knee``."""
    meaning: str


@dataclass(frozen=True, kw_only=True)
class FigureSection:
    """A section of the page that shows figures."""

    anchor: str
    """Its element's id."""
    heading: str
    link: str
    """Its name in the page's navigation."""
    figures: list[PageFigure]
    note: str = ""
    remarks: Sequence[str] = ()
    """Sentences on these trials, as a list."""
    key: list[KeyMark]
    """What the marks mean; may be empty."""
    columns: Sequence[str] = ()
    """Head of a table below the figures."""
    rows: Sequence[Sequence[str]] = ()
    side_by_side: bool = True
    """Whether the figures share a row where there is room."""
    empty: str = ""
    """What is said where there is no figure."""
