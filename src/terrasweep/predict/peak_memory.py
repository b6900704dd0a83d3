"""What a trial will need in memory: traced once, and kept for whoever asks again. A child's module."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from terrasweep.config.bears_on import bearings
from terrasweep.config.knobs.knob import MEMORY
from terrasweep.config.knobs.offload import ZERO
from terrasweep.config.schema import TrialConfig
from terrasweep.machine.files import write_atomically
from terrasweep.machine.own_code import code_digest
from terrasweep.machine.paths import cache_folder
from terrasweep.machine.versions import versions
from terrasweep.predict.prediction import MIB, Memory, Prediction, as_json, from_json
from terrasweep.predict.reserved_memory import reserved_bytes
from terrasweep.predict.trace import Trace
from terrasweep.predict.trace_training import trace_training

_CODE = ("config", "data/open", "measure", "models", "predict", "training")
"""What a prediction depends on of terrasweep's own code."""
_IRRELEVANT = ("budget", "data.workers", "data.in_memory", "train.untimed_steps")
"""Keys that bear on measured memory and on no tensor of the model."""


def predict_peak_memory(config: TrialConfig, device: str, *, keep: bool = True) -> Prediction:
    """The memory that a trial will need, by phase and kind, and what a step computes; nothing is trained.

    The same question is answered from :func:`terrasweep.machine.paths.cache_folder` the next time.

    Args:
        config: With bands, tile and classes, as the data tell them.
        device: ``cpu`` or ``cuda``; no GPU is needed for either.
        keep: Whether the answer is written there.

    Raises:
        InvalidConfig: The model can't be built.
    """
    file = cache_folder() / "predictions" / f"{_key(config, device)}.json"
    if (known := _known(file)) is not None:
        return known
    found = predicted(trace_training(config, device), config, device)
    if keep:
        with contextlib.suppress(OSError):  # On a disk that can't be written it is traced again.
            write_atomically(file, json.dumps(as_json(found)) + "\n")
    return found


def predicted(trace: Trace, config: TrialConfig, device: str) -> Prediction:
    """The prediction that follows from a trace."""
    on_gpu = device == "cuda"
    return Prediction(
        device=device,
        on_device=_in_mib(trace, on_host=False) if on_gpu else {},
        on_host=_in_mib(trace, on_host=True),
        reserved={phase: size / MIB for phase, size in reserved_bytes(trace).items()} if on_gpu else {},
        step=trace.step,
        notes=_notes(config),
    )


def _in_mib(trace: Trace, *, on_host: bool) -> Memory:
    peaks = trace.peaks(on_host=on_host)
    return {phase: {kind: size / MIB for kind, size in kinds.items()} for phase, kinds in peaks.items()}


def _notes(config: TrialConfig) -> list[str]:
    notes = []
    if config.offload.name in ZERO:
        notes.append(f"offload={config.offload.name}: what ZeRO divides and sends is not traced; this is without it.")
    if config.quantization.skip == "auto":
        notes.append("quantization.skip=auto: the largest layers are taken to stay in full precision.")
    if config.tuning.initialisation != "default":
        notes.append(f"tuning.initialisation={config.tuning.initialisation}: the start's own need isn't counted.")
    return notes


def _known(file: Path) -> Prediction | None:
    """A prediction that was kept; None where there is none that can be read."""
    with contextlib.suppress(OSError, KeyError, TypeError, ValueError):
        return from_json(json.loads(file.read_text()))
    return None


def _key(config: TrialConfig, device: str) -> str:
    """What a prediction depends on: the keys that bear on memory, the code and the libraries."""
    values: dict[str, Any] = {"device": device, "code": code_digest(_CODE), "versions": versions()}
    for key, value, bearing in bearings(config):
        if MEMORY in bearing.numbers and not key.startswith(_IRRELEVANT):
            values[key] = value if bearing.cost is None else bearing.cost(value)
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=vars).encode()).hexdigest()[:20]
