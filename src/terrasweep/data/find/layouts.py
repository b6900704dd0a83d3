"""Where images and masks lie: in the folders that are named, or in the only ones that can be meant.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from math import prod

from terrasweep.config.data import DataConfig
from terrasweep.data.find.file_names import Affixes, find_affixes, matched
from terrasweep.data.find.readings import (
    HERE,
    MASK,
    Reading,
    folders_in_regions,
    named_folders,
    other_folders,
    read_folders,
    words_in_file_names,
)
from terrasweep.data.find.split_folders import Tree, are_splits, folders_in
from terrasweep.results.errors import DataError
from terrasweep.results.wording import listed

_TRIES = 100
"""Ways to choose folders of any name that are tried for a proposal."""


def find_files(data: DataConfig, tree: Tree, *, masks: bool) -> Reading:
    """The images of every split, and with ``masks`` their masks.

    The folders that the configuration names are taken where they are there. Where one of the groups' names (``images``,
    ``masks``, ``targets``) is not, what lies there is read in every way that its names allow, and the one way is taken
    in which all files match.

    Raises:
        DataError: A folder is missing or empty, two files have one name, or several ways fit.
    """
    named = named_folders(data, masks=masks)
    if all(tree.has(folder) for folder in named.values()):
        reading = _without_empty(read_folders(data, tree, named))
        return replace(reading, note=reading.note and f"data.root={tree.root}: {reading.note}")
    failures: list[DataError] = []
    for ways in (other_folders, folders_in_regions, words_in_file_names):
        fitting: list[Reading] = []
        if len(failures) == 1:
            break  # What lies there can only be meant in this way, and has a fault.
        for attempt in ways(data, tree, named):
            try:
                reading = _without_empty(attempt())
                match_names(reading)
                fitting.append(reading)
            except DataError as error:
                failures += [error] if ways is not words_in_file_names else []
        if len(fitting) > 1:
            choices = ", or ".join(reading.settings for reading in fitting)
            raise DataError(f"{_absent(tree, named)}, and {len(fitting)} ways to read what is there fit; set {choices}")
        if fitting:
            return replace(fitting[0], note=f"{_absent(tree, named)}; {fitting[0].note}")
    if len(failures) == 1:
        raise failures[0]
    raise DataError(f"{_absent(tree, named)}; {_way_out(data, tree, named)}")


def match_names(reading: Reading) -> tuple[dict[str, list[str]], dict[str, Affixes]]:
    """The samples' names by split, and what stands around them in the file names of each kind.

    Raises:
        DataError: A file lacks its counterpart.
    """
    names = {split: {kind: list(found) for kind, found in kinds.items()} for split, kinds in reading.files.items()}
    kinds = next(iter(names.values()))
    affixes = find_affixes({kind: [name for files in names.values() for name in files[kind]] for kind in kinds})
    places = {split: _place(roots) for split, roots in reading.kind_folders.items()}
    return {split: matched(files, affixes, places[split]) for split, files in names.items()}, affixes


def _place(roots: Mapping[str, object]) -> str:
    return " and ".join(dict.fromkeys(str(root) for root in roots.values()))


def _without_empty(reading: Reading) -> Reading:
    return replace(reading, files={split: found for split, found in reading.files.items() if any(found.values())})


def _absent(tree: Tree, named: Mapping[str, str]) -> str:
    missing = [tree.folder(s, folder) for folder in named.values() for s in tree.needed]
    first = next(path for path in missing if not path.is_dir())
    return f"data.root={tree.root}: there is no folder {first}"


def _way_out(data: DataConfig, tree: Tree, named: Mapping[str, str]) -> str:
    """What to set where folders of other names fit, else what lies there."""
    if fitting := [reading.settings for reading in _any_folders(data, tree, named)]:
        return f"folders that match lie there: set {', or '.join(fitting)}"
    base = tree.bases[tree.needed[0]] if tree.bases else tree.root
    there = [f"{folder.name}/" for folder in folders_in(base)]
    if len(tree.splits) == 1 and are_splits(name.rstrip("/") for name in there):
        return f"{', '.join(there)} lie there: set data.split.by=folders"
    keys = " and ".join(["data.image_folder"] + (["data.label_folder"] if MASK in named else []))
    return f"{listed(there) or 'no folder'} lies there; name the folders with {keys} (docs/data.md shows the layouts)"


def _any_folders(data: DataConfig, tree: Tree, named: Mapping[str, str]) -> Iterator[Reading]:
    """Readings with folders of any name in place of those that are not there."""
    options = [[folder] if tree.has(folder) else [*tree.children(), HERE] for folder in named.values()]
    if prod(map(len, options)) > _TRIES:
        return
    for folders in product(*options):
        if len(set(folders)) < len(folders) or (not tree.bases and HERE in folders):
            continue
        try:
            reading = _without_empty(read_folders(data, tree, dict(zip(named, folders, strict=True))))
            match_names(reading)
        except DataError:
            continue
        yield reading
