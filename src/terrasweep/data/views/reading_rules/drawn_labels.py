"""Masks that are drawn from polygons, where there are none of pixels. Imports no torch."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from rasterio import Affine

from terrasweep.config.data import IGNORE, LabelsConfig
from terrasweep.data.find.root_folders import vector_file
from terrasweep.data.views.class_numbers import ClassNumbers, merged_numbers, type_for
from terrasweep.data.views.coco import read_coco
from terrasweep.data.views.file_set import ERROR, FileSet, Remark
from terrasweep.data.views.headers import Header, read_header
from terrasweep.data.views.pixel_grid import image_grids
from terrasweep.data.views.polygons import GroundPolygons, Polygons, draw
from terrasweep.results.wording import counted, listed

BACKGROUND = "background"
"""Class 0: pixels outside of all polygons."""
_NAMED = 8
"""How many classes a line names."""


def draw_masks(files: FileSet) -> FileSet:
    """Write a mask for each image, on its grid, and say what they show.

    Raises:
        DataError: The file of polygons can't be read, or an image has no place in it.
    """
    labels, file = files.config.data.label_settings, vector_file(files.config)
    assert file is not None
    polygons: Polygons = read_coco(file) or GroundPolygons(file, labels)
    numbers, remarks = _numbers(polygons, labels, files.ignored)
    drawn, headers = _drawn(files, polygons, labels, numbers)
    files = replace(files.with_masks(headers), class_names=numbers.names)
    if not any(drawn):
        line = (
            f"data.labels.vector={labels.vector}: none of its {counted(polygons.count, 'polygon')} lies on an image; "
            "see that both have the right coordinate systems, and cover the same ground"
        )
        remarks.append(Remark(rule="label-vector", level=ERROR, line=line))
    return files.noted("label-vector", _told(polygons, labels, numbers, drawn)).with_remarks(*remarks)


def _numbers(polygons: Polygons, labels: LabelsConfig, ignored: int) -> tuple[ClassNumbers, list[Remark]]:
    """Numbers from 0, in the classes' order; the background comes first where it is a class."""
    background = [] if labels.outside == IGNORE else [BACKGROUND]
    names = [*background, *(name for name in polygons.classes if name not in background)]
    classes = ClassNumbers(by_key={name: number for number, name in enumerate(names)}, names=names)
    return merged_numbers(classes, names, labels, ignored)


def _drawn(
    files: FileSet, polygons: Polygons, labels: LabelsConfig, numbers: ClassNumbers
) -> tuple[list[Counter[str]], list[Header | None]]:
    """Polygons by class on each image, and the headers of the masks."""
    drawn: list[Counter[str]] = []
    headers: list[Header | None] = []
    kind = files.modalities[0]
    outside = files.ignored if labels.outside == IGNORE else numbers.by_key[BACKGROUND]
    how = {"dtype": type_for([files.ignored, *numbers.by_key.values()]), "all_touched": labels.all_touched}
    samples = zip(files.samples, files.headers[kind], files.views[kind], image_grids(files), strict=True)
    for (split, name), header, grid, new in samples:
        if header is None or grid is None:
            headers.append(None)
            continue
        shapes, transform = polygons.on(Path(header.file), grid)
        if new is not None:
            grid, transform = new.of(grid), Affine(*new.placed(tuple(transform)[:6]))
        target = files.folder / "classes" / split / f"{name}.tif"
        draw(shapes, transform, grid, numbers.by_key, outside, target, **how)
        drawn.append(Counter(of for _, of in shapes))
        headers.append(read_header(target))
    return drawn, headers


def _told(polygons: Polygons, labels: LabelsConfig, numbers: ClassNumbers, drawn: list[Counter[str]]) -> str:
    column = f" (by {polygons.column})" if polygons.column else ""
    empty = sum(not found for found in drawn)
    classes = listed((f"{number} {name}" for number, name in enumerate(numbers.names or [])), _NAMED)
    inside = "that they touch" if labels.all_touched else "whose centres lie in them"
    return (
        f"data.labels.vector={labels.vector}: {counted(polygons.count, 'polygon')} of "
        f"{len(polygons.classes)} classes{column} give the pixels {inside} their class, a later one over an earlier; "
        f"{counted(empty, 'image')} of {len(drawn)} without any" + (f"; classes: {classes}" if classes else "")
    )
