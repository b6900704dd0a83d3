"""The samples of a data set as they are found: names, files and image-level labels, by split. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.file_names import check_unique
from terrasweep.data.find.readings import MASK

LABEL_ENDING = ".npy"
SPLITS = ("train", "val", "test")
WHOLE = "all"
"""The one part of a data set that is not divided by folders."""
PIXEL_TASKS = ("segmentation", "regression")
"""Tasks with a label per pixel."""


def has_mask_files(config: TrialConfig) -> bool:
    """Whether samples have masks of their own; polygons of a vector file become masks later."""
    return config.task.name in PIXEL_TASKS and config.data.label_settings.vector is None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Samples by split; an image's file is ``image_roots[split][modality] / (name + suffixes[modality])``."""

    names: dict[str, list[str]]
    image_roots: dict[str, dict[str, str]]
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
    """What was understood, and what the files' headers tell: ``rule``, ``level`` and ``line`` of each."""
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
        root = self.mask_roots[split] if kind == MASK else self.image_roots[split][kind]
        return Path(root) / (name + self.suffixes[kind])

    def with_notes(self, rule: str, lines: Iterable[str]) -> Listing:
        """A copy that says how it was understood."""
        notes = [{"rule": rule, "level": "note", "line": line} for line in lines]
        return replace(self, remarks=[*self.remarks, *notes])

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
        """The listing of a text that :meth:`to_json` wrote, or a version before, with ``roots`` for ``image_roots``."""
        fields = json.loads(text)
        return Listing(**{"image_roots" if name == "roots" else name: value for name, value in fields.items()})


def without_outer_blanks(listing: Listing) -> Listing:
    """Names without blanks at their ends, which TerraTorch doesn't read; their files are named one by one.

    Raises:
        DataError: Two names differ by such blanks alone.
    """
    if all(name == name.strip() for names in listing.names.values() for name in names):
        return listing
    paths: dict[str, dict[str, dict[str, str]]] = {}
    for kind in listing.suffixes:
        paths[kind] = {
            split: {name.strip(): str(listing.file(split, name, kind)) for name in names}
            for split, names in listing.names.items()
        }
    for split, names in listing.names.items():
        check_unique(
            [name.strip() for name in names], f"{listing.image_roots[split]}, where blanks at the ends don't count"
        )
    labels = {s: {name.strip(): label for name, label in found.items()} for s, found in listing.labels.items()}
    stripped = {split: sorted(name.strip() for name in found) for split, found in listing.names.items()}
    return replace(listing, names=stripped, labels=labels, scattered=paths)


def spelled(listing: Listing, root: Path) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """All that a sample's name may be written like: the name itself, and the paths of its files."""
    for split, names in listing.names.items():
        for name in names:
            files = [listing.file(split, name, kind) for kind in listing.suffixes]
            yield (split, name), [name, *(_below(file, root) for file in files)]


def _below(file: Path, root: Path) -> str:
    return str(file.relative_to(root) if file.is_relative_to(root) else file)
