"""Which samples a data set on the disk has: names, files and image-level labels, by split. Imports no torch."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.dates import places
from terrasweep.data.find.file_names import check_unique, find_suffixes, images_in, matched
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError, raise_out_of_memory

MASK = "mask"
LABEL_ENDING = ".npy"
SPLITS = ("train", "val", "test")
WHOLE = "all"
"""The one part of a data set that is not divided by folders."""
PIXEL_TASKS = ("segmentation", "regression")
"""Tasks with a label per pixel."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Samples by split. A sample's file of a modality is ``roots[split][modality] / (name + suffixes[modality])``."""

    names: dict[str, list[str]]
    roots: dict[str, dict[str, str]]
    suffixes: dict[str, str]
    """By modality, and ``mask``."""
    mask_roots: dict[str, str]
    """By split; empty where labels are of whole images."""
    labels: dict[str, dict[str, list[int]]]
    """Split to name to the class number, or to 0 or 1 per class; empty where labels are masks."""
    class_names: list[str] | None = None
    """By number, where the labels have names."""
    folder: str = ""
    """Where :meth:`split_file` and the arrays of image-level labels lie, once they are written."""
    scattered: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    """By kind, split and name the files of kinds that do not lie as described above: views bring them together."""
    remarks: list[dict[str, str]] = field(default_factory=list)
    """What the files' headers tell: ``rule``, ``level`` and ``line`` of each."""
    frame_files: dict[str, dict[str, dict[str, list[list[str]]]]] = field(default_factory=dict)
    """By kind, split and name the date (empty where its name has none) and the file of each date, where dates may be
    files of their own: views bring them together."""
    coordinates: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """By split and name the ``time`` (year, and day of the year from 0, of each date) and the ``location`` (latitude,
    longitude), each where all samples have one."""

    @property
    def modalities(self) -> list[str]:
        """Modalities, in order."""
        return [kind for kind in self.suffixes if kind != MASK]

    def file(self, split: str, name: str, kind: str) -> Path:
        """A sample's image of a modality, or its mask."""
        if kind in self.scattered:
            return Path(self.scattered[kind][split][name])
        root = self.mask_roots[split] if kind == MASK else self.roots[split][kind]
        return Path(root) / (name + self.suffixes[kind])

    def split_file(self, split: str) -> Path:
        """Where TerraTorch finds the names of a split's samples."""
        return Path(self.folder) / "lists" / f"{split}.txt"

    def label_root(self, split: str) -> Path:
        """Where TerraTorch finds a split's labels: masks, or an array per image."""
        return Path(self.mask_roots[split]) if self.mask_roots else Path(self.folder) / "labels" / split

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Listing:
        """The listing of a text that :meth:`to_json` wrote."""
        return Listing(**json.loads(text))


def find_samples(config: TrialConfig, root: Path) -> Listing:
    """List the samples below a folder, not yet divided unless ``data.split.by`` is ``folders``.

    Raises:
        DataError: A folder is missing or empty, files don't match, or a label is unknown.
    """
    bases = _bases(config, root)
    if config.task.name in PIXEL_TASKS:
        return _with_masks(config, bases) if config.data.label_settings.vector is None else _without(config, bases)
    if config.data.label_settings.table is not None:
        return _with_table(config, root, bases)
    if config.task.name == "multilabel" or config.data.modalities:
        raise DataError(
            f"task={config.task.name} with data={config.data.name}: image-level labels come from a table; "
            "set data.labels to a CSV file below data.root (docs/data.md)"
        )
    return _with_class_folders(config, bases)


def _bases(config: TrialConfig, root: Path) -> dict[str, Path]:
    if config.data.split.by != "folders":
        return {WHOLE: root}
    lacking = [split for split in ("train", "val") if not (root / split).is_dir()]
    if lacking:
        raise DataError(
            f"data.root={root}: there is no folder {lacking[0]}/ in it; make train/ and val/, or divide it with "
            "data.split.by=fraction, blocks or lists (docs/data.md)"
        )
    return {split: root / split for split in SPLITS if (root / split).is_dir()}


def _image_roots(config: TrialConfig, base: Path) -> dict[str, Path]:
    if config.data.modalities:
        return {name: base / modality.folder for name, modality in config.data.modalities.items()}
    return {IMAGE: base / config.data.image_folder}


def _files(config: TrialConfig, roots: dict[str, Path], place: str) -> dict[str, list[str]]:
    """File names by modality."""
    files = {}
    for name, folder in roots.items():
        modality = config.data.modalities.get(name)
        files[name] = places(images_in(folder, modality.glob if modality else config.data.image_glob), config.data)
        if not files[name] and place != "test":
            raise DataError(
                f"data.root={config.data.root}: the split {place} has no images in {folder}; see docs/data.md"
            )
        check_unique(files[name], str(folder))
    return files


def _with_masks(config: TrialConfig, bases: dict[str, Path]) -> Listing:
    roots = {split: _image_roots(config, base) for split, base in bases.items()}
    mask_roots = {split: base / config.data.label_folder for split, base in bases.items()}
    files: dict[str, dict[str, list[str]]] = {}
    for split in bases:
        if split == "test" and not mask_roots[split].is_dir():
            continue  # No trial reads it; it may have no labels yet.
        files[split] = _files(config, roots[split], split)
        files[split][MASK] = places(images_in(mask_roots[split], config.data.mask_glob), config.data)
        check_unique(files[split][MASK], str(mask_roots[split]))
        if not files[split][MASK] and any(files[split].values()):
            raise DataError(f"data.root={config.data.root}: the split {split} has no masks in {mask_roots[split]}")
    files = {split: kinds for split, kinds in files.items() if any(kinds.values())}
    suffixes = find_suffixes(_pooled(files))
    return Listing(
        names={split: matched(kinds, suffixes, str(bases[split])) for split, kinds in files.items()},
        roots={split: _texts(roots[split]) for split in files},
        suffixes=suffixes,
        mask_roots={split: str(mask_roots[split]) for split in files},
        labels={},
    )


def _without(config: TrialConfig, bases: dict[str, Path]) -> Listing:
    """Images alone: their masks are drawn from polygons."""
    roots = {split: _image_roots(config, base) for split, base in bases.items()}
    files = {split: _files(config, roots[split], split) for split in bases}
    files = {split: kinds for split, kinds in files.items() if any(kinds.values())}
    suffixes = find_suffixes(_pooled(files))
    return Listing(
        names={split: matched(kinds, suffixes, str(bases[split])) for split, kinds in files.items()},
        roots={split: _texts(roots[split]) for split in files},
        suffixes=suffixes,
        mask_roots={},
        labels={},
    )


def _with_class_folders(config: TrialConfig, bases: dict[str, Path]) -> Listing:
    files = {s: places(images_in(base, config.data.image_glob, below="*/"), config.data) for s, base in bases.items()}
    for split, base in bases.items():
        if deeper := images_in(base, config.data.image_glob, below="*/*/"):
            raise DataError(
                f"data.root={config.data.root}: {len(deeper)} images lie deeper than in a folder per class (first "
                f"{deeper[0]}); move them up, or take them out"
            )
        if not files[split] and split != "test":
            raise DataError(
                f"data.root={config.data.root}: the split {split} has no tiles in class folders; docs/data.md shows how"
            )
        check_unique(files[split], str(bases[split]))
    files = {split: names for split, names in files.items() if names}
    classes = sorted({name.partition("/")[0] for names in files.values() for name in names})
    return Listing(
        names=files,
        roots={split: {IMAGE: str(bases[split])} for split in files},
        suffixes={IMAGE: ""},
        mask_roots={},
        labels={s: {n: [classes.index(n.partition("/")[0])] for n in names} for s, names in files.items()},
        class_names=classes,
    )


def _with_table(config: TrialConfig, root: Path, bases: dict[str, Path]) -> Listing:
    table = root / str(config.data.label_settings.table)
    known, classes = read_table(table, config.task.name)
    roots = {split: _image_roots(config, base) for split, base in bases.items()}
    files = {split: _files(config, roots[split], split) for split in bases}
    files = {split: kinds for split, kinds in files.items() if any(kinds.values())}
    suffixes = find_suffixes(_pooled(files))
    names = {split: matched(kinds, suffixes, str(bases[split])) for split, kinds in files.items()}
    labels: dict[str, dict[str, list[int]]] = {}
    first = next(iter(suffixes))
    for split, found in names.items():
        labels[split] = {n: known[key] for n in found if (key := n if n in known else n + suffixes[first]) in known}
        if lacking := [name for name in found if name not in labels[split]]:
            raise DataError(
                f"data.labels={table}: {len(lacking)} of {len(found)} images of {split} are not in it "
                f"(first {lacking[0]}{suffixes[first]}); add them"
            )
    return Listing(
        names=names,
        roots={split: _texts(roots[split]) for split in files},
        suffixes=suffixes,
        mask_roots={},
        labels=labels,
        class_names=classes,
    )


def read_table(table: Path, task: str) -> tuple[dict[str, list[int]], list[str]]:
    """Image-level labels: name to class number, or to 0 or 1 per class; and the classes by number.

    The first row holds titles. For ``classification`` the second column is the class; classes are numbered in their
    sorted order. For ``multilabel`` each further column is a class, with 0 or 1.

    Raises:
        DataError: The table can't be read, or a value is no label.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            title, *rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise_out_of_memory(error)
        raise DataError(f"data.labels={table}: it can't be read as CSV with a row of titles: {error}") from error
    short = [row[0] for row in rows if len(row) != len(title)]
    if short or len(title) < 2:
        where = short[0] if short else "its title"
        raise DataError(f"data.labels={table}: {where} has too few or too many columns; separate them by commas")
    names = [row[0] for row in rows]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"data.labels={table}: {twice} is in several rows; name each image once")
    if task != "multilabel":
        classes = sorted({row[1] for row in rows})
        return {row[0]: [classes.index(row[1])] for row in rows}, classes
    if wrong := [row[0] for row in rows if any(value not in ("0", "1") for value in row[1:])]:
        raise DataError(f"data.labels={table}: {wrong[0]} has a value that is neither 0 nor 1; mend the table")
    return {row[0]: [int(value) for value in row[1:]] for row in rows}, title[1:]


def _pooled(files: dict[str, dict[str, list[str]]]) -> dict[str, list[str]]:
    """File names by kind over all splits."""
    kinds = next(iter(files.values()))
    return {kind: [name for split in files.values() for name in split[kind]] for kind in kinds}


def _texts(paths: dict[str, Path]) -> dict[str, str]:
    return {name: str(path) for name, path in paths.items()}
