"""From files as people have them to files that all are read alike. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from terrasweep.config.band_choice import OwnBands
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.sample_list import MASK, Listing
from terrasweep.data.in_parts import InParts
from terrasweep.data.views.file_set import FileSet
from terrasweep.data.views.frames import open_frames, written
from terrasweep.data.views.headers import Header, read_headers
from terrasweep.data.views.own_bands import read_own_bands
from terrasweep.data.views.reading_rules import READING_RULES
from terrasweep.data.views.stacked_frames import stacked
from terrasweep.data.views.view import ENDING, BandSource, View, whole_file, write_view

_PART = 1000
"""Views that one process writes at a time."""


def understand(
    listing: Listing,
    config: TrialConfig,
    folder: Path,
    own_bands: dict[str, OwnBands] | None = None,
    parts: InParts | None = None,
) -> Listing:
    """Read the header of every file, and write a view of each that is not to be read as it lies.

    Args:
        listing: Samples with their files, divided or not.
        config: What the user says about them.
        folder: Takes the views, below ``views``, and what can't be viewed, below ``made``.
        own_bands: By modality, the bands of its first file; None: they are read.
        parts: How headers are read, and views are written.

    Returns:
        The listing of what is to be read, with what there is to say of the files.
    """
    own = read_own_bands(listing, config.data) if own_bands is None else own_bands
    if config.data.frames is None:
        files = _ruled(replace(_opened(listing, config, folder, parts), own_bands=own))
    else:
        files = _of_dates(listing, config, folder / "made", own)
        listing = replace(listing, frame_files={})
    listing = replace(
        listing,
        remarks=[*listing.remarks, *(asdict(remark) for remark in files.remarks)],
        class_names=files.class_names or listing.class_names,
    )
    for kind in files.views:
        if kind not in listing.suffixes or kind in listing.scattered or not _as_they_lie(files, listing, kind):
            listing = _viewed(listing, files, kind, folder / "views", parts or InParts())
    return listing


def _of_dates(listing: Listing, config: TrialConfig, folder: Path, own_bands: dict[str, OwnBands]) -> FileSet:
    """The files of samples of several dates: the rules see each date by itself, and then the dates are stacked."""
    frames = written(open_frames(listing, config.data), folder / "dates")
    dated = (frames.at(date, config, folder / f"{date}") for date in range(frames.dates))
    return stacked([_ruled(replace(at, views=_views(at.headers), own_bands=own_bands)) for at in dated], frames)


def _ruled(files: FileSet) -> FileSet:
    for rule in READING_RULES:
        files = rule(files)
    return files


def _opened(listing: Listing, config: TrialConfig, folder: Path, parts: InParts | None) -> FileSet:
    samples = tuple((split, name) for split, names in listing.names.items() for name in names)
    paths = {kind: [listing.file(*sample, kind) for sample in samples] for kind in listing.suffixes}
    headers, _ = read_headers((path for files in paths.values() for path in files), parts)
    by_kind = {kind: [headers.get(str(path)) for path in files] for kind, files in paths.items()}
    return FileSet(config=config, samples=samples, headers=by_kind, views=_views(by_kind), folder=folder / "made")


def _views(headers: dict[str, list[Header | None]]) -> dict[str, list[View | None]]:
    return {kind: _whole(found) for kind, found in headers.items()}


def _whole(headers: list[Header | None]) -> list[View | None]:
    return [None if header is None else whole_file(header) for header in headers]


def _as_they_lie(files: FileSet, listing: Listing, kind: str) -> bool:
    """Whether every file is the one that was listed, and nothing about it is to be changed."""
    there = [
        header is None or header.file == str(listing.file(*sample, kind)) for sample, header in _pairs(files, kind)
    ]
    return all(there) and _whole(files.headers[kind]) == files.views[kind]


def _pairs(files: FileSet, kind: str) -> Iterable[tuple[tuple[str, str], Header | None]]:
    return zip(files.samples, files.headers[kind], strict=True)


def _viewed(listing: Listing, files: FileSet, kind: str, folder: Path, parts: InParts) -> Listing:
    """The listing with the views of a kind instead of its files."""

    def write_some(places: Sequence[int]) -> None:
        for place in places:
            split, name = files.samples[place]
            view = files.views[kind][place] or _unreadable(_source(listing, split, name, kind))
            write_view(view, folder / split / kind / f"{name}{ENDING}")

    # What is written is what counts, so that nothing is kept of it elsewhere.
    replace(parts, folder=None).over("Writing views", range(len(files.samples)), write_some, size=_PART)
    roots = {split: str(folder / split / kind) for split in listing.names}
    listing = replace(
        listing,
        suffixes=listing.suffixes | {kind: ENDING},
        scattered={other: paths for other, paths in listing.scattered.items() if other != kind},
    )
    if kind == MASK:
        return replace(listing, mask_roots=roots)
    return replace(listing, image_roots={split: at | {kind: roots[split]} for split, at in listing.image_roots.items()})


def _source(listing: Listing, split: str, name: str, kind: str) -> Path:
    """The file that a view is of; masks that are drawn have none, and what hinders them is their image."""
    return listing.file(split, name, kind if kind in listing.suffixes else listing.modalities[0])


def _unreadable(file: Path) -> View:
    """A view that fails as the file does, so that it is told like any other that can't be read."""
    return View(height=1, width=1, bands=(BandSource(file=str(file)),), names=("",), dtype="uint8")
