"""Which files show one place on several dates. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from terrasweep.config.data import FILES, DataConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.dates import FrameName, may_be_files, read_name
from terrasweep.data.find.file_names import images_in
from terrasweep.data.find.root_folders import samples_root
from terrasweep.data.find.sample_list import MASK, WHOLE, Listing
from terrasweep.data.find.scene_list import is_scene_list
from terrasweep.results.errors import DataError
from terrasweep.results.wording import counted, listed

Frame = tuple[FrameName, str]
"""What a file's name says, and the file."""


def gather_dates(listing: Listing, config: TrialConfig) -> Listing:
    """A listing of places with the files that each place has, by rising date.

    Args:
        listing: Whose names are those that :func:`terrasweep.data.find.dates.places` gives.
        config: Says how many dates there are.

    Raises:
        DataError: A place has other dates than the number that is asked for, one date twice, or several masks.
    """
    if not may_be_files(config.data):
        return listing
    if is_scene_list(config, samples_root(config)):
        _check_scenes(listing, config)
        return listing
    scattered, frame_files = dict(listing.scattered), {}
    for kind in listing.suffixes:
        found = {split: _files_of(listing, split, kind, config.data) for split in listing.names}
        _check_numbers({_shown(s, n): frames for s, at in found.items() for n, frames in at.items()}, kind, config)
        first = {split: {name: frames[0][1] for name, frames in at.items()} for split, at in found.items()}
        if any(str(listing.file(s, n, kind)) != file for s, at in first.items() for n, file in at.items()):
            scattered[kind] = first
        frame_files[kind] = {
            split: {name: [[read.taken, file] for read, file in frames] for name, frames in at.items()}
            for split, at in found.items()
        }
    return replace(listing, scattered=scattered, frame_files=frame_files)


def _check_scenes(listing: Listing, config: TrialConfig) -> None:
    """A list of scenes does not say which files show one place on several dates."""
    if config.data.frame_order == FILES:
        raise DataError(
            f"data.frame_order=files with data.root={config.data.root}: a list of scenes names one file per "
            "sample; stack the dates of each in one file, or give a folder"
        )
    places: dict[tuple[Path, str], list[Frame]] = {}
    for kind in listing.modalities if config.data.frame_order is None else []:
        for split, names in listing.names.items():
            for file in (listing.file(split, name, kind) for name in names):
                read = read_name(file.name, config.data.date_pattern)
                places.setdefault((file.parent, read.place), []).append((read, str(file)))
    if several := next((found for found in places.values() if len({read.order for read, _ in found}) > 1), None):
        raise DataError(
            f"data.frames={config.data.frames} with data.root={config.data.root}: {_names(several)} seem to be one "
            "place, and a list of scenes names one file per sample; stack the dates of each in one file, or give a "
            "folder; set data.frame_order=date_major or band_major where each file holds all dates"
        )


def _shown(split: str, name: str) -> str:
    return name if split == WHOLE else f"{split}/{name}"


def _files_of(listing: Listing, split: str, kind: str, data: DataConfig) -> dict[str, list[Frame]]:
    """The files of each place, which lie in one folder, by rising date."""
    folders: dict[Path, dict[str, list[Frame]]] = {}
    found = {}
    for name in listing.names[split]:
        file = listing.file(split, name, kind)
        if file.parent not in folders:
            folders[file.parent] = _by_place(file.parent, data)
        found[name] = folders[file.parent][read_name(file.name, data.date_pattern).place]
    return found


def _by_place(folder: Path, data: DataConfig) -> dict[str, list[Frame]]:
    found: dict[str, list[Frame]] = {}
    for name in images_in(folder, "*"):
        read = read_name(name, data.date_pattern)
        found.setdefault(read.place, []).append((read, str(folder / name)))
    return {place: sorted(of, key=lambda frame: (frame[0].order, frame[1])) for place, of in found.items()}


def _check_numbers(places: dict[str, list[Frame]], kind: str, config: TrialConfig) -> None:
    """Each place has as many files as there are dates, or one that holds them all; and one mask."""
    several = {name: frames for name, frames in places.items() if len(frames) > 1}
    if kind == MASK and several:
        name, frames = next(iter(several.items()))
        raise DataError(
            f"data.frames={config.data.frames}: {counted(len(several), 'sample')} of several dates have several masks "
            f"(first {name}: {_names(frames)}), and all dates have one label; leave one of each"
        )
    if kind != MASK and (several or config.data.frame_order == FILES):
        _check_dates(places, config.data.frames_of(kind))


def _check_dates(places: dict[str, list[Frame]], wanted: int) -> None:
    """Each place has the wanted number of dates, and each date once."""
    wrong = {name: frames for name, frames in places.items() if len(frames) != wanted}
    if wrong:
        shown = listed((f"{name}: {_dates(frames)}" for name, frames in wrong.items()), 3)
        raise DataError(
            f"data.frames={wanted}: {len(wrong)} of {counted(len(places), 'sample')} have files of another number of "
            f"dates ({shown}); add what lacks, take them out, or set data.frames; where each file holds all its dates, "
            "set data.frame_order=date_major or band_major"
        )
    for name, frames in places.items():
        dates = [read.taken or read.order for read, _ in frames]
        if len(set(dates)) < len(dates):
            raise DataError(
                f"data.frames={wanted}: {name} has several files of one date ({_names(frames)}); leave one of each "
                "date, or tell them apart by data.date_pattern"
            )


def _dates(frames: Iterable[Frame]) -> str:
    return " ".join(read.order or Path(file).name for read, file in frames)


def _names(frames: Iterable[Frame]) -> str:
    return listed(Path(file).name for _, file in frames)
