"""Which bands are read, in which order: by the files' own names, and as ``data.bands`` chooses. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from terrasweep.config.band_choice import OwnBands, chosen_places, find_contradiction
from terrasweep.data.views.file_set import ERROR, NOTE, FileSet, Remark
from terrasweep.data.views.headers import Header
from terrasweep.data.views.own_bands import descriptions
from terrasweep.data.views.view import View
from terrasweep.results.wording import counted, listed


def choose_bands(files: FileSet) -> FileSet:
    """Read from every file of a modality the same bands in the same order.

    Without a choice these are the first file's. Files that have the same names in another order are read by name; one
    that lacks a name that is read, or has more where nobody chooses, is an error. A file that names no band, or none as
    the first does, is read by the first's order: some tools make up names from those of files.
    """
    for kind, own in files.own_bands.items():
        given = files.given_bands(kind)
        if contradiction := find_contradiction(own, given):
            files = files.with_remarks(_contradicting(files.bands_key(kind), own, given, contradiction))
        else:
            wanted = chosen_places(own, given)
            remarks = [*_chosen(files.bands_key(kind), own, wanted), *_differences(files, kind, own, wanted)]
            files = _read_alike(files, kind, own, wanted).with_remarks(*remarks)
    return files


def _read_alike(files: FileSet, kind: str, own: OwnBands, wanted: tuple[int, ...]) -> FileSet:
    names = tuple(own.names[place] for place in wanted)
    views = list(files.views[kind])
    for index, (header, view) in enumerate(zip(files.headers[kind], views, strict=True)):
        if header is not None and view is not None and (places := _places(header, view, own, wanted)):
            views[index] = _with_bands(view, places, names)
    return files.with_views(kind, views)


def _places(header: Header, view: View, own: OwnBands, wanted: tuple[int, ...]) -> tuple[int, ...] | None:
    """Where a file has the wanted bands; None where it is to be left, and the checks tell."""
    known = _named_alike(header, own)
    if known is None:
        fits = len(view.bands) in (len(own.read), len(own.names)) and max(wanted) < header.count
        return wanted if fits else None
    found = [known.get(own.names[place].casefold()) for place in wanted]
    return tuple(place for place in found if place is not None) if None not in found else None


def _named_alike(header: Header, own: OwnBands) -> dict[str, int] | None:
    """A file's places by name, where it has at least one name of the first's."""
    names = descriptions(header) if own.described else None
    known = {name.casefold(): place for place, name in enumerate(names or ())}
    return known if known.keys() & {name.casefold() for name in own.names} else None


def _with_bands(view: View, places: tuple[int, ...], names: tuple[str, ...]) -> View:
    sources = {band.number: band for band in view.bands}
    numbers = [place + 1 for place in places]
    if numbers == list(sources) or not sources.keys() >= set(numbers):
        return view
    return replace(view, bands=tuple(sources[number] for number in numbers), names=names)


def _contradicting(key: str, own: OwnBands, given: list[str], reason: str) -> Remark:
    line = (
        f"{key}=[{', '.join(given)}]: {reason} (they have {listed(own.names, 15)}); choose by their names or numbers, "
        "in any order, or give all bands new names"
    )
    return Remark(rule="band-names", level=ERROR, line=line)


def _chosen(key: str, own: OwnBands, wanted: tuple[int, ...]) -> Iterator[Remark]:
    """Says so where others are read than without a choice."""
    if wanted == own.read:
        return
    if wanted == tuple(range(len(own.names))):
        line = f"{key}: all {len(wanted)} bands are read, that which the files mark as alpha too"
    else:
        numbers = ", ".join(str(place + 1) for place in wanted)
        names = listed((own.names[place] for place in wanted), 15)
        line = f"{key}: of {len(own.names)} bands in the files {names} are read (by number {numbers}), in this order"
    yield Remark(rule="band-choice", level=NOTE, line=line)


def _differences(files: FileSet, kind: str, own: OwnBands, wanted: tuple[int, ...]) -> Iterator[Remark]:
    """What files name otherwise than the first."""
    key, chosen = files.bands_key(kind), wanted != own.read
    lacking, reordered, nameless = [], [], []
    for index, header in enumerate(files.headers[kind]):
        if header is None or not own.described:
            continue
        known = _named_alike(header, own)
        if known is None:
            nameless.append(index)
        elif difference := _difference(known, own, wanted, chosen=chosen):
            lacking.append(f"{files.place(kind, index)} {difference}")
        elif tuple(known[own.names[place].casefold()] for place in wanted) != wanted:
            reordered.append(f"{files.place(kind, index)}: {', '.join(descriptions(header) or ())}")
    if lacking:
        line = (
            f"{key}: {counted(len(lacking), 'file')} with other bands than the first, which has "
            f"{', '.join(own.names)} (first {lacking[0]}); give every file the same, or choose in {key} what all have"
        )
        yield Remark(rule="band-names", level=ERROR, line=line)
    if reordered:
        line = (
            f"{key}: {counted(len(reordered), 'file')} with the bands in another order (first {reordered[0]}); every "
            f"file is read by its own names as {', '.join(own.names[place] for place in wanted)}"
        )
        yield Remark(rule="band-order", level=NOTE, line=line)
    if nameless:
        line = (
            f"{key}: {counted(len(nameless), 'file')} without names of bands, or with none of the first file's (first "
            f"{files.place(kind, nameless[0])}); read in the first file's order, {', '.join(own.names)}"
        )
        yield Remark(rule="band-order", level=NOTE, line=line)


def _difference(known: dict[str, int], own: OwnBands, wanted: tuple[int, ...], *, chosen: bool) -> str:
    """Which bands a file lacks, or has beside the first's where nobody chooses."""
    lacking = [own.names[place] for place in wanted if own.names[place].casefold() not in known]
    more = [] if chosen else sorted(known.keys() - {name.casefold() for name in own.names})
    parts = [f"lacks {', '.join(lacking)}"] if lacking else []
    return " and ".join([*parts, f"adds {', '.join(more)}"] if more else parts)
