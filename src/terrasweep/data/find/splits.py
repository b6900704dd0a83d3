"""Divides samples into training, validation and test: by lists, by chance within strata, or in blocks of one scene."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import rasterio

from terrasweep.config.data import SplitConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.listing import SPLITS, WHOLE, Listing, spelled
from terrasweep.data.find.readings import MASK
from terrasweep.data.find.root_folders import list_folder
from terrasweep.data.find.sample_names import SampleNames
from terrasweep.data.find.tiles import SCENE
from terrasweep.data.in_parts import InParts
from terrasweep.machine.paths import absolute
from terrasweep.results.errors import DataError, first_line, raise_out_of_memory
from terrasweep.results.wording import listed

Found = TypeVar("Found")
_PART = 500
"""Files whose answers are kept together."""
PRESENT = 0.01
"""Share of a tile's labels from which on a class counts as present."""
_QUANTILES = 4


def divide(listing: Listing, config: TrialConfig, parts: InParts | None = None) -> Listing:
    """Put each sample of an undivided listing into one split.

    Args:
        listing: Undivided; one that is divided comes back as it is.
        config: How.
        parts: How many masks, or places, are read.

    Raises:
        DataError: A list names an unknown sample, tiles have no place on the ground, or a split would be empty.
    """
    if WHOLE not in listing.names:
        return listing
    split, reading = config.data.split, parts or InParts()
    if split.by == "lists":
        chosen = _by_lists(listing, config)
    elif split.by == "blocks":
        chosen = share_out(_places(listing, split.block_tiles, reading), split)
    else:
        chosen = _by_fraction(listing, config, reading)
    empty = [name for name in ("train", "val") if not chosen.get(name)]
    if empty:
        raise DataError(
            f"data.split.by={split.by}: no sample would be in {empty[0]} (of {len(listing.names[WHOLE])}); "
            "change data.split.fractions, data.split.block_tiles or data.split.seed"
        )
    chosen = {name: sorted(names) for name, names in chosen.items() if names}
    whole = listing.labels.get(WHOLE)
    labels = {} if whole is None else {split: {name: whole[name] for name in names} for split, names in chosen.items()}
    return replace(
        listing,
        names=chosen,
        image_roots=dict.fromkeys(chosen, listing.image_roots[WHOLE]),
        scattered={kind: dict.fromkeys(chosen, paths[WHOLE]) for kind, paths in listing.scattered.items()},
        frame_files={kind: dict.fromkeys(chosen, paths[WHOLE]) for kind, paths in listing.frame_files.items()},
        coordinates={split: found for found in listing.coordinates.values() for split in chosen},
        mask_roots={name: root for name in chosen for root in listing.mask_roots.values()},
        labels=labels,
    )


def share_out(
    groups: dict[Hashable, list[str]], split: SplitConfig, owed: dict[str, float] | None = None
) -> dict[str, list[str]]:
    """Give whole groups to the splits, in a seeded order, each to the split that lacks most of its share.

    Args:
        groups: Samples that have to stay together.
        split: Shares and seed.
        owed: By split, how many samples it lacks from groups that were shared out before; brought up to date.
    """
    owed = dict.fromkeys(SPLITS, 0.0) if owed is None else owed
    total = sum(map(len, groups.values()))
    for name, share in zip(SPLITS, split.fractions, strict=True):
        owed[name] += share * total
    parts: dict[str, list[str]] = {name: [] for name in SPLITS}
    keys = list(groups)
    for index in np.random.default_rng(split.seed).permutation(len(keys)):
        group = groups[keys[index]]
        neediest = max(SPLITS, key=lambda name: owed[name])
        parts[neediest] += group
        owed[neediest] -= len(group)
    return parts


def _by_fraction(listing: Listing, config: TrialConfig, reading: InParts) -> dict[str, list[str]]:
    """By chance, alike in every stratum; what rounding takes from a split in one stratum, it gets in the next."""
    names = listing.names[WHOLE]
    strata: dict[Hashable, list[str]] = {}
    for name, stratum in zip(names, _strata(listing, config, reading), strict=True):
        strata.setdefault(stratum, []).append(name)
    parts: dict[str, list[str]] = {name: [] for name in SPLITS}
    owed = dict.fromkeys(SPLITS, 0.0)
    for number, stratum in enumerate(sorted(strata, key=str)):
        single: dict[Hashable, list[str]] = {name: [name] for name in strata[stratum]}
        divided = share_out(single, replace(config.data.split, seed=config.data.split.seed + number), owed)
        for split, chosen in divided.items():
            parts[split] += chosen
    return parts


def _strata(listing: Listing, config: TrialConfig, reading: InParts) -> list[Hashable]:
    """What each sample has to be spread by: its class, its rarest class, or the quartile of its mean target."""
    names = listing.names[WHOLE]
    if not listing.mask_roots:
        labels = [listing.labels[WHOLE][name] for name in names]
        if config.task.name == "classification":
            return [label[0] for label in labels]
        return _rarest(np.array(labels, dtype=float))
    masks = [listing.file(WHOLE, name, MASK) for name in names]
    if config.task.name == "regression":
        means = np.array(_of_each(masks, partial(_mean_target, ignore=config.task.ignore_index), reading))
        edges = np.nanquantile(means, np.linspace(0, 1, _QUANTILES + 1)[1:-1])
        return [int(np.searchsorted(edges, mean)) for mean in means]
    return _rarest(_shares(masks, config.task.ignore_index, reading))


def _rarest(shares: np.ndarray) -> list[Hashable]:
    """Per row the present column that is rarest over all rows; -1 where none is present."""
    present = shares >= PRESENT
    order = np.argsort(present.sum(axis=0), kind="stable")
    return [next((int(column) for column in order if row[column]), -1) for row in present]


def _of_each(files: list[Path], read: Callable[[Path], Found], reading: InParts) -> list[Found]:
    """What is read of each of many files."""

    def read_some(some: Sequence[Path]) -> list[Found]:
        return [read(file) for file in some]

    return [found for some in reading.over("Dividing samples", files, read_some, size=_PART) for found in some]


def _shares(masks: list[Path], ignore: int | None, reading: InParts) -> np.ndarray:
    """Share of each class in each mask: one row per mask, one column per label that occurs."""
    counts = _of_each(masks, partial(_shares_in, ignore=ignore), reading)
    labels = sorted({label for found in counts for label in found})
    return np.array([[found.get(label, 0.0) for label in labels] for found in counts]).reshape(len(masks), -1)


def _shares_in(mask: Path, ignore: int | None) -> dict[int, float]:
    values, pixels = np.unique(_read(mask), return_counts=True)
    found = zip(values.tolist(), (pixels / pixels.sum()).tolist(), strict=True)
    return {int(value): share for value, share in found if np.isfinite(value) and value != ignore}


def _mean_target(mask: Path, ignore: int | None) -> float:
    values = _read(mask)
    counted = values[np.isfinite(values) & (values != ignore)]
    return float(counted.mean()) if counted.size else 0.0


def _read(mask: Path) -> np.ndarray:
    try:
        with rasterio.open(mask) as file:
            pixels: np.ndarray = file.read(1, masked=True).astype(np.float64).filled(np.nan)
    except rasterio.errors.RasterioError as error:
        raise_out_of_memory(error)
        raise DataError(f"{mask}: it can't be read: {first_line(error)}; mend it, or take it out") from error
    return pixels


def _places(listing: Listing, block_tiles: int, reading: InParts) -> dict[Hashable, list[str]]:
    """Squares of neighbouring tiles, counted from the north-west corner of each coordinate system."""
    kind = listing.modalities[0]
    tiles = [listing.file(WHOLE, name, kind) for name in listing.names[WHOLE]]
    places = dict(zip(listing.names[WHOLE], _of_each(tiles, _place, reading), strict=True))
    corners: dict[str, tuple[float, float]] = {}
    for system, column, row in places.values():
        west, north = corners.get(system, (column, row))
        corners[system] = (min(west, column), min(north, row))
    blocks: dict[Hashable, list[str]] = {}
    for name, (system, column, row) in places.items():
        west, north = corners[system]
        square = (system, round(column - west) // block_tiles, round(row - north) // block_tiles)
        blocks.setdefault(square, []).append(name)
    return blocks


def _place(tile: Path) -> tuple[str, float, float]:
    """Coordinate system, column and row of a tile, in tiles."""
    with rasterio.open(tile) as file:
        if file.transform.is_identity:
            raise DataError(
                f"data.split.by=blocks: {tile} has no place on the ground; use data.split.by=fraction, or lists"
            )
        left, bottom, right, top = file.bounds
        # Scenes without a place have coordinates of their own.
        system = str(file.crs) if file.crs else file.tags().get(SCENE, "")
        return system, left / (right - left), -top / (top - bottom)


def _by_lists(listing: Listing, config: TrialConfig) -> dict[str, list[str]]:
    root = list_folder(absolute(config.data.root or ""))
    known = SampleNames(spelled(listing, root))
    parts = {}
    for split in SPLITS:
        file: str | None = getattr(config.data.split, split)
        if file is None:
            continue
        lines = _lines(_list_file(root, file))
        meant = {line: [name for _, name in known.find(line)] for line in lines}
        if lacking := [line for line in lines if not meant[line]]:
            raise DataError(
                f"data.split.{split}={file}: {len(lacking)} of {len(lines)} names are no samples "
                f"(first {lacking[0]}; a sample is called {listing.names[WHOLE][0]}); correct the list"
            )
        if unclear := [line for line in lines if len(meant[line]) > 1]:
            raise DataError(
                f"data.split.{split}={file}: {unclear[0]} may be {listed(meant[unclear[0]])}; write its folder too"
            )
        parts[split] = sorted({meant[line][0] for line in lines})
    named: dict[str, str] = {}
    for split, names in parts.items():
        if twice := [name for name in names if name in named]:
            raise DataError(
                f"data.split: {len(twice)} samples are in the lists of {named[twice[0]]} and {split} "
                f"(first {twice[0]}); name each once"
            )
        named |= dict.fromkeys(names, split)
    return parts


def _lines(file: Path) -> list[str]:
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except ValueError as error:
        raise DataError(f"{file}: it is no text in UTF-8: {error}; save it as such, with a name per line") from error


def _list_file(root: Path, name: str) -> Path:
    """A list lies below the data's folder, or is a path of its own."""
    for path in (root / name, absolute(name)):
        if path.is_file():
            return path
    raise DataError(f"data.split: there is no list {name}, neither below data.root nor as a path; give an existing one")
