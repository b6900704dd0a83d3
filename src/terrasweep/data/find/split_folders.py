"""Which folders are the splits of a data set, whatever they are called. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from terrasweep.results.errors import DataError

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "validate", "dev"),
    "test": ("test", "testing"),
}
"""By split what folders, and columns of tables, call it; in any case."""


def split_of(name: str) -> str | None:
    """The split that a name stands for."""
    return next((split for split, names in SPLIT_NAMES.items() if name.strip().casefold() in names), None)


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones; none where there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def find_splits(root: Path) -> dict[str, Path]:
    """The folder of each split that there is; one that is called like the split itself comes first.

    Raises:
        DataError: Two folders may be the same split.
    """
    found: dict[str, Path] = {}
    for split in SPLIT_NAMES:
        candidates = [path for path in folders_in(root) if split_of(path.name) == split]
        exact = [path for path in candidates if path.name == split]
        if len(exact or candidates) > 1:
            names = " and ".join(f"{path.name}/" for path in candidates)
            raise DataError(
                f"data.root={root}: {names} may each be the split {split}; rename one to {split}/, or move one away"
            )
        if candidates:
            found[split] = (exact or candidates)[0]
    return found


def are_splits(names: Iterable[str]) -> bool:
    """Whether folders of these names are a division into training and validation samples."""
    found = {split_of(name) for name in names}
    return {"train", "val"} <= found and None not in found


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The folders of a data set: a folder per split with one per kind in it, or the other way round."""

    root: Path
    bases: dict[str, Path]
    """Folder by split; empty where each kind has a folder, with one per split in it."""
    splits: tuple[str, ...]

    @property
    def needed(self) -> list[str]:
        """Splits that have to be complete; a test split may have no labels yet, as no trial reads it."""
        return [split for split in self.splits if split != "test"]

    def folder(self, split: str, kind: str) -> Path:
        """Where a split's files of one kind lie, by the name of the kind's folder."""
        if self.bases:
            return self.bases[split] / kind
        return find_splits(self.root / kind).get(split, self.root / kind / split)

    def has(self, kind: str) -> bool:
        """Whether every split that is needed has this folder."""
        return all(self.folder(split, kind).is_dir() for split in self.needed)

    def children(self) -> list[str]:
        """Names of folders that every split has which is needed."""
        if not self.bases:
            return [path.name for path in folders_in(self.root) if _is_divided(path)]
        return sorted(set.intersection(*({path.name for path in folders_in(self.bases[s])} for s in self.needed)))

    def grandchildren(self) -> list[str]:
        """Names of the folders one level deeper."""
        outer = [folder for split in self.needed if self.bases for folder in folders_in(self.bases[split])]
        return sorted({path.name for folder in outer for path in folders_in(folder)})


def find_tree(root: Path) -> Tree:
    """The folders of a data set that is divided by folders.

    Raises:
        DataError: There is no training or no validation folder, or several.
    """
    bases = find_splits(root)
    lacking = [split for split in ("train", "val") if split not in bases]
    if len(lacking) == 2 and (divided := [folder for folder in folders_in(root) if _is_divided(folder)]):
        return Tree(root=root, bases={}, splits=tuple(find_splits(divided[0])))
    if lacking:
        raise DataError(
            f"data.root={root}: there is no folder {lacking[0]}/ in it; make train/ and val/, or divide it with "
            "data.split.by=fraction, blocks or lists (docs/data.md)"
        )
    return Tree(root=root, bases=bases, splits=tuple(bases))


def _is_divided(folder: Path) -> bool:
    return {"train", "val"} <= find_splits(folder).keys()
