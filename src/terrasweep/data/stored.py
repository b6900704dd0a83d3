"""What is known of a data set on the disk: its listing, its cut tiles and its survey, by the state of its files.

Everything of one state lies in one folder below ``results/.cache/data``, which another state of the files, or another
way to divide them, never touches. The listing is written last of what it needs, so that it marks a complete folder.
Imports no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import cache
from glob import escape
from pathlib import Path

import numpy as np

from terrasweep.config.band_choice import OwnBands, are_numbers, chosen_places, given_bands
from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.config.given_paths import exists
from terrasweep.config.losses import AUTO
from terrasweep.config.schema import TrialConfig
from terrasweep.data.find.earlier_readings import read_otherwise
from terrasweep.data.find.root_folders import list_folder, tiles_folder, vector_file
from terrasweep.data.find.sample_list import LABEL_ENDING, Listing
from terrasweep.data.find.scene_list import is_scene_list, listed_files
from terrasweep.data.inspect.checks.case import Case
from terrasweep.data.inspect.checks.class_weights import weights_by_frequency
from terrasweep.data.inspect.survey import IMAGE, Survey
from terrasweep.data.memory import fits_in_memory
from terrasweep.machine.files import write_atomically
from terrasweep.machine.paths import absolute, cache_folder, expanded, home

_VERSION = 3
"""Raised whenever the same files and settings give another listing: it is part of the digest."""
_SURVEY_VERSION = 3
"""Raised whenever a survey tells more, or else: files are looked at once more, and keep their digest and listing."""
_IRRELEVANT = (
    *("state", "bands", "means", "stds", "num_classes", "class_names"),
    *("workers", "in_memory", "no_data_replace", "check_tiles", "resize_px", "synthetic"),
    "frames_for_one_date",
)
"""Settings that change nothing of what lies in the folder; :func:`complete` may fill them in. Bands that are a choice
have a folder of their own in it."""

_LISTING = "listing.json"
_OWN_BANDS = "bands.json"
"""What bands the files have, in the folder of their state."""
_LATER = ("no_data", "frames", "frame_order", "date_pattern", "pixel_size")
"""Keys that came later, and count from when they are set."""


def located(config: TrialConfig) -> TrialConfig:
    """The configuration with the state that its data's files are in now, as ``data.state``.

    Only the parent looks: all that one trial does, in whatever process, is about one state.
    """
    if config.data.name == "synthetic":
        return config
    return replace(config, data=replace(config.data, state=_state_of(config)))


def data_folder(config: TrialConfig) -> Path:
    """Where everything that is known of the data lies: below it, where ``data.bands`` chooses from the files' bands."""
    whole = _whole_folder(config)
    choice = {kind: given_bands(config.data, kind) for kind in config.data.modalities or [IMAGE]}
    if not any(choice.values()) or config.data.datamodule is not None:
        return whole
    own = _own_bands(whole)
    places = {kind: chosen_places(own[kind], given) for kind, given in choice.items() if kind in own}
    chosen = {kind: found for kind, found in places.items() if found != own[kind].read}
    if not chosen:
        return whole
    return whole / f"bands-{hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:8]}"


def parts_folder(config: TrialConfig) -> Path:
    """Where lies what a look has read so far, whatever bands are chosen."""
    return _whole_folder(config) / "parts"


def _whole_folder(config: TrialConfig) -> Path:
    return cache_folder() / "data" / (config.data.state or _state_of(config))


def keep_own_bands(own: Mapping[str, OwnBands], config: TrialConfig) -> None:
    """Write down what bands the files have: from then on :func:`data_folder` knows what ``data.bands`` chooses."""
    whole = _whole_folder(config)
    if not (whole / _LISTING).is_file():  # Else it is from before bands could be chosen.
        write_atomically(whole / _OWN_BANDS, json.dumps({kind: asdict(bands) for kind, bands in own.items()}))


def _own_bands(whole: Path) -> dict[str, OwnBands]:
    """The files' own bands by modality; what was seen before bands could be chosen shows them all."""
    if (whole / _OWN_BANDS).is_file():
        return {kind: OwnBands.from_dict(own) for kind, own in json.loads((whole / _OWN_BANDS).read_text()).items()}
    for file in sorted(whole.glob("survey-*.json")):
        bands = Survey.from_json(file.read_text()).bands
        return {kind: OwnBands.of_names(names) for kind, names in bands.items()}
    return {}


def listing_file(config: TrialConfig) -> Path:
    """Where the listing lies."""
    return data_folder(config) / _LISTING


def survey_file(config: TrialConfig) -> Path:
    """Where the survey lies: one for every number of tiles that are read, and for what surveys tell."""
    return data_folder(config) / f"survey-{config.data.check_tiles or 'all'}-v{_SURVEY_VERSION}.json"


def read_listing(config: TrialConfig) -> Listing:
    """The stored listing."""
    return Listing.from_json(listing_file(config).read_text())


def read_survey(config: TrialConfig) -> Survey:
    """The stored survey."""
    return Survey.from_json(survey_file(config).read_text())


def write_listing(listing: Listing, config: TrialConfig) -> None:
    """Write the names and labels as TerraTorch reads them, and then the listing itself."""
    listing = replace(listing, folder=str(data_folder(config)))
    for split, names in listing.names.items():
        write_atomically(listing.split_file(split), "\n".join(names) + "\n")
        if listing.labels:
            _write_labels(listing.labels[split], listing.label_root(split))
    write_atomically(listing_file(config), listing.to_json())


def needs_survey(config: TrialConfig) -> bool:
    """Whether a trial takes something from a look at its data; synthetic ones are known but for their classes."""
    return config.data.name != "synthetic" or config.task.class_weights == AUTO


def find_no_test(config: TrialConfig) -> str:
    """Why nothing can be measured on the test split, in one line; empty where it can.

    Args:
        config: Of a trial; what it shares with others was prepared.
    """
    place = f"data={config.data.name}" if config.data.root is None else f"data.root={config.data.root}"
    if config.data.name == "synthetic":
        return "" if config.data.synthetic.test else f"{place}: there is no test split (data.synthetic.test=0)"
    seen = read_survey(config).splits.get("test")
    if seen is None or seen.samples == 0:
        return f"{place}: there is no test split with labels (docs/data.md says how data are divided)"
    counted = seen.labels.counted
    return "" if counted else f"{place}: no label of the test split counts; give its samples labels"


def complete(config: TrialConfig) -> TrialConfig:
    """The configuration with what only the data tells: bands, tile size, classes and their weights, band statistics.

    What the configuration says itself stays. Weights of synthetic data's classes stay ``auto`` before the first look.
    """
    if config.data.name == "synthetic":
        seen = needs_survey(config) and survey_file(config).is_file()
        return _weighted(config, read_survey(config)) if seen else config
    survey, data = read_survey(config), config.data
    modalities = {
        name: _complete_modality(config, name, modality, survey) for name, modality in data.modalities.items()
    }
    # A datamodule of others normalizes with its own.
    means, stds = (None, None) if modalities or data.datamodule else _statistics(data, survey, IMAGE)
    filled = replace(
        data,
        bands=[] if modalities and not data.bands else _names_of_bands(config, survey, IMAGE),
        modalities=modalities,
        means=means,
        stds=stds,
        tile_px=data.resize_px or data.tile_px or survey.tile_px,
        num_classes=data.num_classes or len(data.class_names or ()) or survey.num_classes,
        class_names=data.class_names or survey.class_names,
        in_memory=data.in_memory and fits_in_memory(survey, config),
    )
    return _weighted(replace(config, data=filled), survey)


def _weighted(config: TrialConfig, survey: Survey) -> TrialConfig:
    """With numbers in the place of ``task.class_weights=auto``: every process of a trial takes the same."""
    if config.task.class_weights != AUTO:
        return config
    return replace(config, task=replace(config.task, class_weights=weights_by_frequency(Case(survey, config))))


def _complete_modality(config: TrialConfig, name: str, modality: ModalityConfig, survey: Survey) -> ModalityConfig:
    means, stds = _statistics(modality, survey, name)
    return replace(modality, bands=_names_of_bands(config, survey, name), means=means, stds=stds)


def _names_of_bands(config: TrialConfig, survey: Survey, name: str) -> list[str]:
    """As they are given, or as the files call them; numbers stay where their names would choose other bands."""
    given, found = given_bands(config.data, name), survey.bands.get(name, [])
    own = _own_bands(_whole_folder(config)).get(name)
    says_the_same = own is not None and chosen_places(own, found) == chosen_places(own, given)
    return found if not given or (are_numbers(given) and says_the_same) else given


def _statistics(
    given: DataConfig | ModalityConfig, survey: Survey, name: str
) -> tuple[list[float] | None, list[float] | None]:
    """Means and standard deviations over the training tiles; a constant band keeps its scale."""
    seen = survey.splits["train"].images.get(name)
    if given.means is not None or seen is None:
        return given.means, given.stds
    return seen.means, [std if std > 0 else 1.0 for std in seen.stds]


def _write_labels(labels: dict[str, list[int]], folder: Path) -> None:
    """A number per sample, or a row of 0 and 1 where it may have several labels."""
    for name, values in labels.items():
        file = folder / f"{name}{LABEL_ENDING}"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, np.array(values if len(values) > 1 else values[0], np.int64))


def _state_of(config: TrialConfig) -> str:
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
    if otherwise is None or (otherwise.may_stay and (cache_folder() / "data" / earlier / _LISTING).is_file()):
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
        _state(path) for path in whole if not any(path != other and path.is_relative_to(other) for other in whole)
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
def _state(root: Path) -> str:
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
