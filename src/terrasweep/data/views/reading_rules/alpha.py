"""A band that is marked as alpha says which pixels are valid, unless it holds anything else. Imports no torch."""

from __future__ import annotations

from dataclasses import replace

from terrasweep.config.band_choice import chosen_places
from terrasweep.data.views.file_set import NOTE, FileSet, Remark
from terrasweep.data.views.headers import Header
from terrasweep.data.views.own_bands import band_names, has_alpha, holds_validity
from terrasweep.data.views.view import View
from terrasweep.results.wording import counted


def take_alpha_as_validity(files: FileSet) -> FileSet:
    """Leave alpha bands out, whose pixels of 0 are no data, unless the configuration names them as bands.

    A band that is marked as alpha and holds more than transparency, such as near infrared, is a band like others.
    """
    for kind in files.modalities:
        marked = [header for header in files.readable(kind) if has_alpha(header)]
        if marked and not _is_wanted(files, kind):
            files = (
                _without_alpha(files, kind, marked) if _only_validity(files, kind, marked) else _as_bands(files, kind)
            )
    return files


def _is_wanted(files: FileSet, kind: str) -> bool:
    """Whether the configuration names the alpha band as one."""
    own = files.own_bands.get(kind)
    return own is not None and not set(chosen_places(own, files.given_bands(kind))) <= set(own.read)


def _only_validity(files: FileSet, kind: str, marked: list[Header]) -> bool:
    """As the first file was judged, where it has such a band."""
    own = files.own_bands.get(kind)
    if own is not None and own.has_alpha:
        return len(own.read) < len(own.names)
    return holds_validity(marked)


def _without_alpha(files: FileSet, kind: str, marked: list[Header]) -> FileSet:
    views = [
        _masked(header, view) if header and view and has_alpha(header) else view
        for header, view in zip(files.headers[kind], files.views[kind], strict=True)
    ]
    key, number = files.bands_key(kind), marked[0].count
    line = (
        f"{key}: the alpha band of {counted(len(marked), 'file')} says which pixels are valid, and is no band of the "
        f"images; to read it as one, name {'both' if number == 2 else f'all {number}'} bands in {key}"
    )
    return files.with_views(kind, views).with_remarks(Remark(rule="alpha", level=NOTE, line=line))


def _masked(header: Header, view: View) -> View:
    *bands, alpha = view.bands
    return replace(view, bands=tuple(bands), names=band_names(header)[:-1], validity=replace(alpha, no_data=None))


def _as_bands(files: FileSet, kind: str) -> FileSet:
    """Read all pixels of all bands: as the files lie, those where the last band is 0 would be no data."""
    views = [
        replace(view, validity=None) if header and view and has_alpha(header) else view
        for header, view in zip(files.headers[kind], files.views[kind], strict=True)
    ]
    line = (
        f"{files.bands_key(kind)}: the files mark their last band as alpha, but it holds more than transparency, as "
        "files do that were written as RGB with near infrared; it is read as a band"
    )
    return files.with_views(kind, views).with_remarks(Remark(rule="alpha", level=NOTE, line=line))
