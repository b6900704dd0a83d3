"""The ways in which the folders of a data set may be meant: which files are images, and which are masks of which.

Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

from terrasweep.config.data import DataConfig
from terrasweep.data.find.dates import places
from terrasweep.data.find.file_names import check_unique, images_in
from terrasweep.data.find.split_folders import Tree, are_splits, folders_in
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError

MASK = "mask"
HERE = "."
"""The folder of images that lie in the split's own."""
IMAGE_FOLDERS = ("images", "image", "imgs", "img")
"""What folders of images are called, in any case."""
LABEL_FOLDERS = (
    *("masks", "mask", "labels", "label", "groundtruth", "ground_truth", "gt", "annotations", "annotation"),
    *("targets", "target", "segmentations", "segmentation", "segs", "seg"),
)
"""What folders of labels are called, in any case, and words in the names of files with labels."""
_DEFAULTS = {IMAGE: ("images",), MASK: ("masks", "targets")}
"""Folders that the groups name: where they are missing, others may be meant."""

Files = dict[str, dict[str, Path]]
"""By kind (modalities, ``mask``) and by name, relative to the kind's root, the files of a split."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One way in which the folders of a data set may be meant."""

    files: dict[str, Files]
    """By split."""
    kind_folders: dict[str, dict[str, Path]]
    """By split and kind."""
    settings: str = ""
    """How to ask for it."""
    note: str = ""
    """What to say of it; empty where it is the one that was asked for."""


Attempt = Callable[[], Reading]
"""Reads the folders in one way.

Raises:
    DataError: A folder is missing or empty, or two files have one name.
"""


def named_folders(data: DataConfig, *, masks: bool) -> dict[str, str]:
    """The folder of each kind that the configuration names."""
    images = {name: modality.folder for name, modality in data.modalities.items()} or {IMAGE: data.image_folder}
    return images | ({MASK: data.label_folder} if masks else {})


def read_folders(data: DataConfig, tree: Tree, folders: Mapping[str, str], *, asked: bool = True) -> Reading:
    """The files in a folder per kind, or one folder deeper where there are none directly in it.

    Args:
        data: Says which files count.
        tree: Where to look.
        folders: By kind.
        asked: Whether it is what the configuration says, and goes without saying.

    Raises:
        DataError: As for :data:`Attempt`.
    """
    files: dict[str, Files] = {}
    roots: dict[str, dict[str, Path]] = {}
    for split in tree.splits:
        at = {kind: tree.folder(split, folder) for kind, folder in folders.items()}
        if split == "test" and MASK in at and not at[MASK].is_dir():
            continue
        # In a split's own folder there are masks one folder deeper.
        deep = {kind: folder != HERE or MASK not in folders for kind, folder in folders.items()}
        found = {kind: _files_in(data, at[kind], _glob(data, kind), deeper=deep[kind]) for kind in folders}
        _check(data, split, found, at)
        files[split], roots[split] = found, at
    said = ([] if asked else [_told(folders)]) + _left_out(data, tree, folders)
    if deeper := [name for kinds in files.values() for found in kinds.values() for name in found if "/" in name]:
        _refuse_splits(tree, deeper)
        said.append(f"files lie one folder deeper, and samples are called like {_stem(deeper[0])}")
    return Reading(files=files, kind_folders=roots, settings=_settings(folders), note="; ".join(said))


def other_folders(data: DataConfig, tree: Tree, named: Mapping[str, str]) -> Iterator[Attempt]:
    """A folder per kind, called otherwise than the configuration says, or the images beside the folder of masks."""
    there = tree.children()
    bases = [tree.bases[split] for split in tree.needed if tree.bases]
    direct = bool(bases) and all(images_in(base, None) for base in bases)
    # A table names images in folders of any name.
    by_path = bool(bases) and MASK not in named and not any(child.casefold() in IMAGE_FOLDERS for child in there)
    here = [HERE] if direct or (by_path and all(images_in(base, None, below="*/") for base in bases)) else []
    for folders in _options(named, there, tree.has, here):
        yield partial(read_folders, data, tree, folders, asked=False)


def folders_in_regions(data: DataConfig, tree: Tree, named: Mapping[str, str]) -> Iterator[Attempt]:
    """Folders of regions or scenes, each with a folder per kind in it."""
    inner = tree.grandchildren()
    for folders in _options(named, inner, inner.__contains__, []):
        yield partial(_read_regions, data, tree, folders)


def words_in_file_names(data: DataConfig, tree: Tree, named: Mapping[str, str]) -> Iterator[Attempt]:
    """Images and masks in one folder, or in one per scene, told apart by a word like ``mask`` in a file's name."""
    open_to_others = all(folder in _DEFAULTS.get(kind, ()) for kind, folder in named.items())
    if tree.bases and MASK in named and open_to_others and not any(_glob(data, kind) for kind in named):
        yield partial(_read_words, data, tree)


def _options(
    named: Mapping[str, str], children: Iterable[str], is_there: Callable[[str], bool], here: list[str]
) -> Iterator[dict[str, str]]:
    """Folders by kind that may be meant: those that are named where they are there, else others of such a name."""
    by_kind = []
    for kind, folder in named.items():
        like = LABEL_FOLDERS if kind == MASK else IMAGE_FOLDERS
        others = [child for child in children if child.casefold() in like] + ([] if kind == MASK else here)
        by_kind.append([folder] if is_there(folder) else others if folder in _DEFAULTS.get(kind, ()) else [])
    yield from (dict(zip(named, folders, strict=True)) for folders in product(*by_kind))


def _read_regions(data: DataConfig, tree: Tree, folders: Mapping[str, str]) -> Reading:
    files: dict[str, Files] = {}
    for split, base in tree.bases.items():
        found: Files = {kind: {} for kind in folders}
        for region, (kind, folder) in product(folders_in(base), folders.items()):
            if (region / folder).is_dir():
                names = _files_in(data, region / folder, _glob(data, kind), deeper=False)
                found[kind] |= {f"{region.name}/{name}": file for name, file in names.items()}
        if split == "test" and not all(found.values()):
            continue
        _check(data, split, found, dict.fromkeys(folders, base))
        files[split] = found
    samples = [name for kinds in files.values() for found in kinds.values() for name in found]
    _refuse_splits(tree, samples)
    roots = {split: dict.fromkeys(folders, tree.bases[split]) for split in files}
    note = f"{_told(folders)}, in a folder per region; samples are called like {_stem(samples[0])}"
    return Reading(files=files, kind_folders=roots, settings=_settings(folders), note=note)


def _read_words(data: DataConfig, tree: Tree) -> Reading:
    files: dict[str, Files] = {}
    for split, base in tree.bases.items():
        found: Files = {IMAGE: {}, MASK: {}}
        for name, file in _files_in(data, base, None, deeper=True).items():
            words = re.split(r"[\W\d_]+", file.stem.casefold())
            found[MASK if set(words) & set(LABEL_FOLDERS) else IMAGE][name] = file
        if split == "test" and not found[MASK]:
            continue
        _check(data, split, found, dict.fromkeys(found, base))
        files[split] = found
    first = next(iter(files.values()))
    _refuse_splits(tree, first[IMAGE])
    image, mask = (next(iter(first[kind])) for kind in (IMAGE, MASK))
    note = f"read as an image and its mask, by their names: {image} and {mask}"
    roots = {split: dict.fromkeys(found, tree.bases[split]) for split, found in files.items()}
    return Reading(files=files, kind_folders=roots, settings=f"data.root={tree.root}", note=note)


def _left_out(data: DataConfig, tree: Tree, folders: Mapping[str, str]) -> list[str]:
    """A line about files in folders beside which others lie, and which are therefore not read."""
    for kind, folder in folders.items():
        if folder == HERE or _glob(data, kind):
            continue
        for at in (tree.folder(split, folder) for split in tree.needed):
            deeper = images_in(at, None, below="*/")
            if deeper and images_in(at, None):
                return [f"{at}: {len(deeper)} files in its folders are not read (first {deeper[0]})"]
    return []


def _glob(data: DataConfig, kind: str) -> str | None:
    if kind == MASK:
        return data.mask_glob
    modality = data.modalities.get(kind)
    return modality.glob if modality else data.image_glob


def _files_in(data: DataConfig, folder: Path, pattern: str | None, *, deeper: bool) -> dict[str, Path]:
    """Files by name; of dates that are files of their own, the name that they have in common."""
    names = images_in(folder, pattern)
    if not names and deeper:
        names = images_in(folder, pattern, below="*/")
    return {name: folder / name for name in places(names, data)}


def _check(data: DataConfig, split: str, found: Files, at: Mapping[str, Path]) -> None:
    for kind, names in found.items():
        if not names and kind != MASK and split != "test":
            raise DataError(f"data.root={data.root}: the split {split} has no images in {at[kind]}; see docs/data.md")
        check_unique(names, str(at[kind]))
    if MASK in found and not found[MASK] and any(found.values()):
        raise DataError(
            f"data.root={data.root}: the split {split} has no masks in {at[MASK]}; add them, or name another folder "
            "with data.label_folder"
        )


def _refuse_splits(tree: Tree, names: Iterable[str]) -> None:
    """Folders called train and val are a division, even where another one is asked for."""
    folders = sorted({name.partition("/")[0] for name in names if "/" in name})
    if len(tree.splits) == 1 and are_splits(folders):
        raise DataError(
            f"data.root={tree.root}: it is divided into {', '.join(folders)}, which data.split.by would mix; set "
            "data.split.by=folders"
        )


def _told(folders: Mapping[str, str]) -> str:
    parts = [f"{kind} in {'the folder itself' if folder == HERE else f'{folder}/'}" for kind, folder in folders.items()]
    return f"read with {', '.join(parts)}"


def _settings(folders: Mapping[str, str]) -> str:
    keys = {IMAGE: "data.image_folder", MASK: "data.label_folder"}
    given = [f"{keys.get(kind, f'data.modalities.{kind}.folder')}={folder}" for kind, folder in folders.items()]
    return " ".join(given)


def _stem(name: str) -> str:
    return str(Path(name).with_suffix(""))
