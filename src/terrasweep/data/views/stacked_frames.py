"""The dates of each sample one behind the other, as one image that shows them all. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from terrasweep.data.find.dates import DATES
from terrasweep.data.views.file_set import ERROR, FileSet, Remark
from terrasweep.data.views.frames import RULE, Frame, Frames
from terrasweep.data.views.valid_by_value import valid_by_value
from terrasweep.data.views.view import View
from terrasweep.results.wording import listed

_HALF_A_PIXEL = 0.5


def stacked(dated: list[FileSet], frames: Frames) -> FileSet:
    """One file set in which each image shows its dates one behind the other.

    Args:
        dated: What the rules made of each date.
        frames: What was there.
    """
    files = replace(dated[0], remarks=(*frames.remarks, *_once(dated)))
    for kind in files.modalities:
        views: list[View | None] = []
        shown = [[at.views[kind][index] for at in dated[: len(of)]] for index, of in enumerate(frames.by_kind[kind])]
        if any(_differ_in_validity(parts, of) for parts, of in zip(shown, frames.by_kind[kind], strict=True)):
            shown = valid_by_value(shown, files.folder / "valid" / kind)
        for index, (parts, of) in enumerate(zip(shown, frames.by_kind[kind], strict=True)):
            try:
                views.append(_stack(parts, of))
            except ValueError as error:
                line = f"{files.place(kind, index)}: {error}"
                files = files.with_remarks(Remark(rule=RULE, level=ERROR, line=line))
                views.append(
                    _stack(parts[:1] * len(parts), [Frame(header=None)])
                )  # The error is told once, by its own line.
        files = files.with_views(kind, views)
    return files


def _differ_in_validity(parts: list[View | None], frames: list[Frame]) -> bool:
    """Whether dates have masks or alpha bands of their own; all dates in one file share its mask."""
    if any(frame.numbers for frame in frames):
        return False
    return len({view.validity for view in parts if view is not None}) > 1


def _stack(parts: list[View | None], frames: list[Frame]) -> View | None:
    """A view of all dates.

    Raises:
        ValueError: They don't lie over each other, or have other bands.
    """
    views = [part for part in parts if part is not None]
    if len(views) < len(parts):
        return None
    first, dates = views[0], [frame.taken for frame in frames]
    if any(frame.numbers for frame in frames):  # One file, and one mask.
        views = [replace(view, validity=first.validity) for view in views]
    ordered = [first, *(_like(first, view) for view in views[1:])]
    return replace(
        first,
        bands=tuple(band for view in ordered for band in view.bands),
        names=first.names * len(ordered),
        dtype=first.dtype if len({view.dtype for view in ordered}) == 1 else "float64",
        no_data=next((view.no_data for view in ordered if view.no_data is not None), None),
        tags=(*first.tags, (DATES, ",".join(dates))) if all(dates) else first.tags,
    )


def _like(first: View, view: View) -> View:
    """A view with its bands in the order of the first date's."""
    if (view.height, view.width) != (first.height, first.width):
        sizes = " and ".join(f"{v.height} x {v.width}" for v in (first, view))
        raise ValueError(f"its dates have {sizes} pixels, and one image has one size; resample them to one grid")
    if view.crs != first.crs or _apart(first, view):
        raise ValueError("its dates don't lie over each other on the ground; resample them to one grid")
    if view.validity != first.validity:
        raise ValueError(
            "its dates have masks or alpha bands of their own, and one image has one; write no data as a value"
        )
    if view.names == first.names:
        return view
    if Counter(view.names) != Counter(first.names) or len(set(first.names)) < len(first.names):
        raise ValueError(
            f"its dates have other bands ({listed(filter(None, first.names))} and {listed(filter(None, view.names))}; "
            f"{len(first.names)} and {len(view.names)}); give all dates the same bands"
        )
    at = [view.names.index(name) for name in first.names]
    return replace(view, names=first.names, bands=tuple(view.bands[place] for place in at))


def _apart(first: View, view: View) -> bool:
    if first.transform is None or view.transform is None:
        return first.transform is not view.transform
    pixel = max(abs(first.transform[0]), abs(first.transform[1]))
    return any(abs(a - b) > _HALF_A_PIXEL * pixel for a, b in zip(first.transform, view.transform, strict=True))


def _once(dated: list[FileSet]) -> Iterable[Remark]:
    """What the rules say of the first date, and what they say of others alone."""
    said: set[str] = set()
    for files in dated:
        new = [remark for remark in files.remarks if remark.rule not in said]
        yield from new
        said |= {remark.rule for remark in new}
