"""Which samples a data set on the disk has: names, files and image-level labels, by split. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.class_folders import find_class_folders
from terrasweep.data.find.file_names import Affixes
from terrasweep.data.find.label_table import assigned, read_table
from terrasweep.data.find.layouts import find_files, match_names
from terrasweep.data.find.listing import LABEL_ENDING as LABEL_ENDING
from terrasweep.data.find.listing import PIXEL_TASKS as PIXEL_TASKS
from terrasweep.data.find.listing import SPLITS as SPLITS
from terrasweep.data.find.listing import WHOLE as WHOLE
from terrasweep.data.find.listing import Listing as Listing
from terrasweep.data.find.listing import has_mask_files, spelled, without_outer_blanks
from terrasweep.data.find.numbering import as_they_count, numbered
from terrasweep.data.find.readings import MASK as MASK
from terrasweep.data.find.readings import Files, Reading
from terrasweep.data.find.root_folders import list_folder
from terrasweep.data.find.sample_names import SampleNames
from terrasweep.data.find.scene_list import is_scene_list
from terrasweep.data.find.scene_samples import list_scenes
from terrasweep.data.find.split_folders import Tree, find_tree
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.results.errors import DataError


def find_samples(config: TrialConfig, root: Path) -> Listing:
    """List the samples below a folder, not yet divided unless ``data.split.by`` is ``folders``.

    Args:
        config: Says how the folder is to be read.
        root: The folder, or a file that lists scenes which may lie elsewhere.

    Raises:
        DataError: A folder is missing or empty, files don't match, or a label is unknown.
    """
    by_folders, of_pixels = config.data.split.by == "folders", config.task.name in PIXEL_TASKS
    has_table = config.data.label_settings.table is not None
    if is_scene_list(config, root):
        listing = list_scenes(config, root)
        return _with_table(config, root, listing) if has_table and not of_pixels else listing
    tree = find_tree(root) if by_folders else Tree(root=root, bases={WHOLE: root}, splits=(WHOLE,))
    if of_pixels:
        listing = _of_reading(find_files(config.data, tree, masks=has_mask_files(config)), tree)
    elif has_table:
        listing = _with_table(config, root, _of_reading(find_files(config.data, tree, masks=False), tree))
    elif config.task.name == "multilabel" or config.data.modalities:
        raise DataError(
            f"task={config.task.name} with data={config.data.name}: image-level labels come from a table; "
            "set data.labels to a CSV file below data.root (docs/data.md)"
        )
    else:
        listing = _with_class_folders(config, tree)
    return listing.with_notes("layout", _splits_told(tree))


def _splits_told(tree: Tree) -> list[str]:
    """A line where the splits' folders are called otherwise, or lie in those of images and masks."""
    if not tree.bases:
        return [f"data.root={tree.root}: its folders are divided into {', '.join(tree.splits)}, each by itself"]
    others = [f"{path.name}/ as {split}" for split, path in tree.bases.items() if split not in (WHOLE, path.name)]
    return [f"data.root={tree.root}: read with {', '.join(others)}"] if others else []


def _of_reading(reading: Reading, tree: Tree) -> Listing:
    """The samples of files that match by their names."""
    names, affixes = match_names(reading)
    plain = {kind: own.is_plain and _lie_as_named(reading, kind) for kind, own in affixes.items()}
    suffixes = {kind: f"{own.suffix}{own.ending}" if plain[kind] else "" for kind, own in affixes.items()}
    images = [kind for kind in suffixes if kind != MASK]
    listing = Listing(
        names=names,
        image_roots={split: {kind: str(reading.kind_folders[split][kind]) for kind in images} for split in names},
        suffixes=suffixes,
        mask_roots={split: str(reading.kind_folders[split][MASK]) for split in names} if MASK in suffixes else {},
        labels={},
        scattered={kind: _scattered(reading.files, kind, affixes[kind]) for kind in suffixes if not plain[kind]},
    )
    return without_outer_blanks(listing).with_notes("layout", _layout_told(reading, affixes, tree))


def _lie_as_named(reading: Reading, kind: str) -> bool:
    return all(
        path == reading.kind_folders[split][kind] / name
        for split, found in reading.files.items()
        for name, path in found[kind].items()
    )


def _scattered(files: Mapping[str, Files], kind: str, affixes: Affixes) -> dict[str, dict[str, str]]:
    return {
        split: {affixes.sample(name): str(path) for name, path in found[kind].items()} for split, found in files.items()
    }


def _layout_told(reading: Reading, affixes: Mapping[str, Affixes], tree: Tree) -> list[str]:
    """What goes beyond the layouts that need no word: other folders, names that differ in front, several endings."""
    told = [reading.note] if reading.note else []
    first = next(iter(reading.files.values()))
    if any(own.prefix for own in affixes.values()):
        sample = affixes[next(iter(affixes))].sample(next(iter(first[next(iter(first))])))
        alike = [next(name for name in names if affixes[kind].sample(name) == sample) for kind, names in first.items()]
        told.append(f"data.root={tree.root}: {' and '.join(alike)} are of one sample, {sample}")
    for kind, own in affixes.items():
        if own.ending is None:
            counts = Counter(path.suffix for found in reading.files.values() for path in found[kind].values())
            several = ", ".join(f"{count} {ending}" for ending, count in sorted(counts.items()))
            told.append(f"data.root={tree.root}: files of {kind} are of several types, and all are read: {several}")
    return told


def _with_class_folders(config: TrialConfig, tree: Tree) -> Listing:
    files = find_class_folders(config.data, tree.bases)
    classes = numbered({name.partition("/")[0] for names in files.values() for name in names}, config.data.class_names)
    listing = Listing(
        names=files,
        image_roots={split: {IMAGE: str(tree.bases[split])} for split in files},
        suffixes={IMAGE: ""},
        mask_roots={},
        labels={s: {n: [classes.index(n.partition("/")[0])] for n in names} for s, names in files.items()},
        class_names=classes,
    )
    told = [f"data.root={tree.root}: {as_they_count(classes)}"] if classes != sorted(classes) else []
    return without_outer_blanks(listing).with_notes("class-order", told)


def _with_table(config: TrialConfig, root: Path, listing: Listing) -> Listing:
    """A listing with the labels of ``data.labels``, by whatever names its samples have there."""
    names = SampleNames(spelled(listing, list_folder(root)))
    table = read_table(
        list_folder(root) / str(config.data.label_settings.table),
        config.task.name,
        is_name=lambda cell: bool(names.find(cell)),
        given=config.data.class_names,
    )
    first = listing.modalities[0]
    files = {s: {n: listing.file(s, n, first).name for n in found} for s, found in listing.names.items()}
    table = assigned(table, files, names)
    labels = {s: {name: table.labels[f"{s}/{name}"] for name in found} for s, found in listing.names.items()}
    labelled = replace(listing, labels=labels, class_names=table.classes)
    return labelled.with_notes("labels-table", [f"{table.place}: {note}" for note in table.notes])
