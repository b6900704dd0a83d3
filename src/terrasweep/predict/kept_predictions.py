"""Predictions that are kept for whoever asks again, by what they depend on. Imports no torch."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from terrasweep.config.bears_on import Bearing, bearings
from terrasweep.config.knobs.knob import MEMORY
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.files import write_atomically
from terrasweep.machine.own_code import code_digest
from terrasweep.machine.paths import cache_folder
from terrasweep.machine.versions import versions
from terrasweep.predict.prediction import Prediction, as_json, from_json

_CODE = ("config", "data/open", "measure", "models", "predict", "training")
"""What a prediction depends on of terrasweep's own code."""
_IRRELEVANT = ("budget", "data.workers", "data.in_memory", "train.untimed_steps")
"""Keys that bear on measured memory and on no tensor of the model."""
_SIZES = ("train.batch_size", "data.tile_px")
"""Keys whose values may lie between those of traces that are kept."""


def kept_prediction(config: TrialConfig, device: str) -> Prediction | None:
    """The prediction that was made of a trial's memory before; None where there is none that can be read.

    Args:
        config: With bands, tile and classes, as the data tell them.
        device: ``cpu`` or ``cuda``.
    """
    with contextlib.suppress(OSError, KeyError, TypeError, ValueError):
        return from_json(json.loads(_file(config, device).read_text()))
    return None


def keep(prediction: Prediction, config: TrialConfig) -> None:
    """Keep a prediction; on a disk that can't be written it is made again the next time."""
    with contextlib.suppress(OSError):
        write_atomically(_file(config, prediction.device), json.dumps(as_json(prediction)) + "\n")


def traces_folder(config: TrialConfig, device: str) -> Path:
    """Where traces are kept of trials that differ from this one in batch and tile alone."""
    alike = dependencies(config, device) | dict.fromkeys(_SIZES)
    return cache_folder() / "traces" / digest(alike)


def code_and_libraries() -> dict[str, Any]:
    """What predictions depend on beside the trial: with another version they are others."""
    return {"code": code_digest(_CODE), "versions": versions()}


def dependencies(config: TrialConfig, device: str) -> dict[str, Any]:
    """What a prediction depends on: the keys that bear on memory, the code and the libraries.

    Args:
        config: With bands, tile and classes.
        device: ``cpu`` or ``cuda``.
    """
    values: dict[str, Any] = {"device": device, **code_and_libraries()}
    for key, value, bearing in bearings(config):
        if bears_on_prediction(key, bearing):
            values[key] = value if bearing.cost is None else bearing.cost(value)
    return values


def bears_on_prediction(key: str, bearing: Bearing) -> bool:
    """Whether a key of a configuration bears on its prediction."""
    return MEMORY in bearing.numbers and not key.startswith(_IRRELEVANT)


def digest(values: dict[str, Any]) -> str:
    """What stands for :func:`dependencies` as the name of a file."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=vars).encode()).hexdigest()[:20]


def _file(config: TrialConfig, device: str) -> Path:
    return cache_folder() / "predictions" / f"{digest(dependencies(config, device))}.json"
