"""What is known of a data set on the disk: its listing, its cut tiles and its survey, by the state of its files.

Everything of one state lies in one folder below ``results/.cache/data``, which another state of the files, or another
way to divide them, never touches. The listing is written last of what it needs, so that it marks a complete folder.
Imports no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from terrasweep.config.band_choice import OwnBands, are_numbers, chosen_places, given_bands
from terrasweep.config.data import DataConfig, ModalityConfig
from terrasweep.config.losses import AUTO
from terrasweep.config.schema import TrialConfig
from terrasweep.data.files_state import LISTING, state_of
from terrasweep.data.find.sample_list import LABEL_ENDING, Listing
from terrasweep.data.inspect.checks.case import Case
from terrasweep.data.inspect.checks.class_weights import weights_by_frequency
from terrasweep.data.inspect.survey import IMAGE, Survey
from terrasweep.data.memory import fits_in_memory
from terrasweep.machine.files import write_atomically
from terrasweep.machine.paths import cache_folder

_SURVEY_VERSION = 3
"""Raised whenever a survey tells more, or else: files are looked at once more, and keep their digest and listing."""
_OWN_BANDS = "bands.json"
"""What bands the files have, in the folder of their state."""


def located(config: TrialConfig) -> TrialConfig:
    """The configuration with the state that its data's files are in now, as ``data.state``.

    Only the parent looks: all that one trial does, in whatever process, is about one state.
    """
    if config.data.name == "synthetic":
        return config
    return replace(config, data=replace(config.data, state=state_of(config)))


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
    return cache_folder() / "data" / (config.data.state or state_of(config))


def keep_own_bands(own: Mapping[str, OwnBands], config: TrialConfig) -> None:
    """Write down what bands the files have: from then on :func:`data_folder` knows what ``data.bands`` chooses."""
    whole = _whole_folder(config)
    if not (whole / LISTING).is_file():  # Else it is from before bands could be chosen.
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
    return data_folder(config) / LISTING


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
