"""The state of a data set's files, as a digest: it names the folder of all that is known of them. Imports no torch."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from glob import escape
from pathlib import Path

from terrasweep.config.given_paths import exists
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.earlier_readings import read_otherwise
from terrasweep.data.find.root_folders import list_folder, tiles_folder, vector_file
from terrasweep.data.find.scene_list import is_scene_list, listed_files
from terrasweep.machine.paths import absolute, cache_folder, expanded, home

_VERSION = 3
"""Raised whenever the same files and settings give another listing: it is part of the digest."""
_IRRELEVANT = (
    *("state", "bands", "means", "stds", "num_classes", "class_names"),
    *("workers", "in_memory", "no_data_replace", "check_tiles", "resize_px", "synthetic"),
    "frames_for_one_date",
)
"""Settings that change nothing of what lies in the folder; :func:`terrasweep.data.stored.complete` may fill them in.
Bands that are a choice have a folder of their own in it."""
LISTING = "listing.json"
"""In the folder of a state: the last that is written of what a trial needs."""
_LATER = ("no_data", "frames", "frame_order", "date_pattern", "pixel_size")
"""Keys that came later, and count from when they are set."""


def state_of(config: TrialConfig) -> str:
    """The name of the state that a data set's files are in now, with how they are read."""
    data = {key: value for key, value in asdict(config.data).items() if key not in _IRRELEVANT}
    for modality in data["modalities"].values():
        del modality["bands"], modality["means"], modality["stds"]
    for loading in ("batch_size", "num_workers"):
        data["arguments"].pop(loading, None)
    if not config.data.cut:
        del data["tile_px"]
    for settings in (data, *data["modalities"].values()):  # The digests from before there were these keys stay.
        for key in _LATER:
            if settings.get(key) is None:
                settings.pop(key, None)
    if isinstance(data["labels"], dict):  # Their order numbers the classes.
        data["labels"] = [[key, list(v.items()) if isinstance(v, dict) else v] for key, v in data["labels"].items()]
    parts: list[object] = [_VERSION, data, config.task.name, config.task.ignore_index, _files(config)]
    earlier = _named(config, parts)
    otherwise = read_otherwise(config)
    if otherwise is None or (otherwise.may_stay and (cache_folder() / "data" / earlier / LISTING).is_file()):
        return earlier
    return _named(config, [*parts, otherwise.mark])


def _named(config: TrialConfig, parts: list[object]) -> str:
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]
    return f"{config.data.name}-{digest}"


def _files(config: TrialConfig) -> list[str]:
    """What the files of a data set are like; synthetic tiles never change."""
    data = config.data
    if data.name == "synthetic":
        return [str(tiles_folder(config))]
    roots = [absolute(data.root)] if data.root else []
    # Lists, tables and folders may lie elsewhere, and a datamodule is told its folders by its arguments.
    named = [data.split.train, data.split.val, data.split.test, data.label_settings.table, *_texts(data.arguments)]
    named += [modality.folder for modality in data.modalities.values()]
    named += _with_siblings(config)
    for name in filter(None, named):
        candidates = (expanded(name), *(list_folder(root) / name for root in roots[:1]), home() / name)
        roots += [path for path in candidates if path.is_absolute() and exists(path)]
    whole = dict.fromkeys(path.resolve() for path in [*roots, *_sources(data.datamodule)])
    states = [
        state_below(path) for path in whole if not any(path != other and path.is_relative_to(other) for other in whole)
    ]
    has_scenes = bool(data.root) and is_scene_list(config, roots[0])
    return [*states, _state_of_scenes(roots[0])] if has_scenes else states


def _with_siblings(config: TrialConfig) -> list[str]:
    """A vector file, and those beside it that belong to it, as a Shapefile has them."""
    vector = vector_file(config)
    return [] if vector is None else [str(path) for path in sorted(vector.parent.glob(f"{escape(vector.stem)}.*"))]


def _texts(value: object) -> Iterator[str]:
    """Every text in an argument, at whatever depth, that may be the name of a file."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _sources(datamodule: str | None) -> list[Path]:
    """The file of a datamodule, beside ``sweep.py`` or on the path."""
    if datamodule is None or "." not in datamodule:
        return []
    relative = Path(*datamodule.split(".")[:-1]).with_suffix(".py")
    return [path for folder in (str(home()), *sys.path) if (path := Path(folder) / relative).is_file()][:1]


@cache
def _state_of_scenes(root: Path) -> str:
    """Names, sizes and times of the files that a list of scenes names, as they were when this process first looked."""
    digest = hashlib.sha256()
    for path in listed_files(root):
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@cache
def state_below(root: Path) -> str:
    """Names, sizes and times of a file, or of all below a folder, as they were when this process first looked.

    Hidden files don't count, nor does what terrasweep itself writes.
    """
    digest = hashlib.sha256(str(root).encode())
    own, seen = home() / "results", set()
    below: Iterable[tuple[str, list[str], list[str]]] = [(str(root.parent), [], [root.name])]
    for folder, folders, files in os.walk(root, followlinks=True) if root.is_dir() else below:
        folders[:] = sorted(name for name in folders if not name.startswith(".") and Path(folder) / name != own)
        if (real := Path(folder).resolve()) in seen:
            folders.clear()  # A link leads in a circle.
        seen.add(real)
        for name in sorted(name for name in files if not name.startswith(".")):
            path = Path(folder) / name
            with contextlib.suppress(OSError):  # A link may lead nowhere, or to where one may not look.
                status = path.stat()
                digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
