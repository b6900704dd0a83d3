"""A table of scenes as the root of a data set: a line per sample, with a column of paths per kind. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.label_table import CLASS_TITLES
from terrasweep.data.find.readings import LABEL_FOLDERS, MASK
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


def read_scene_table(config: TrialConfig, file: Path, kinds: Iterable[str]) -> SceneList:
    """The scenes of a table with titles; relative paths begin at the folder of the table.

    A column is called like its kind: ``image`` or what ``data.image_folder`` says, ``mask`` or what
    ``data.label_folder`` says, or like a modality or its folder. There may be a ``name``, a ``split``, and for labels
    of whole images a ``class``, or a column of 0 and 1 per class.

    Args:
        config: Names the columns.
        file: The table.
        kinds: Modalities, and ``mask`` where labels are masks.

    Raises:
        DataError: A column is missing, or a cell says nothing.
    """
    place = f"data.root={file}"
    table = read_rows(file, place)
    titles: dict[str, int] = {}
    for index, title in enumerate(table.rows[0].cells):
        titles.setdefault(title.casefold(), index)
    columns = {kind: _column(titles, _called(config, kind), place, kind) for kind in kinds}
    split, name = _find(titles, _SPLIT_TITLES), _find(titles, _NAME_TITLES)
    rows = table.rows[1:]
    files = [_paths(row, columns, file.parent) for row in rows]
    first = next(iter(columns))
    if lacking := [row for row, found in zip(rows, files, strict=True) if first not in found]:
        raise DataError(f"{place}: line {lacking[0].line}: there is no {first}; add its path, or take the line out")
    if name is None or len({row.cells[name] for row in rows}) < len(rows):
        names = short_names([found[first] for found in files])
    else:
        names = [row.cells[name] for row in rows]
    used = [*columns.values(), *(index for index in (split, name) if index is not None)]
    labels = [] if MASK in columns else _label_columns(config, table.rows[0], titles, used)
    scenes = [
        Scene(
            place=f"line {row.line}",
            name=names[index],
            files=files[index],
            split=None if split is None else _split(row, split, place),
            label=tuple(row.cells[column] for column in labels),
        )
        for index, row in enumerate(rows)
    ]
    called = table.rows[0].cells
    note = ", ".join(f"{kind} in column {called[index]}" for kind, index in columns.items())
    return SceneList(
        scenes=scenes,
        divided_by="" if split is None else f"column {called[split]}",
        classes=tuple(called[column] for column in labels) if config.task.name == "multilabel" else (),
        note="; ".join([f"read with {note}", *table.notes]),
    )


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
    except (OSError, ValueError):
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


def _label_columns(config: TrialConfig, titles: Row, by_title: Mapping[str, int], used: list[int]) -> list[int]:
    if config.data.label_settings.table is not None:
        return []
    if config.task.name == "multilabel":
        return [index for index in range(len(titles.cells)) if index not in used]
    column = _find(by_title, CLASS_TITLES)
    return [] if column is None or column in used else [column]
