"""Masks that show classes in colours: read by those that are named, or with a key to name them. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from rasterio.errors import RasterioError

from terrasweep.config.data import IGNORE, LabelsConfig
from terrasweep.data.find.sample_list import MASK
from terrasweep.data.views.class_numbers import merged_numbers, number_classes, type_for
from terrasweep.data.views.file_set import ERROR, NOTE, WARNING, FileSet, Remark
from terrasweep.data.views.headers import Header, read_header
from terrasweep.data.views.mask_colours import (
    MANY,
    NEAR,
    RARE,
    Colour,
    ColourTable,
    chosen,
    colours_in,
    looks_drawn,
    main_colours,
    values_in,
    write_classes,
)
from terrasweep.results.errors import raise_out_of_memory
from terrasweep.results.wording import counted, percent

_COLOUR_BANDS = (3, 4)
_WRITERS = 4
_FEW = 0.01
"""Share of pixels of no named colour up to which they are ignored with a warning."""
_NAMED = 8
"""How many colours a line names."""


def read_by_colours(files: FileSet, labels: LabelsConfig, colours: dict[str, Any]) -> FileSet:
    """Write each mask in colours as one of class numbers."""
    ignored = files.ignored
    numbers, remarks = merged_numbers(number_classes(colours, ignored), list(colours), labels, ignored)
    by_colour = {tuple(colour): numbers.by_key[key] for key, colour in colours.items()}
    table = _table(by_colour, labels.colour_distance, ignored)
    files, unknown, pixels = _written(files, table)
    files = replace(files, class_names=numbers.names)
    shown = ", ".join(f"{key}: {list(colour)}" for key, colour in colours.items())
    files = files.noted("label-values", f"data.labels.colours: masks in colours are read as classes ({shown})")
    if flat := [header for header in files.readable(MASK) if header.count == 1 and not _is_made(files, header)]:
        line = (
            f"data.labels.colours: {counted(len(flat), 'mask')} with neither colours nor a colour table (first "
            f"{_name(flat[0])}); drop the key, or write all masks alike"
        )
        remarks.append(Remark(rule="label-colours", level=ERROR, line=line))
    if unknown:
        remarks.append(_unknown(labels, table, unknown, pixels))
    return files.with_remarks(*remarks)


def _table(by_colour: dict[Colour, int], distance: int, ignored: int) -> ColourTable:
    numbers = list(by_colour.values())
    return ColourTable(
        colours=list(by_colour),
        numbers=numbers,
        distance=distance,
        ignored=ignored,
        dtype=type_for([ignored, *numbers]),
    )


def _written(files: FileSet, table: ColourTable) -> tuple[FileSet, Counter[Colour], int]:
    """The files with class rasters for masks, the pixels of colours that the table lacks, and all pixels."""
    made = list(files.headers[MASK])
    places = [i for i, header in enumerate(made) if header and (is_in_colours(header) or header.palette)]
    unknown: Counter[Colour] = Counter()
    pixels = 0
    with ThreadPoolExecutor(_WRITERS) as writers:
        written = writers.map(partial(_write, files, table), places)
        for index, result in zip(places, written, strict=True):
            if result is not None:
                made[index], found = result
                unknown += found
                pixels += result[0].height * result[0].width
    return files.with_masks(made), unknown, pixels


def _write(files: FileSet, table: ColourTable, index: int) -> tuple[Header, Counter[Colour]] | None:
    """The class raster of a mask and what the table lacks; None where the mask is damaged, as its reader will tell."""
    header, view = files.headers[MASK][index], files.views[MASK][index]
    assert header is not None
    assert view is not None
    split, name = files.samples[index]
    target = files.folder / "classes" / split / f"{name}.tif"
    # Another rule may have turned it as its photo.
    shown = replace(header, file=view.bands[0].file, height=view.height, width=view.width)
    try:
        unknown = write_classes(shown, table, target)
    except RasterioError as error:
        raise_out_of_memory(error)
        return None
    return read_header(target), unknown


def _unknown(labels: LabelsConfig, table: ColourTable, unknown: Counter[Colour], pixels: int) -> Remark:
    share = unknown.total() / pixels
    more = ", ".join(f"NAME: {list(colour)}" for colour, _ in unknown.most_common(_NAMED))
    near = (
        f"they are near colours, as compression (JPEG) or resampling makes them: data.labels.colour_distance={NEAR} "
        "takes the nearest named one"
        if _are_near(table, unknown)
        else f"add those that are classes to the key: {more}"
    )
    line = (
        f"data.labels.colours: {percent(share)} of the masks' pixels have none of the named colours ("
        f"{counted(len(unknown), 'other colour')}) and are ignored; {near}"
    )
    grave = share >= _FEW and not labels.colour_distance and IGNORE not in (labels.colours or {})
    return Remark(rule="label-colours", level=ERROR if grave else WARNING, line=line)


def _are_near(table: ColourTable, unknown: Counter[Colour]) -> bool:
    """Whether most of the pixels have nearly one of the named colours."""
    near = replace(table, distance=NEAR).numbers_of(np.array(list(unknown), int))[1]
    counts = np.array(list(unknown.values()))
    return bool(counts[near].sum() * 2 > counts.sum())


def propose_colours(files: FileSet, found: Counter[Colour]) -> FileSet:
    """Say which colours the masks have, ready to copy, and read them so for a first look."""
    colours = main_colours(found)
    distance = NEAR if len(found) > MANY else 0
    table = _table({colour: number for number, colour in enumerate(colours)}, distance, files.ignored)
    if not looks_drawn(found, colours):
        line = (
            f"data.label_folder={files.config.data.label_folder}: its files have three bands and {len(found):,} "
            "colours, as photos have; name the folder of the masks, or write classes in one band"
        )
        return files.with_remarks(Remark(rule="label-colours", level=ERROR, line=line))
    shown = ", ".join(f"{number}: {list(colour)}" for number, colour in enumerate(colours))
    key = f"'data.labels.colours={{{shown}}}'" + (f" data.labels.colour_distance={distance}" if distance else "")
    spoilt = f" and {len(found) - len(colours):,} near them, as compression makes them" if distance else ""
    line = (
        f"data.labels.colours=null: masks are in colours, and show classes by {counted(len(colours), 'colour')}{spoilt}"
        f"; set {key} (numbers may be names" + (f"; add classes below {percent(RARE)})" if distance else ")")
    )
    files, _, _ = _written(files, table)
    return files.with_remarks(Remark(rule="label-colours", level=ERROR, line=line))


def about_palettes(files: FileSet) -> Iterable[Remark]:
    """What the colour tables of masks show, and whether they agree."""
    shown: dict[int, Colour] = {}
    for header in chosen([header for header in files.readable(MASK) if header.palette]):
        for value in values_in([header]):
            colour = header.palette[value][:3] if value < len(header.palette) else ()
            if shown.setdefault(value, colour) != colour:
                yield _contradicting(files, value, colour, shown[value], header)
                return
    if shown:
        table = ", ".join(f"{value}: {list(colour)}" for value, colour in sorted(shown.items())[:_NAMED])
        line = f"masks have a colour table, and are read by the numbers in it ({table}); data.class_names names them"
        yield Remark(rule="label-palette", level=NOTE, line=line)


def _contradicting(files: FileSet, value: int, colour: Colour, other: Colour, header: Header) -> Remark:
    colours = main_colours(colours_in([header for header in files.readable(MASK) if header.palette]))
    key = ", ".join(f"{number}: {list(one)}" for number, one in enumerate(colours))
    line = (
        f"data.labels.colours=null: {value} is {list(colour)} in the colour table of {_name(header)} and {list(other)} "
        f"in that of another mask, so that numbers may mean several classes; set 'data.labels.colours={{{key}}}' to "
        "read them by colour"
    )
    return Remark(rule="label-palette", level=WARNING, line=line)


def _is_made(files: FileSet, header: Header) -> bool:
    return header.file.startswith(str(files.folder))


def is_in_colours(header: Header) -> bool:
    """Whether a file has red, green and blue."""
    return header.count in _COLOUR_BANDS and set(header.dtypes) == {"uint8"}


def _name(header: Header) -> str:
    return header.file.rpartition("/")[2]
