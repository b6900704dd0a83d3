"""The quickstart's pretrained weights: how they are made, and where they lie. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from terrasweep.config.compose import as_dict
from terrasweep.config.data import SyntheticConfig
from terrasweep.config.knobs.augment import AugmentConfig
from terrasweep.config.knobs.checkpointing import CheckpointingConfig
from terrasweep.config.knobs.offload import OffloadConfig
from terrasweep.config.knobs.optimizer import OptimizerConfig
from terrasweep.config.knobs.precision import PrecisionConfig
from terrasweep.config.knobs.quantization import QuantizationConfig
from terrasweep.config.knobs.tuning import TuningConfig
from terrasweep.config.outside_knobs import outside_knobs
from terrasweep.config.schedule import ScheduleConfig
from terrasweep.config.schema import TrialConfig
from terrasweep.config.train import TrainConfig
from terrasweep.data.find.root_folders import tiles_folder
from terrasweep.machine.paths import cache_folder


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """How the synthetic backbone is pretrained: supervised on the ``source`` domain, all parameters, by a cosine."""

    tiles: int = 512
    steps: int = 300
    batch_size: int = 16
    lr: float = 1e-3
    seed: int = 7
    version: int = 4
    """Raised whenever the same settings give other weights."""


PRETRAINING = Pretraining()


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
        optimizer=OptimizerConfig(name="adamw", implementation="fused"),
        schedule=ScheduleConfig(name="cosine", warmup=0.1),
        augment=AugmentConfig(name="none"),
        outside={knob.group: knob.option(str(knob.off)) for knob in outside_knobs()},
        train=TrainConfig(
            batch_size=PRETRAINING.batch_size,
            lr=PRETRAINING.lr,
            max_steps=PRETRAINING.steps,
            untimed_steps=0,
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
