"""Labels of whole images out of a table, as people and programs write one. Imports no torch."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from terrasweep.data.find.file_names import IMAGE_ENDINGS
from terrasweep.data.find.numbering import as_they_count, numbered
from terrasweep.data.find.sample_names import SampleNames
from terrasweep.data.find.table_rows import Row, Rows, read_rows
from terrasweep.results.errors import DataError, raise_out_of_memory
from terrasweep.results.wording import counted, listed

CLASS_TITLES = ("class", "label", "category", "class_name", "classname", "label_name", "target", "species")
"""Titles of the column of classes, in any case, where there are more than two columns."""
NAME_TITLES = ("name", "image", "file", "filename", "file_name", "path", "id", "image_id", "image_name", "tile", "img")
"""Words that stand above names rather than being one."""
_BITS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """What a table says."""

    place: str
    """What an error says first."""
    labels: dict[str, list[int]]
    """Name, as it is written, to the class number, or to 0 or 1 per class."""
    lines: dict[str, int]
    classes: list[str]
    """By number."""
    notes: list[str]
    """What was understood that doesn't go without saying."""


@dataclass(frozen=True, kw_only=True)
class _Columns:
    name: int
    labels: tuple[int, ...]
    has_titles: bool


def read_table(
    file: Path, task: str, *, is_name: Callable[[str], bool] | None = None, given: Sequence[str] | None = None
) -> LabelTable:
    """Read a table of image-level labels.

    The name is in the first column, or in the one that has the names of most images. For ``classification`` the column
    behind it is the class, or the one whose title says so; for ``multilabel`` each column behind it is a class, with 0
    or 1. The first row holds titles, unless it names an image.

    Args:
        file: The table.
        task: ``classification`` or ``multilabel``.
        is_name: Whether a cell is the name of an image of the data set.
        given: ``data.class_names``, see :func:`terrasweep.data.find.numbering.numbered`.

    Raises:
        DataError: The table can't be read, a label is missing or is none, or one image has several.
    """
    place = f"data.labels={file}"
    table = read_rows(file, place)
    columns = _columns(table, task, is_name or _ends_like_an_image, place)
    body = table.rows[1:] if columns.has_titles else table.rows
    notes = [*table.notes, *_notes(table, columns)]
    for row in body:
        if empty := [what for what, cell in _needed(row, columns) if not cell]:
            raise DataError(f"{place}: line {row.line}: there is no {empty[0]}; fill it in, or take the line out")
    body, twice = _without_repetitions(body, columns, place)
    notes += [f"{counted(twice, 'line')} left out that say the same of an image again"] if twice else []
    if task == "multilabel":
        labels = {row.cells[columns.name]: _bits(row, columns, place) for row in body}
        classes = [table.rows[0].cells[i] if columns.has_titles else str(n) for n, i in enumerate(columns.labels)]
    else:
        column = columns.labels[0]
        classes = numbered({row.cells[column] for row in body}, given)
        labels = {row.cells[columns.name]: [classes.index(row.cells[column])] for row in body}
        if classes != sorted(classes):
            notes.append(as_they_count(classes))
    lines = {row.cells[columns.name]: row.line for row in body}
    return LabelTable(place=place, labels=labels, lines=lines, classes=classes, notes=notes)


def assigned(table: LabelTable, samples: Mapping[str, Mapping[str, str]], names: SampleNames) -> LabelTable:
    """The labels by the samples' names, a split before each: ``train/a`` for a table's ``./images/a.tif``.

    Args:
        table: As it is written.
        samples: Split to name to the file's name.
        names: Finds the samples that a name means.

    Raises:
        DataError: A sample has no label, or two; or a name may mean several samples.
    """
    found: dict[tuple[str, str], str] = {}
    strangers = []
    for written in table.labels:
        meant = names.find(written)
        strangers += [] if meant else [written]
        _see_that_one_is_meant(table, written, meant)
        for sample in meant:
            other = found.setdefault(sample, written)
            if table.labels[other] != table.labels[written]:
                raise DataError(
                    f"{table.place}: lines {table.lines[other]} and {table.lines[written]}: {other} and {written} are "
                    "one image with other labels; name each image once"
                )
    for split, files in samples.items():
        if lacking := [file for name, file in files.items() if (split, name) not in found]:
            raise DataError(f"{table.place}: {_lacking(table, split, lacking, len(files), strangers)}")
    notes = list(table.notes)
    if strangers:
        first = strangers[0]
        notes.append(f"{counted(len(strangers), 'line')} about no image (first line {table.lines[first]}: {first})")
    labels = {f"{split}/{name}": table.labels[written] for (split, name), written in found.items()}
    return replace(table, labels=labels, notes=notes)


def classes_of_old(file: Path, task: str) -> list[str]:
    """The classes that versions read which took every comma for a separator and every line for an image's."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            title, *rows = [[cell.strip() for cell in row] for row in csv.reader(lines) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise_out_of_memory(error)
        return []
    if len(title) < 2 or any(len(row) != len(title) for row in rows):
        return []
    return title[1:] if task == "multilabel" else sorted({row[1] for row in rows})


def _columns(table: Rows, task: str, is_name: Callable[[str], bool], place: str) -> _Columns:
    width, first = len(table.rows[0].cells), table.rows[0].cells
    hits = [sum(map(is_name, table.column(0)))]
    for index in range(1, width):
        cells = table.column(index)  # Of all columns but the first, names are in one where each cell is another.
        hits.append(sum(map(is_name, cells)) if len(set(cells)) == len(cells) else 0)
    name = hits.index(max(hits))
    is_title = first[name].casefold() in NAME_TITLES or not (is_name(first[name]) or _ends_like_an_image(first[name]))
    behind = tuple(range(name + 1, width)) or tuple(range(name))
    if task == "multilabel":
        return _Columns(name=name, labels=behind, has_titles=is_title)
    said = [i for i in range(width) if i != name and is_title and width > 2 and first[i].casefold() in CLASS_TITLES]
    if len(said) > 1 and behind[0] not in said:
        raise DataError(
            f"{place}: line 1: {listed(first[i] for i in said)} may each be the class; keep one of these columns"
        )
    return _Columns(name=name, labels=(said[0] if len(said) == 1 else behind[0],), has_titles=is_title)


def _ends_like_an_image(cell: str) -> bool:
    return cell.lower().endswith(IMAGE_ENDINGS)


def _notes(table: Rows, columns: _Columns) -> list[str]:
    first = table.rows[0].cells
    notes = []
    if columns.name:
        notes.append(f"column {columns.name + 1} holds the names" + (f" ({first[columns.name]})" * columns.has_titles))
    if len(columns.labels) == 1 and columns.labels[0] != columns.name + 1:
        title = f" ({first[columns.labels[0]]})" * columns.has_titles
        notes.append(f"column {columns.labels[0] + 1} holds the classes{title}")
    if not columns.has_titles:
        notes.append(f"its first line is no title: {first[columns.name]} is an image")
    return notes


def _needed(row: Row, columns: _Columns) -> list[tuple[str, str]]:
    return [("name", row.cells[columns.name]), *(("label", row.cells[index]) for index in columns.labels)]


def _without_repetitions(rows: list[Row], columns: _Columns, place: str) -> tuple[list[Row], int]:
    """The rows without those that say the same as another, and how many these were."""
    kept: dict[str, Row] = {}
    for row in rows:
        name = row.cells[columns.name]
        other = kept.setdefault(name, row)
        if any(other.cells[index] != row.cells[index] for index in columns.labels):
            raise DataError(
                f"{place}: {name} is in several rows, with other labels in lines {other.line} and {row.line}; name "
                "each image once"
            )
    return list(kept.values()), len(rows) - len(kept)


def _bits(row: Row, columns: _Columns, place: str) -> list[int]:
    if wrong := [row.cells[i] for i in columns.labels if row.cells[i].casefold() not in _BITS]:
        raise DataError(
            f"{place}: line {row.line}: {row.cells[columns.name]} has a value that is neither 0 nor 1 ({wrong[0]}); "
            "mend the table"
        )
    return [_BITS[row.cells[index].casefold()] for index in columns.labels]


def _see_that_one_is_meant(table: LabelTable, written: str, meant: list[tuple[str, str]]) -> None:
    """Samples of several splits may share a name; within one split it would be a guess."""
    splits = Counter(split for split, _ in meant)
    several = [name for split, name in meant if splits[split] > 1]
    if several:
        raise DataError(
            f"{table.place}: line {table.lines[written]}: {written} may be {listed(several, 2)}; write the folder too"
        )


def _lacking(table: LabelTable, split: str, files: list[str], total: int, strangers: list[str]) -> str:
    if len(strangers) < len(table.labels):
        return f"{len(files)} of {total} images of {split} are not in it (first {files[0]}); add them"
    first = next(iter(table.labels))
    return (
        f"none of its {counted(len(table.labels), 'name')} is that of an image: line {table.lines[first]} has {first}, "
        f"the files are called like {files[0]}; write the files' names, with or without folders and endings"
    )
