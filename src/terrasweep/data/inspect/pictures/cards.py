"""What a card of a sample is made of: its pictures, and strips of them where it has several dates."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image of a card."""

    title: str
    note: str = ""
    """What its values are."""
    source: str
    """Its pixels as a ``data:`` address."""
    over: str = ""
    """The mask, half transparent, to be laid over it; empty where there is none."""
    sharp: bool = False
    """Whether its pixels are drawn as squares."""


@dataclass(frozen=True, kw_only=True)
class DateStrip:
    """The first dates of an image, or of what a model gets of it."""

    title: str
    pictures: list[Picture]
    """Each called by its date."""
    more: int = 0
    """Dates that are not drawn."""


@dataclass(frozen=True, kw_only=True)
class Dates:
    """An image with its dates apart."""

    pixels: np.ndarray
    """Float32 (dates, bands, height, width)."""
    taken: list[str]
    """Of each date in ISO's form; empty where nobody tells them."""

    @property
    def number(self) -> int:
        """How many dates there are."""
        return len(self.pixels)

    @property
    def called(self) -> list[str]:
        """A name for each date."""
        known = len(self.taken) == self.number
        return self.taken if known else [f"date {place + 1}" for place in range(self.number)]


@dataclass(frozen=True, kw_only=True)
class SampleCard:
    """A sample as a person sees it."""

    split: str
    name: str
    pictures: list[Picture]
    strips: list[DateStrip] = field(default_factory=list)
    """Of images of several dates."""
    labels: list[tuple[str, str]] = field(default_factory=list)
    """Of a whole image: names of its classes, and their colours."""
    problem: str = ""
    """Why something is not shown."""

    @property
    def has_mask_over(self) -> bool:
        """Whether a mask can be laid over its images."""
        dated = (picture for strip in self.strips for picture in strip.pictures)
        return any(picture.over for picture in (*self.pictures, *dated))


def strip(title: str, pictures: list[Picture], dates: Dates) -> DateStrip:
    """The pictures of the first dates side by side, each with its date."""
    dated = [replace(picture, title=when) for picture, when in zip(pictures, dates.called, strict=False)]
    return DateStrip(title=title, pictures=dated, more=dates.number - len(dated))
