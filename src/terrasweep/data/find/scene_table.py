"""A table of scenes as the root of a data set: a line per sample, with a column of paths per kind. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.dates import dates_in
from terrasweep.data.find.label_table import CLASS_TITLES
from terrasweep.data.find.readings import LABEL_FOLDERS, MASK
from terrasweep.data.find.scene_dates import PLACE
from terrasweep.data.find.scenes import Scene, SceneList, short_names
from terrasweep.data.find.split_folders import split_of
from terrasweep.data.find.table_rows import Row, read_rows
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError
from terrasweep.results.wording import listed

TABLE_ENDINGS = (".csv", ".tsv", ".txt")
_IMAGE_TITLES = (
    "image",
    "images",
    "image_path",
    "img",
    "img_path",
    "path",
    "file",
    "filename",
    "file_name",
    "filepath",
)
_MASK_TITLES = (*LABEL_FOLDERS, *(f"{title}_path" for title in LABEL_FOLDERS))
_SPLIT_TITLES = ("split", "subset", "partition", "set")
_NAME_TITLES = ("name", "id", "sample", "scene")
_PLACE_TITLES = ("place", "location", "site", "plot", "parcel", "field", "patch")
_DATE_TITLES = (
    *("date", "datetime", "acquired", "acquisition_date", "acquisition", "sensing_date", "time", "timestamp"),
    *("frame", "time_step", "timestep"),
)


def read_scene_table(config: TrialConfig, file: Path, kinds: Iterable[str]) -> SceneList:
    """The scenes of a table with titles; relative paths begin at the folder of the table.

    A column is called like its kind: ``image`` or what ``data.image_folder`` says, ``mask`` or what
    ``data.label_folder`` says, or like a modality or its folder. There may be a ``name``, a ``split``, and for labels
    of whole images a ``class``, or a column of 0 and 1 per class. With ``data.frames`` a ``date`` says of when a line's
    files are, and a ``place``, or a ``name`` that several lines have, which lines are one sample.

    Args:
        config: Names the columns.
        file: The table.
        kinds: Modalities, and ``mask`` where labels are masks.

    Raises:
        DataError: A column is missing, or a cell says nothing.
    """
    place = f"data.root={file}"
    table = read_rows(file, place)
    columns = _columns(config, table.rows[0].cells, kinds, place)
    rows, called = table.rows[1:], table.rows[0].cells
    files = [_paths(row, columns.files, file.parent) for row in rows]
    first = next(iter(columns.files))
    if lacking := [row for row, found in zip(rows, files, strict=True) if first not in found]:
        raise DataError(f"{place}: line {lacking[0].line}: there is no {first}; add its path, or take the line out")
    names = None if columns.name is None else [row.cells[columns.name] for row in rows]
    are_names = names is not None and len(set(names)) == len(names)
    own = names if names is not None and are_names else short_names([found[first] for found in files])
    scenes = [
        replace(_scene(row, columns, place), name=name, files=found, is_named=are_names)
        for row, name, found in zip(rows, own, files, strict=True)
    ]
    note = ", ".join(f"{kind} in column {called[index]}" for kind, index in columns.files.items())
    return SceneList(
        scenes=scenes,
        divided_by="" if columns.split is None else f"column {called[columns.split]}",
        dated_by="" if columns.date is None else f"column {called[columns.date]}",
        classes=tuple(called[column] for column in columns.labels) if config.task.name == "multilabel" else (),
        note="; ".join([f"read with {note}", *table.notes]),
    )


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """Where a table has what, by the column's place."""

    files: dict[str, int]
    """By kind."""
    name: int | None
    split: int | None
    site: int | None
    date: int | None
    labels: list[int]


def _columns(config: TrialConfig, called: Sequence[str], kinds: Iterable[str], place: str) -> _Columns:
    """Columns by their titles; places and dates are looked for where samples have several."""
    titles: dict[str, int] = {}
    for index, title in enumerate(called):
        titles.setdefault(title.casefold(), index)
    files = {kind: _column(titles, _called(config, kind), place, kind) for kind in kinds}
    dated = config.data.frames is not None
    columns = _Columns(
        files=files,
        name=_find(titles, _NAME_TITLES),
        split=_find(titles, _SPLIT_TITLES),
        site=_find(titles, _PLACE_TITLES) if dated else None,
        date=_find(titles, _DATE_TITLES) if dated else None,
        labels=[],
    )
    others = [columns.name, columns.split, columns.site, columns.date]
    used = [*files.values(), *(index for index in others if index is not None)]
    return columns if MASK in files else replace(columns, labels=_label_columns(config, len(called), titles, used))


def _scene(row: Row, columns: _Columns, place: str) -> Scene:
    """What a line says besides the files."""
    days, order = ((), "") if columns.date is None else _date(row.cells[columns.date])
    sites = {PLACE: columns.site, "column name": columns.name}
    return Scene(
        place=f"line {row.line}",
        name="",
        files={},
        split=None if columns.split is None else _split(row, columns.split, place),
        label=tuple(row.cells[column] for column in columns.labels),
        order=order,
        days=days,
        site={what: row.cells[column] for what, column in sites.items() if column is not None},
    )


def _date(text: str) -> tuple[tuple[str, ...], str]:
    """The days of a cell, and what it is sorted by; a whole number counts dates."""
    days = tuple(day.isoformat() for day in dates_in(text.replace("/", "-")))
    return days, ",".join(days) or (text.zfill(9) if text.isdecimal() else "")


def paths_in(file: Path) -> list[Path]:
    """All files that a table names and that are there."""
    try:
        rows = read_rows(file, str(file)).rows
    except DataError:
        return []
    cells = dict.fromkeys(cell for row in rows for cell in row.cells if cell)
    return [path for cell in cells if _is_file(path := file.parent / cell)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # A text that is longer than a path may be.
        return False


def _called(config: TrialConfig, kind: str) -> list[str]:
    data = config.data
    if kind == MASK:
        return [data.label_folder, *_MASK_TITLES]
    if kind in data.modalities:
        return [kind, data.modalities[kind].folder]
    return [data.image_folder, *_IMAGE_TITLES] if kind == IMAGE else [kind]


def _find(titles: Mapping[str, int], names: Iterable[str]) -> int | None:
    return next((titles[name.casefold()] for name in names if name.casefold() in titles), None)


def _column(titles: Mapping[str, int], names: list[str], place: str, kind: str) -> int:
    column = _find(titles, names)
    if column is None:
        key = {MASK: "data.label_folder", IMAGE: "data.image_folder"}.get(kind, f"data.modalities.{kind}.folder")
        raise DataError(
            f"{place}: line 1: there is no column for {kind} (it has {listed(titles)}); call it {kind}, or "
            f"name it with {key}"
        )
    return column


def _paths(row: Row, columns: Mapping[str, int], folder: Path) -> dict[str, Path]:
    return {kind: folder / row.cells[index] for kind, index in columns.items() if row.cells[index]}


def _split(row: Row, column: int, place: str) -> str:
    split = split_of(row.cells[column])
    if split is None:
        raise DataError(
            f"{place}: line {row.line}: {row.cells[column] or 'an empty cell'} is no split; write train, val or test"
        )
    return split


def _label_columns(config: TrialConfig, count: int, titles: Mapping[str, int], used: list[int]) -> list[int]:
    if config.data.label_settings.table is not None:
        return []
    if config.task.name == "multilabel":
        return [index for index in range(count) if index not in used]
    column = _find(titles, CLASS_TITLES)
    return [] if column is None or column in used else [column]
