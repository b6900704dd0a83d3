"""What is made once for many trials, and where it lies below ``results/.cache``. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from terrasweep.build.extensions import are_compiled
from terrasweep.composition import as_dict
from terrasweep.config import TrainConfig, TrialConfig
from terrasweep.data import store
from terrasweep.data.config import SyntheticConfig
from terrasweep.data.roots import tiles_folder
from terrasweep.environment import effective_device
from terrasweep.knobs import CheckpointingConfig, OffloadConfig, PrecisionConfig, QuantizationConfig, TuningConfig
from terrasweep.project import cache_folder


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """How the synthetic backbone is pretrained: supervised on the ``source`` domain, all parameters."""

    tiles: int = 512
    steps: int = 600
    batch_size: int = 16
    lr: float = 1e-3
    seed: int = 7
    version: int = 1
    """Raised whenever the same settings give other weights."""


PRETRAINING = Pretraining()


def missing(config: TrialConfig) -> list[str]:
    """What has to be made before a trial of this configuration can start, as a person would name it."""
    wanted = []
    if config.data.name == "synthetic" and not (tiles_folder(config).is_dir() and store.listing_file(config).is_file()):
        wanted.append("synthetic tiles")
    if config.backbone.checkpoint == "synthetic" and not pretrained_file(config).is_file():
        wanted.append(f"{config.backbone.name} pretrained on a second synthetic domain")
    if config.data.name != "synthetic" and not store.survey_file(config).is_file():
        wanted.append("a look at the data")
    if config.offload.name == "nvme" and not are_compiled(effective_device(config.train.device)):
        wanted.append("DeepSpeed's asynchronous I/O (compiling takes minutes)")
    return wanted


def source_config(config: TrialConfig) -> TrialConfig:
    """The configuration that pretrains the backbone: full precision, all parameters, the second synthetic domain."""
    sizes = SyntheticConfig(domain="source", seed=PRETRAINING.seed, train=PRETRAINING.tiles, val=32, test=0)
    return replace(
        config,
        backbone=replace(config.backbone, checkpoint=None),
        data=replace(config.data, synthetic=sizes, state=None),
        quantization=QuantizationConfig(name="none"),
        tuning=TuningConfig(name="full"),
        checkpointing=CheckpointingConfig(name="none"),
        offload=OffloadConfig(name="none"),
        precision=PrecisionConfig(name="fp32", lightning="32-true"),
        train=TrainConfig(
            batch_size=PRETRAINING.batch_size,
            lr=PRETRAINING.lr,
            max_steps=PRETRAINING.steps,
            warmup_steps=0,
            seed=PRETRAINING.seed,
            device=config.train.device,
        ),
    )


def pretrained_file(config: TrialConfig) -> Path:
    """Where the weights of the synthetically pretrained backbone lie."""
    source = as_dict(source_config(config))
    tiles = tiles_folder(source_config(config)).name
    parts = [PRETRAINING.version, tiles, [source[key] for key in ("backbone", "neck", "decoder", "task", "train")]]
    return cache_folder() / "pretrained" / f"{config.backbone.name}-{_digest(parts)}.safetensors"


def _digest(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
