"""Dates in the names and tags of files. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from terrasweep.config.data import FILES, DataConfig

DATES = "TERRASWEEP_DATES"
"""Tag of an image: its dates in order, as ``2024-01-31,2024-03-01``."""
_DATE = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?:(?P<by>[-_.:]?)(?P<month>0[1-9]|1[0-2])(?P=by)(?P<day>0[1-9]|[12]\d|3[01])"
    r"|(?P<day_of_year>[0-3]\d\d))(?:T\d{4,6}(?:\.\d+)?Z?)?(?!\d)"
)
_SEPARATORS = "-_."
_TOLD_BY = ("acqui", "sensing", "date", "time")
"""What the names of tags contain that may tell when an image was taken, the surest first."""


@dataclass(frozen=True, kw_only=True)
class FrameName:
    """What a file's name says of its place and date."""

    place: str
    """The name without the date, with its ending: what all dates of a place have in common."""
    order: str = ""
    """What the dates of a place are sorted by: the date in ISO's form, or a number; empty where the name has none."""
    taken: str = ""
    """The date in ISO's form, the first one of several; empty where the name has none."""


def dates_in(text: str) -> list[date]:
    """Every date in a text, as 20240131, 2024-01-31, 2024_01_31, or 2024031 with the day of the year."""
    return [found for match in _DATE.finditer(text) if (found := _as_date(match)) is not None]


def without_dates(text: str) -> str:
    """A text less its dates, each with the separator before it, or else with the one behind it."""
    kept, at = "", 0
    for match in _DATE.finditer(text):
        if _as_date(match) is None:
            continue
        kept += text[at : match.start()]
        at = match.end()
        if kept and kept[-1] in _SEPARATORS:
            kept = kept[:-1]
        elif at < len(text) - 1 and text[at] in _SEPARATORS:
            at += 1
    return kept + text[at:]


def read_name(name: str, pattern: str | None) -> FrameName:
    """What a file's name says, by ``data.date_pattern`` or, for None, by any date in it.

    Folders before the name stay as they are. A name that does not match is that of a file of no date.
    """
    folder, slash, name = name.rpartition("/")
    read = _read_bare(name, pattern)
    return replace(read, place=folder + slash + read.place)


def _read_bare(name: str, pattern: str | None) -> FrameName:
    stem, ending = str(Path(name).with_suffix("")), Path(name).suffix
    if pattern is None:
        found = dates_in(stem)
        dates = [day.isoformat() for day in found]
        place = (without_dates(stem) or stem) + ending
        return FrameName(place=place, order=",".join(dates), taken=dates[0] if dates else "")
    match = re.fullmatch(pattern, stem)
    if match is None:
        return FrameName(place=name)
    groups = match.groupdict()
    found = dates_in(groups.get("date") or "")
    taken = found[0].isoformat() if found else ""
    order = taken or groups.get("date") or (groups.get("frame") or "").zfill(9)
    return FrameName(place=groups["place"] + ending, order=order, taken=taken)


def places(names: Iterable[str], data: DataConfig) -> list[str]:
    """File names with those that differ by their date alone brought together, where dates may be files of their own."""
    if not may_be_files(data):
        return list(names)
    return sorted({read_name(name, data.date_pattern).place for name in names})


def may_be_files(data: DataConfig) -> bool:
    """Whether a date may have a file of its own."""
    return data.frame_order == FILES or (data.frame_order is None and (data.frames or 1) > 1)


def dates_of_tags(tags: Iterable[tuple[str, str]], count: int) -> list[date]:
    """The dates that a file's tags tell, where a tag has as many as are asked for; else none."""
    for part in _TOLD_BY:
        for key, text in tags:
            if part in key.lower() and len(found := dates_in(text)) == count:
                return found
    return []


def _as_date(match: re.Match[str]) -> date | None:
    year, month, day, of_year = (match[group] for group in ("year", "month", "day", "day_of_year"))
    try:
        if of_year is None:
            return date(int(year), int(month), int(day))
        found = date(int(year), 1, 1) + timedelta(days=int(of_year) - 1)
    except ValueError:
        return None
    return found if found.year == int(year) else None
