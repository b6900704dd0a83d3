"""Which files show one place on several dates. Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from terrasweep.config.data import DataConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.dates import may_be_files, read_name
from terrasweep.data.find.file_names import images_in
from terrasweep.data.find.frame_counts import Frame, check_frames
from terrasweep.data.find.root_folders import samples_root
from terrasweep.data.find.sample_list import WHOLE, Listing
from terrasweep.data.find.scene_list import is_scene_list


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
        return listing  # Its scenes are gathered as they are read.
    scattered, frame_files = dict(listing.scattered), {}
    for kind in listing.suffixes:
        found = {split: _files_of(listing, split, kind, config.data) for split in listing.names}
        check_frames({_shown(s, n): frames for s, at in found.items() for n, frames in at.items()}, kind, config)
        first = {split: {name: frames[0][1] for name, frames in at.items()} for split, at in found.items()}
        if any(str(listing.file(s, n, kind)) != file for s, at in first.items() for n, file in at.items()):
            scattered[kind] = first
        frame_files[kind] = {
            split: {name: [[read.taken, file] for read, file in frames] for name, frames in at.items()}
            for split, at in found.items()
        }
    return replace(listing, scattered=scattered, frame_files=frame_files)


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
