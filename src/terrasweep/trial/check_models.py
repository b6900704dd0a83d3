"""Looks at the models of a trial or a study before anything is trained: once, in a child, cached. Imports no torch."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from terrasweep import process
from terrasweep.config.compose import as_dict
from terrasweep.config.schema import TrialConfig
from terrasweep.data import stored
from terrasweep.machine.files import write_atomically
from terrasweep.machine.paths import absolute, cache_folder
from terrasweep.models.misfits import Look
from terrasweep.results.errors import InvalidConfig

KNOBS = ("tuning", "quantization", "checkpointing")
"""Those that can miss a model: they name its parts, or want some of a kind."""
_TASK = "terrasweep.models.misfits:find_misfits"
_LIBRARIES = ("terrasweep", "terratorch", "timm", "transformers", "peft", "torch")
_OF_THE_MODEL = ("backbone", "neck", "decoder", "task", "data")
_OF_THE_KNOBS = (
    *("tuning.name", "tuning.targets", "tuning.unfreeze_last", "checkpointing.name"),
    *("quantization.name", "quantization.skip", "quantization.skip_count"),
)


def check_models(looks: Iterable[Look]) -> None:
    """Build each distinct model on paper, look for its weights, and see whether the knobs can do their work on it.

    What is in order is not looked at again with the same libraries and the same files.

    Args:
        looks: Configurations as a trial has them. Where only the data tell the bands, and nobody has looked at these
            yet, the trial will say what is wrong.

    Raises:
        InvalidConfig: With one line per thing that does not go together.
    """
    models: dict[str, dict[str, Look]] = {}
    for config, knobs in looks:
        if (complete := _completed(config)) is not None:
            of_knobs = json.dumps([sorted(knobs), _flat(complete, knobs)], default=str)
            models.setdefault(_model_key(complete), {}).setdefault(of_knobs, (complete, knobs))
    mark = cache_folder() / "models" / f"{_digest({key: sorted(found) for key, found in models.items()})}.json"
    if not models or mark.is_file():
        return
    lines = _find_misfits([list(found.values()) for found in models.values()])
    if lines is None:
        return
    if lines:
        raise InvalidConfig("\n".join(lines))
    write_atomically(mark, json.dumps({"models": len(models), "looks": sum(map(len, models.values()))}) + "\n")


def _find_misfits(models: list[list[Look]]) -> list[str] | None:
    """One line per misfit; None where the look itself failed."""
    log = cache_folder() / f"models-{os.getpid()}.log"
    outcome = process.run(_TASK, {"models": models}, log, process.Limits())
    if isinstance(outcome.error, InvalidConfig):
        return str(outcome.error).splitlines()
    if outcome.error is not None:  # The trials will say it, one by one, if it is theirs.
        print(f"warning: the models can't be looked at beforehand: {outcome.error}; see {log}", file=sys.stderr)
        return None
    log.unlink(missing_ok=True)
    lines: list[str] = outcome.reported["misfits"]
    return lines


def _completed(config: TrialConfig) -> TrialConfig | None:
    """With what only the data tell; None where they were not looked at."""
    located = stored.located(config)
    known = config.data.name == "synthetic" or stored.survey_file(located).is_file()
    return stored.complete(located) if known else None


def _model_key(config: TrialConfig) -> str:
    values = as_dict(config)
    values["data"] = {name: value for name, value in values["data"].items() if name not in ("synthetic", "root")}
    checkpoint = config.backbone.checkpoint
    file = None if checkpoint in (None, "synthetic") else absolute(str(checkpoint))
    alone = ["batches of one"] if config.train.smallest_part == 1 else []  # Not every model can train on them.
    found = [{name: values[name] for name in _OF_THE_MODEL}, _state(file), *alone]
    return json.dumps(found, sort_keys=True, default=str)


def _state(file: Path | None) -> list[int] | None:
    if file is None or not file.is_file():
        return None
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def _flat(config: TrialConfig, knobs: tuple[str, ...]) -> dict[str, Any]:
    """What of the knobs bears on which parts of a model they touch."""
    values = as_dict(config)
    parts = (key.partition(".") for key in _OF_THE_KNOBS)
    flat = {f"{group}.{name}": values[group][name] for group, _, name in parts if group in knobs}
    if "tuning" in knobs and config.tuning.initialisation != "default":
        flat["tuning.rank"] = config.tuning.rank  # Adapters that start at components of a layer need as many.
    return flat


def _digest(models: dict[str, list[str]]) -> str:
    content = json.dumps([models, [_version(name) for name in _LIBRARIES]], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
