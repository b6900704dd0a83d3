"""Whether each place has the files of all its dates, each once. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from terrasweep.config.data import FILES
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.dates import FrameName
from terrasweep.data.find.readings import MASK
from terrasweep.results.errors import DataError
from terrasweep.results.wording import counted, listed

Frame = tuple[FrameName, str]
"""What a file's name, or a list, says of it, and the file."""


def check_frames(places: Mapping[str, list[Frame]], kind: str, config: TrialConfig) -> None:
    """See that each place has as many files as there are dates, or one that holds them all; and one mask.

    Args:
        places: By a place's name the files of a kind.
        kind: A modality, or ``mask``.
        config: Says how many dates there are.

    Raises:
        DataError: A place has other dates than the number that is asked for, one date twice, or several masks.
    """
    several = {name: frames for name, frames in places.items() if len(frames) > 1}
    if kind == MASK and several:
        name, frames = next(iter(several.items()))
        raise DataError(
            f"data.frames={config.data.frames}: {counted(len(several), 'sample')} of several dates have several masks "
            f"(first {name}: {_files(frames)}), and all dates have one label; leave one of each"
        )
    if kind != MASK and (several or config.data.frame_order == FILES):
        _check_dates(places, config.data.frames_of(kind))


def _check_dates(places: Mapping[str, list[Frame]], wanted: int) -> None:
    """Each place has the wanted number of dates, and each date once."""
    wrong = {name: frames for name, frames in places.items() if len(frames) != wanted}
    if wrong:
        usual = _shared([frames for frames in places.values() if len(frames) == wanted], wanted)
        shown = listed((f"{name}: {_dates(frames, usual)}" for name, frames in wrong.items()), 3)
        raise DataError(
            f"data.frames={wanted}: {len(wrong)} of {counted(len(places), 'sample')} have files of another number of "
            f"dates ({shown}); add what lacks, take them out, or set data.frames; where each file holds all its dates, "
            "set data.frame_order=date_major or band_major"
        )
    for name, frames in places.items():
        dates = [read.taken or read.order for read, _ in frames]
        if len(set(dates)) < len(dates):
            raise DataError(
                f"data.frames={wanted}: {name} has several files of one date ({_files(frames)}); leave one of each "
                "date, or tell them apart by data.date_pattern"
            )


def _shared(whole: list[list[Frame]], wanted: int) -> list[str]:
    """The dates that all places with the wanted number of them have; none where these differ."""
    days = [{_date(frame) for frame in frames} for frames in whole]
    shared = set.intersection(*days) if days else set()
    return sorted(shared) if len(shared) == wanted else []


def _dates(frames: list[Frame], usual: list[str]) -> str:
    there = [_date(frame) for frame in frames]
    lacking = [date for date in usual if date not in there]
    return " ".join(there) + (f" without {' '.join(lacking)}" if lacking else "")


def _date(frame: Frame) -> str:
    read, file = frame
    return read.taken or read.order or Path(file).name


def _files(frames: Iterable[Frame]) -> str:
    return listed(Path(file).name for _, file in frames)
