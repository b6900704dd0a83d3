"""Which dates the images of a data set hold, be it in one file or in a file each. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from terrasweep.config.data import BAND_MAJOR, DATE_MAJOR, DataConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.dates import dates_in, dates_of_tags, read_name, without_dates
from terrasweep.data.find.sample_list import MASK, Listing
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.views.file_set import NOTE, FileSet, Remark
from terrasweep.data.views.headers import Header, read_headers
from terrasweep.data.views.view import ENDING, whole_file, write_view
from terrasweep.results.errors import DataError
from terrasweep.results.wording import counted, listed

RULE = "frames"
_PER_BAND = ("dtypes", "no_data", "names", "scales", "offsets")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One date of a sample's image."""

    header: Header | None
    """With the bands of this date alone; None: unreadable."""
    taken: str = ""
    """The date in ISO's form; empty where nobody tells it."""
    numbers: tuple[int, ...] = ()
    """Of its bands in the file, from 1, where the file holds other dates as well."""


@dataclass(frozen=True, kw_only=True)
class Frames:
    """The images of a data set by kind (modalities, ``mask``), in the order of the samples, each with its dates."""

    samples: tuple[tuple[str, str], ...]
    by_kind: dict[str, list[list[Frame]]]
    """By rising date where dates are known, else as they lie."""
    remarks: tuple[Remark, ...] = field(default=())

    @property
    def dates(self) -> int:
        """The largest number of dates that a kind has."""
        return max(len(frames) for samples in self.by_kind.values() for frames in samples)

    def at(self, date: int, config: TrialConfig, folder: Path) -> FileSet:
        """All files as if there were this one date; kinds with fewer give their last one."""
        headers = {
            kind: [frames[min(date, len(frames) - 1)].header for frames in samples]
            for kind, samples in self.by_kind.items()
        }
        return FileSet(config=config, samples=self.samples, headers=headers, views={}, folder=folder)


def open_frames(listing: Listing, data: DataConfig) -> Frames:
    """The headers of all files, those of several dates divided.

    Raises:
        DataError: A file has bands that its dates can't share, or names its bands in another order than is stated.
    """
    samples = tuple((split, name) for split, names in listing.names.items() for name in names)
    files = {kind: [_files(listing, split, name, kind) for split, name in samples] for kind in listing.suffixes}
    headers, _ = read_headers(Path(file) for of in files.values() for found in of for _, file in found)
    by_kind, remarks = {}, []
    for kind, of in files.items():
        number = 1 if kind == MASK else data.frames_of(kind)
        by_kind[kind] = [_frames(found, headers, number, data, is_mask=kind == MASK) for found in of]
        if kind != MASK:
            guessed = data.frame_order is None and _is_guessed(by_kind[kind])
            remarks.append(_note(kind, by_kind[kind], files=len(of[0]) > 1, guessed=guessed))
    return Frames(samples=samples, by_kind=by_kind, remarks=tuple(remarks))


def written(frames: Frames, folder: Path) -> Frames:
    """Each date of a file that holds several as a file of its own, a view of its bands."""
    by_kind = {
        kind: [
            [_written(frame, folder / f"{date}" / kind / split / f"{name}{ENDING}") for date, frame in enumerate(of)]
            for (split, name), of in zip(frames.samples, samples, strict=True)
        ]
        for kind, samples in frames.by_kind.items()
    }
    return replace(frames, by_kind=by_kind)


def _written(frame: Frame, file: Path) -> Frame:
    if frame.header is None or not frame.numbers:
        return frame
    view = whole_file(frame.header)
    bands = (replace(band, number=number) for band, number in zip(view.bands, frame.numbers, strict=True))
    write_view(replace(view, bands=tuple(bands)), file)
    return replace(frame, header=replace(frame.header, file=str(file), driver="VRT"))


def of_first_dates(listing: Listing, kind: str, headers: Iterable[Header], data: DataConfig) -> list[Header]:
    """Headers of a kind's files, of those that hold several dates the first one's.

    Raises:
        DataError: As for :func:`open_frames`.
    """
    frames = data.frames_of(kind)
    if frames == 1 or any(len(of) > 1 for at in listing.frame_files.get(kind, {}).values() for of in at.values()):
        return list(headers)
    return [_divided(header, frames, data.frame_order)[0][0] for header in headers]


def first_date(header: Header, frames: int) -> Header:
    """The header of an image of several dates, with the bands of its first date alone."""
    return header if frames == 1 else _part(header, range(header.count // frames))


def _part(header: Header, places: Iterable[int]) -> Header:
    """A header with some of its bands; what GDAL says of their colours means nothing in a stack of dates."""
    per_band: dict[str, Any] = {key: tuple(getattr(header, key)[place] for place in places) for key in _PER_BAND}
    return replace(header, **per_band, colours=("undefined",) * len(per_band["names"]))


def _files(listing: Listing, split: str, name: str, kind: str) -> list[tuple[str, str]]:
    """Date and file of each date."""
    if kind in listing.frame_files:
        return [(date, file) for date, file in listing.frame_files[kind][split][name]]
    return [("", str(listing.file(split, name, kind)))]


def _frames(
    files: list[tuple[str, str]], headers: dict[str, Header], number: int, data: DataConfig, *, is_mask: bool
) -> list[Frame]:
    """The dates of one sample, by rising date."""
    if is_mask:
        return [Frame(header=headers.get(files[0][1]))]
    if len(files) > 1 or number == 1:
        found = [Frame(header=headers.get(file), taken=date or _told(headers.get(file))) for date, file in files]
        if number == 1 and not found[0].taken:
            taken = read_name(Path(files[0][1]).name, data.date_pattern).taken
            found = [replace(found[0], taken=taken)]
    elif (header := headers.get(files[0][1])) is None:
        found = [Frame(header=None)] * number
    else:
        stated = files[0][0].split(",")
        dates = stated if len(stated) == number else _dates_within(header, number)
        parts = _divided(header, number, data.frame_order)
        found = [Frame(header=part, taken=date, numbers=at) for (part, at), date in zip(parts, dates, strict=True)]
    return sorted(found, key=lambda frame: frame.taken) if all(frame.taken for frame in found) else found


def _told(header: Header | None) -> str:
    """The one date that a file's tags tell."""
    found = dates_of_tags(header.tags, 1) if header else []
    return found[0].isoformat() if found else ""


def _dates_within(header: Header, number: int) -> list[str]:
    """The dates that a file holds, by its bands' names, its tags or its name; empty texts where none tells them."""
    by_bands = list(dict.fromkeys(date for name in header.names for date in dates_in(name)))
    for dates in (by_bands, dates_of_tags(header.tags, number), dates_in(Path(header.file).stem)):
        if len(dates) == number:
            return [date.isoformat() for date in dates]
    return [""] * number


def _divided(header: Header, number: int, stated: str | None) -> list[tuple[Header, tuple[int, ...]]]:
    """A file's header once per date, with the bands of this date, whose names lose their date, and their numbers."""
    name = Path(header.file).name
    if header.count % number:
        raise DataError(
            f"data.frames={number}: {name} has {counted(header.count, 'band')}, which {number} dates can't share alike"
            "; correct data.frames, or the files"
        )
    named = [order for order in (DATE_MAJOR, BAND_MAJOR) if _agree(header, number, order)]
    order = stated or (named[0] if len(named) == 1 else DATE_MAJOR)
    if len(named) == 1 and order not in named:
        raise DataError(
            f"data.frame_order={order}: the bands of {name} are named otherwise ({listed(header.names, 4)}); set "
            f"data.frame_order={named[0]}"
        )
    parts = []
    for places in _places(header.count, number, order):
        part = _part(header, places)
        names = tuple(map(_bare, part.names)) if order in named else ("",) * len(places)
        parts.append((replace(part, names=names), tuple(place + 1 for place in places)))
    return parts


def _places(count: int, number: int, order: str) -> Iterator[range]:
    """The places of each date's bands in a file."""
    bands = count // number
    for date in range(number):
        yield range(date, count, number) if order == BAND_MAJOR else range(date * bands, (date + 1) * bands)


def _agree(header: Header, number: int, order: str) -> bool:
    """Whether all dates have bands of the same names in this order, each name once."""
    dates = {tuple(_bare(header.names[place]) for place in places) for places in _places(header.count, number, order)}
    names = next(iter(dates))
    return len(dates) == 1 and all(names) and len(set(names)) == len(names)


def _bare(name: str) -> str:
    """A band's name without the date or the number of the date: ``2024-01-31_RED``, ``RED_t2`` or ``t2_RED``."""
    return re.sub(r"^[tT]\d+[-_. ]|[-_. ]([tT]\d+)$", "", without_dates(name)).strip(" -_.")


def _is_guessed(samples: list[list[Frame]]) -> bool:
    """Whether files hold several dates, and no name of a band tells in which order."""
    frames = [frame for of in samples for frame in of if frame.header and frame.numbers]
    return bool(frames) and not any(name for frame in frames if frame.header for name in frame.header.names)


def _note(kind: str, samples: list[list[Frame]], *, files: bool, guessed: bool) -> Remark:
    """What was understood."""
    number = len(samples[0])
    known = sorted(frame.taken for frames in samples for frame in frames if frame.taken)
    headers = [frame.header for frame in samples[0] if frame.header]
    bands = counted(headers[0].count, "band") if headers else "unknown bands"
    told = f"{known[0]} to {known[-1]}" if len(known) == number * len(samples) else "when they are is not told"
    lie = "a file each" if files else "in one file"
    if guessed:
        lie += ", all bands of one date before those of the next (nothing says so; else data.frame_order=band_major)"
    whose = "samples" if kind == IMAGE else f"samples of {kind}"
    line = f"data.frames={number}: {whose} have {counted(number, 'date')} of {bands}, {lie} ({told})"
    return Remark(rule=RULE, level=NOTE, line=line)
