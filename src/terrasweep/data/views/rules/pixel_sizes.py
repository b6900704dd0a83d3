"""Images of one kind that show the ground at several scales, or measure it in unlike systems. Imports no torch."""

from __future__ import annotations

import math
from collections import Counter

from terrasweep.data.views.file_set import WARNING, FileSet, Remark
from terrasweep.data.views.headers import Header
from terrasweep.data.views.places import unit
from terrasweep.results.wording import counted, listed, rounded

_ALIKE = 1.01
"""Factor up to which two pixel sizes are one."""


def compare_pixel_sizes(files: FileSet) -> FileSet:
    """Warn of objects that change their size, and of degrees beside metres; zones of one projection are normal."""
    for kind in files.modalities:
        placed = [header for header in files.readable(kind) if header.transform is not None and header.crs]
        place = files.subject(kind)
        sizes = _grouped([size for header in placed if (size := pixel_metres(header))])
        if len(sizes) > 1:
            seen = listed(f"{rounded(size)} m in {counted(count, 'file')}" for size, count in sizes.most_common())
            line = (
                f"{place}: pixels have {len(sizes)} sizes on the ground ({seen}), so that things of one size look "
                "different; resample the files to one, or see that the task does not mind"
            )
            files = files.with_remarks(Remark(rule="pixel-size", level=WARNING, line=line))
        systems = Counter(unit(header.crs).system for header in placed)
        if len({unit(header.crs).is_geographic for header in placed}) > 1:
            seen = listed(f"{system} in {counted(count, 'file')}" for system, count in systems.most_common())
            line = (
                f"{place}: some files lie in degrees, others in a projection ({seen}), so that shapes and directions "
                "differ; bring them to one kind of coordinate system"
            )
            files = files.with_remarks(Remark(rule="coordinate-systems", level=WARNING, line=line))
    return files


def pixel_metres(header: Header) -> float | None:
    """Side of a pixel on the ground; in degrees only its height is the same at all latitudes."""
    system = unit(header.crs)
    if header.transform is None or system.metres is None:
        return None
    a, b, _, d, e, _ = header.transform
    width, height = math.hypot(a, d), math.hypot(b, e)
    return system.metres * (height if system.is_geographic else math.sqrt(width * height))


def _grouped(sizes: list[float]) -> Counter[float]:
    """How many files have which size, those that are alike taken together by the smallest."""
    groups: Counter[float] = Counter()
    start = 0.0
    for size in sorted(sizes):
        start = size if size > start * _ALIKE else start
        groups[start] += 1
    return groups
