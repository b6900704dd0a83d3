"""Every file is read at the pixel size that ``data.pixel_size`` names. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from terrasweep.data.find.sample_list import MASK
from terrasweep.data.views.file_set import ERROR, NOTE, FileSet, Remark
from terrasweep.data.views.ground_pixels import GroundPixel, ground_pixels, utm_zone
from terrasweep.data.views.headers import Header
from terrasweep.data.views.pixel_grid import PixelGrid, grid_at, image_grids
from terrasweep.data.views.reading_rules.ground import lies_over
from terrasweep.data.views.resampled_view import resampled
from terrasweep.data.views.view import ENDING, View
from terrasweep.results.wording import counted, listed, percent

_EVEN = 1.05
"""Factor by which pixels may change their size from a file's upper to its lower edge: one size stands for all."""


@dataclass(frozen=True, kw_only=True)
class _Grids:
    """Where the files of a kind are to be read."""

    kind: str
    grids: Sequence[PixelGrid | None]
    """None: as it lies."""


def read_at_one_pixel_size(files: FileSet) -> FileSet:
    """Resample images, and what lies over them, to pixels of ``data.pixel_size`` metres, each in its own system.

    Images with larger pixels bilinearly, with smaller ones by their mean, weighted by area; masks by the nearest, or
    by the most frequent class or the mean of targets. Degrees need no other system: their width and height are each
    made as many metres as are wanted.
    """
    metres = files.config.data.pixel_metres
    if metres is None:
        return files
    kinds = list(_kinds(files, metres))
    if problems := [problem for of in kinds for problem in _problems(files, of, metres)]:
        return files.with_remarks(*problems)
    for of in kinds:
        files = files.with_views(of.kind, list(_views(files, of)))
    return files.with_remarks(*(_told(files, of, metres) for of in kinds if of.kind != MASK))


def _kinds(files: FileSet, metres: float) -> Iterator[_Grids]:
    """Files over the ground of their sample's first image get its grid, others one of their own."""
    first, *others = files.headers
    grids = image_grids(files)
    yield _Grids(kind=first, grids=grids)
    for kind in others:
        if kind == MASK and files.config.data.label_settings.vector is not None:
            continue  # They were drawn on that grid.
        pixels = ground_pixels(files.headers[kind])
        samples = zip(files.headers[first], grids, files.headers[kind], pixels, strict=True)
        yield _Grids(kind=kind, grids=[_grid(*sample, metres) for sample in samples])


def _grid(
    image: Header | None, grid: PixelGrid | None, other: Header | None, pixel: GroundPixel | None, metres: float
) -> PixelGrid | None:
    if other is None or image is None or grid is None:
        return None
    if lies_over(image, other):
        return grid.over(image, other)
    return None if pixel is None else grid_at(other, pixel, metres)


def _problems(files: FileSet, of: _Grids, metres: float) -> Iterator[Remark]:
    """What can't be read at that size."""
    if of.kind == MASK:
        return  # What they lie on is told of their images, and else their size.
    headers = files.headers[of.kind]
    placeless = [header for header, grid in zip(headers, of.grids, strict=True) if header and grid is None]
    if placeless:
        line = (
            f"data.pixel_size={metres:g}: {counted(len(placeless), 'image')} without a place on the ground (first "
            f"{Path(placeless[0].file).name}), so that nobody knows how large the pixels are; write coordinate system "
            "and place into the files, or drop data.pixel_size"
        )
        yield Remark(rule="pixel-size", level=ERROR, line=line)
    upper, lower = ground_pixels(headers, down=0.0), ground_pixels(headers, down=1.0)
    for header, grid, first, last in zip(headers, of.grids, upper, lower, strict=True):
        if header is None or grid is None:
            continue
        if min(grid.height, grid.width) < 1:
            size = f"{header.height} x {header.width}"
            line = (
                f"data.pixel_size={metres:g}: {Path(header.file).name} with {size} pixels covers less ground than one "
                "such pixel; use a smaller one, or take the file out"
            )
            yield Remark(rule="pixel-size", level=ERROR, line=line)
        elif first and last and not grid.is_the_files and first.factor(last) > _EVEN:
            yield Remark(rule="pixel-size", level=ERROR, line=_uneven(header, first.factor(last), metres))


def _uneven(header: Header, factor: float, metres: float) -> str:
    file = Path(header.file)
    return (
        f"data.pixel_size={metres:g}: pixels of {file.name} change their size on the ground by {percent(factor - 1)} "
        f"from its upper to its lower edge; bring it to metres first: gdalwarp -t_srs {utm_zone(header)} -tr "
        f"{metres:g} {metres:g} -r average {file.name} {file.stem}_{metres:g}m.tif"
    )


def _views(files: FileSet, of: _Grids) -> Iterator[View | None]:
    folder = files.folder / "pixel_size" / of.kind
    for index, (header, view, grid) in enumerate(
        zip(files.headers[of.kind], files.views[of.kind], of.grids, strict=True)
    ):
        if header is None or view is None or grid is None or _is_as_stored(header, grid):
            yield view
        else:
            yield resampled(view, header, grid, _method(files, of.kind, grid), folder / f"{index:06}{ENDING}")


def _is_as_stored(header: Header, grid: PixelGrid) -> bool:
    return grid.is_the_files and (grid.height, grid.width) == (header.height, header.width)


def _method(files: FileSet, kind: str, grid: PixelGrid) -> str:
    if kind != MASK:
        return "bilinear" if grid.is_finer else "average"
    smaller = "average" if files.config.task.name == "regression" else "mode"
    return "nearest" if grid.is_finer else smaller


def _told(files: FileSet, of: _Grids, metres: float) -> Remark:
    grids = [grid for grid in of.grids if grid is not None]
    counts = Counter("" if grid.is_the_files else _method(files, of.kind, grid) for grid in grids)
    done = {"bilinear": "of larger pixels bilinearly", "average": "of smaller ones by their mean"}
    parts = [f"{counts[how]} {text}" for how, text in done.items() if counts[how]]
    whose = "image" if len(files.modalities) == 1 else f"{of.kind} image"
    line = (
        f"data.pixel_size={metres:g}: {counted(len(grids), whose)} read in pixels of {metres:g} m on the ground "
        f"({listed(parts) or 'as all lie'}), with what lies over them"
    )
    return Remark(rule="pixel-size", level=NOTE, line=line)
