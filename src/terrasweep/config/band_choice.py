"""Which of the bands in the files a configuration reads: what ``data.bands`` means to files with such names.

Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from terrasweep.config.data import DataConfig

PHOTO = ("RED", "GREEN", "BLUE")
"""The bands of a photo."""


@dataclass(frozen=True, kw_only=True)
class OwnBands:
    """The bands in the first file of a modality."""

    names: tuple[str, ...]
    """As the file describes them; ``RED``, ``GREEN`` and ``BLUE`` for photos, else ``B1``, ``B2``, ..."""
    read: tuple[int, ...]
    """Places, from 0, of the bands that are read where nobody chooses: all but one that only says what is valid."""
    described: bool = False
    """Whether the names are the file's own descriptions."""
    has_alpha: bool = False
    """Whether the file marks the last band as alpha, whatever it holds."""

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> OwnBands:
        """From what ``dataclasses.asdict`` and JSON make of it."""
        return OwnBands(**{**values, "names": tuple(values["names"]), "read": tuple(values["read"])})

    @staticmethod
    def of_names(names: Sequence[str]) -> OwnBands:
        """Of files of which no more is known than their bands' names."""
        given_by_us = all(re.fullmatch(r"B\d+", name) for name in names) or tuple(names) == PHOTO
        return OwnBands(names=tuple(names), read=tuple(range(len(names))), described=not given_by_us)


def given_bands(data: DataConfig, modality: str) -> list[str]:
    """The bands that a configuration names of a modality; empty where it leaves them to the files."""
    return data.modalities[modality].bands if modality in data.modalities else data.bands


def are_numbers(bands: Sequence[str]) -> bool:
    """Whether bands are given by their numbers in the files, from 1."""
    return bool(bands) and all(band.isdecimal() for band in bands)


def chosen_places(own: OwnBands, given: Sequence[str]) -> tuple[int, ...]:
    """Places, from 0, of the bands that are read, in order.

    Numbers and the files' own names choose. Other names are new ones for the bands that are read, in order, or for
    all bands where there are as many; so are names of files without descriptions, unless they are fewer. Names that
    fit neither way change nothing: the checks refuse them.

    Args:
        own: What the files have.
        given: ``data.bands``, or a modality's ``bands``.
    """
    places = _named_places(own, given)
    fits = bool(given) and None not in places and len(set(places)) == len(places)
    if fits and (are_numbers(given) or own.described or len(given) < len(own.read)):
        return tuple(place for place in places if place is not None)
    return tuple(range(len(own.names))) if len(given) == len(own.names) else own.read


def find_contradiction(own: OwnBands, given: Sequence[str]) -> str | None:
    """Why the bands that are given can't be meant: numbers that there are not, or files' own names in wrong places."""
    places = _named_places(own, given)
    known = [place for place in places if place is not None]
    if are_numbers(given):
        return None if len(set(known)) == len(given) else f"the files have the bands 1 to {len(own.names)}, each once"
    if not own.described:
        return None
    if len(set(known)) < len(known):
        return f"{next(own.names[place] for place in known if known.count(place) > 1)} is named twice"
    expected = range(len(own.names)) if len(given) == len(own.names) else own.read
    wrong = [(at, place) for at, place in zip(expected, places, strict=False) if place is not None and place != at]
    if None not in places or not wrong:
        return None
    at, place = wrong[0]
    return f"band {at + 1} would get the name {own.names[place]}, which is the files' own name of band {place + 1}"


def _named_places(own: OwnBands, given: Sequence[str]) -> list[int | None]:
    """The place of each band by number or name; None where there is none."""
    if are_numbers(given):
        return [int(band) - 1 if 0 < int(band) <= len(own.names) else None for band in given]
    known = {name.casefold(): place for place, name in enumerate(own.names)}
    return [known.get(band.casefold()) for band in given]
