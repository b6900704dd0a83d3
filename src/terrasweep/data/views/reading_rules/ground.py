"""A sample's files lie over each other on the ground; masks of another pixel size are resampled. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from terrasweep.data.find.sample_list import MASK
from terrasweep.data.views.file_set import ERROR, NOTE, WARNING, FileSet, Remark
from terrasweep.data.views.headers import Header
from terrasweep.data.views.places import is_same_system, unit
from terrasweep.results.wording import counted, rounded

_TOLERANCE = 0.51
"""Pixels by which files of one sample may be off; half a pixel is how two conventions for a pixel's place differ."""
_FINER = {"regression": "average"}
"""How masks of smaller pixels are brought to larger ones; those of classes by ``mode``."""
_METHODS = {"nearest": "the nearest", "mode": "the most frequent class", "average": "their mean"}
"""GDAL's words as people say them."""


@dataclass(frozen=True, kw_only=True)
class _Misplaced:
    """A file that does not lie where its sample's image does."""

    index: int
    reason: str
    pixels: float
    """How far off; infinite for another coordinate system."""


def lay_over_each_other(files: FileSet) -> FileSet:
    """Compare each file's place on the ground with that of its sample's image; the first modality's, where several.

    Masks over the same ground in pixels of another size are brought to the image's: by the nearest pixel where theirs
    are larger; where theirs are smaller, classes by the most frequent and targets by the mean. ``data.pixel_size`` does
    that by itself. A mask that lies elsewhere is an error; another modality may be meant so.
    """
    data = files.config.data
    first, *others = files.headers
    if data.label_settings.vector is not None:
        others = [kind for kind in others if kind != MASK]  # They were drawn on their images.
    for kind in others:
        pairs = list(enumerate(zip(files.headers[first], files.headers[kind], strict=True)))
        misplaced = [found for index, (image, other) in pairs if (found := _misplaced(index, image, other))]
        if misplaced:
            files = files.with_remarks(_remark(files, kind, misplaced))
    return files if data.pixel_metres is not None or MASK not in others else _resampled(files, first)


def lies_over(image: Header, other: Header) -> bool:
    """Whether a file shows its image's ground; one that has no place does where it has as many pixels."""
    if image.transform is None or other.transform is None:
        return (image.height, image.width) == (other.height, other.width)
    return _misplaced(0, image, other) is None


def _misplaced(index: int, image: Header | None, other: Header | None) -> _Misplaced | None:
    if image is None or other is None or image.transform is None or other.transform is None:
        return None
    if bool(image.crs) != bool(other.crs):
        return None  # One has pixel coordinates, or such as nobody knows.
    shift = _shift(image, other)
    if image.crs and other.crs and not is_same_system(image.crs, other.crs):
        reason = f"in {unit(other.crs).system}, its image in {unit(image.crs).system}"
        return None if max(shift) <= _TOLERANCE else _Misplaced(index=index, reason=reason, pixels=math.inf)
    if max(shift) <= _TOLERANCE:
        return None
    return _Misplaced(index=index, reason=_distance(image, other), pixels=max(shift))


def _shift(image: Header, other: Header) -> tuple[float, ...]:
    """How far the four edges of two files lie apart, in pixels of the larger kind."""
    across, down = (max(sizes) for sizes in zip(_pixel(image), _pixel(other), strict=True))
    edges = zip(_corners(image), _corners(other), (across, down, across, down), strict=True)
    return tuple(abs(there - here) / size for here, there, size in edges)


def _pixel(header: Header) -> tuple[float, float]:
    """Width and height of a pixel on the ground."""
    assert header.transform is not None
    a, b, _, d, e, _ = header.transform
    return math.hypot(a, d), math.hypot(b, e)


def _corners(header: Header) -> tuple[float, float, float, float]:
    """Upper left and lower right, each across and down."""
    assert header.transform is not None
    a, b, c, d, e, f = header.transform
    return c, f, c + header.width * a + header.height * b, f + header.width * d + header.height * e


def _distance(image: Header, other: Header) -> str:
    (left, top, *_), (there_left, there_top, *_) = _corners(image), _corners(other)
    across, down = _pixel(image)
    name = unit(image.crs).name
    x, y = there_left - left, there_top - top
    if max(abs(x) / across, abs(y) / down) <= _TOLERANCE:
        return "over ground of another size than its image"
    return (
        f"off by {abs(x) / across:,.1f} pixels across and {abs(y) / down:,.1f} down "
        f"({rounded(abs(x))} and {rounded(abs(y))} {name})"
    )


def _remark(files: FileSet, kind: str, misplaced: list[_Misplaced]) -> Remark:
    worst = max(misplaced, key=lambda found: found.pixels)
    what = "mask" if kind == MASK else f"{kind} image"
    line = (
        f"data.root={files.config.data.root}: {counted(len(misplaced), what)} on other ground than the "
        f"{'image' if len(files.modalities) == 1 else files.modalities[0]} of the same sample (worst "
        f"{files.place(kind, worst.index)}: {worst.reason}); mend their places, or resample them onto the images"
    )
    return Remark(rule="ground", level=ERROR if kind == MASK else WARNING, line=line)


def _resampled(files: FileSet, first: str) -> FileSet:
    views, changed = list(files.views[MASK]), []
    for index, (image, mask) in enumerate(zip(files.headers[first], files.headers[MASK], strict=True)):
        view = views[index]
        if image is not None and mask is not None and view is not None and _is_coarser_or_finer(image, mask):
            how = "nearest" if mask.width < image.width else _FINER.get(files.config.task.name, "mode")
            views[index] = replace(
                view,
                height=image.height,
                width=image.width,
                stretched_from=(mask.height, mask.width),
                resampling=how,
                crs=image.crs,
                transform=image.transform,
            )
            changed.append(
                f"{files.place(MASK, index)}: {mask.height} x {mask.width} for {image.height} x {image.width} pixels, "
                f"by {_METHODS[how]}"
            )
    if not changed:
        return files
    line = (
        f"data.root={files.config.data.root}: {counted(len(changed), 'mask')} over the ground of the images in pixels "
        f"of another size, read in those of the images (first {changed[0]})"
    )
    return files.with_views(MASK, views).with_remarks(Remark(rule="mask-resolution", level=NOTE, line=line))


def _is_coarser_or_finer(image: Header, mask: Header) -> bool:
    """Whether a mask covers its image's ground with another number of pixels."""
    if (image.height, image.width) == (mask.height, mask.width) or image.transform is None or mask.transform is None:
        return False
    return _misplaced(0, image, mask) is None
