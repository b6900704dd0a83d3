"""What a trial's numbers depend on, as hashes: trials with the same one have the same numbers.

``quality_key`` holds all that bears on the accuracy and the other metrics, ``cost_key`` all that bears on memory, speed
and energy, as :mod:`terrasweep.config.bears_on` declares it; the state of the data, the code and the libraries are in
both, the device is in the latter.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from terrasweep.config.bears_on import bearings
from terrasweep.config.knobs.knob import COST, QUALITY
from terrasweep.config.outside_knobs import outside_knobs
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.hardware import compute_threads, cpu_name, effective_device, gpu_names
from terrasweep.machine.own_code import code_digest, files_digest
from terrasweep.machine.paths import absolute
from terrasweep.machine.versions import versions

_CODE = ("config", "data", "machine", "measure", "models", "terratorch_backbones", "training", "trial")
"""Packages of terrasweep whose code bears on numbers."""
_FILES = ("backbone.checkpoint", "backbone.source", "offload.deepspeed_config")
"""Keys that may name files; their content counts."""
_PARTS = "train.accumulate"
_ROUNDING = "-"
"""What comes after it in a quality key changes an accuracy by rounding alone."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Under which keys a trial's numbers are known."""

    quality: str
    """Where no layer takes statistics of a batch."""
    quality_in_parts: str
    """Where one does: into how many parts a batch is split counts."""
    cost: str

    def quality_of(self, *, batch_statistics: bool) -> str:
        """The key of a trial whose model takes statistics of batches, or doesn't."""
        return self.quality_in_parts if batch_statistics else self.quality

    def has_accuracy_of(self, quality_key: str, *, to_rounding: bool) -> bool:
        """Whether a trial with another's quality key has its accuracy, too.

        Args:
            quality_key: The other one's.
            to_rounding: Whether what differs by the rounding of other sums alone counts as the same.
        """
        own = (self.quality, self.quality_in_parts)
        if not to_rounding:
            return quality_key in own
        return quality_key.partition(_ROUNDING)[0] in [key.partition(_ROUNDING)[0] for key in own]


def keys_of(config: TrialConfig) -> Keys:
    """The keys of a trial.

    Args:
        config: With what its data tell (:func:`terrasweep.data.stored.complete`).
    """
    code: dict[str, Any] = {"code": code_digest(_CODE), "versions": versions()} | dict(_own_code(config))
    quality, cost, rounding = dict(code), code | {"device": _device(config)}, {}
    for key, value, bearing in bearings(config):
        known = _content(value) if key in _FILES else value
        if QUALITY in bearing.numbers or _draws_in_workers(config, key):
            quality[key] = known
        elif bearing.rounding is not None:
            rounding[key] = bearing.rounding(known)
        if bearing.numbers & COST:
            cost[key] = known if bearing.cost is None else bearing.cost(known)
    if config.train.steps is not None:  # Steps that are timed and those that are not train alike.
        quality["train.max_steps"] = config.train.steps
    in_parts = quality | {_PARTS: config.train.accumulate}
    last = f"{_ROUNDING}{_hash(rounding)[:4]}"
    return Keys(quality=_hash(quality) + last, quality_in_parts=_hash(in_parts) + last, cost=_hash(cost))


def _draws_in_workers(config: TrialConfig, key: str) -> bool:
    """Whether samples may depend on the number of workers: a datamodule of the user's may draw by chance in them."""
    return key == "data.workers" and config.data.datamodule is not None


def _hash(parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=vars).encode()).hexdigest()[:16]


def _device(config: TrialConfig) -> str:
    """The device with what decides its speed, without asking torch."""
    if effective_device(config.train.device) == "cuda":
        return ", ".join([*gpu_names(), os.environ.get("CUDA_VISIBLE_DEVICES", "")])
    return f"{cpu_name()}, {compute_threads()} threads"


def _own_code(config: TrialConfig) -> Iterator[tuple[str, str]]:
    """The files of the user's own datamodule, and of the knobs that other packages declare."""
    modules = {transform.partition(":")[0] for knob in outside_knobs() for transform in knob.transforms.values()}
    if config.data.datamodule is not None:
        modules.add(config.data.datamodule.rpartition(".")[0])
    for module in sorted(modules):
        yield module, _module_code(module)


@cache
def _module_code(module: str) -> str:
    package, *parts = module.split(".")
    try:
        found = importlib.util.find_spec(package)  # Of a module below it, the package would be imported.
    except (ImportError, ValueError):
        return ""
    if found is None or found.origin is None:
        return ""
    file = Path(found.origin) if not parts else Path(found.origin).parent.joinpath(*parts).with_suffix(".py")
    return files_digest([file]) if file.is_file() else ""


def _content(value: Any) -> Any:
    """What a key names: of a file or folder also its sizes and times, so that another one in its place is another."""
    if not isinstance(value, str) or not (path := absolute(value)).exists():
        return value
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return [value, *([file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files)]
