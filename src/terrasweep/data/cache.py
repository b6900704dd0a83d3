"""What is made once for many trials, and where it lies below ``results/.cache``. Imports no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from terrasweep.build.extensions import are_compiled
from terrasweep.composition import as_dict
from terrasweep.config import SyntheticConfig, TrainConfig, TrialConfig
from terrasweep.data.synthetic import SyntheticScenes, synthetic_folder
from terrasweep.environment import effective_device
from terrasweep.knobs import CheckpointingConfig, OffloadConfig, PrecisionConfig, QuantizationConfig, TuningConfig
from terrasweep.project import absolute, cache_folder


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
    if config.data.name == "synthetic" and not tiles_folder(config).is_dir():
        wanted.append("synthetic tiles")
    if config.backbone.checkpoint == "synthetic" and not pretrained_file(config).is_file():
        wanted.append(f"{config.backbone.name} pretrained on a second synthetic domain")
    if config.data.name != "synthetic" and config.data.means is None and not statistics_file(config).is_file():
        wanted.append("band statistics")
    if config.offload.name == "nvme" and not are_compiled(effective_device(config.train.device)):
        wanted.append("DeepSpeed's asynchronous I/O (compiling takes minutes)")
    return wanted


def scenes(config: TrialConfig) -> SyntheticScenes:
    """The synthetic data set of a configuration."""
    sizes = config.data.synthetic
    return SyntheticScenes(
        domain=sizes.domain,
        seed=sizes.seed,
        tile_px=config.data.tile_px or 64,
        train=sizes.train,
        val=sizes.val,
        test=sizes.test,
    )


def source_config(config: TrialConfig) -> TrialConfig:
    """The configuration that pretrains the backbone: full precision, all parameters, the second synthetic domain."""
    sizes = SyntheticConfig(domain="source", seed=PRETRAINING.seed, train=PRETRAINING.tiles, val=32, test=0)
    return replace(
        config,
        backbone=replace(config.backbone, checkpoint=None),
        data=replace(config.data, synthetic=sizes),
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


def synthetic_root() -> Path:
    """The folder of all synthetic data sets."""
    return cache_folder() / "synthetic"


def tiles_folder(config: TrialConfig) -> Path:
    """Where the tiles of a configuration lie."""
    if config.data.name == "synthetic":
        return synthetic_folder(synthetic_root(), scenes(config))
    return absolute(config.data.root or "")


def pretrained_file(config: TrialConfig) -> Path:
    """Where the weights of the synthetically pretrained backbone lie."""
    source = as_dict(source_config(config))
    tiles = tiles_folder(source_config(config)).name
    parts = [PRETRAINING.version, tiles, [source[key] for key in ("backbone", "neck", "decoder", "task", "train")]]
    return cache_folder() / "pretrained" / f"{config.backbone.name}-{_digest(parts)}.safetensors"


def statistics_file(config: TrialConfig) -> Path:
    """Where the band statistics of a folder lie; another one as soon as a training file changes."""
    files = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in training_images(config)]
    return cache_folder() / "statistics" / f"{_digest([str(tiles_folder(config)), config.data.bands, files])}.json"


def training_images(config: TrialConfig) -> list[Path]:
    """The image files of the training split, sorted."""
    folder = tiles_folder(config) / "train"
    if config.task.name == "segmentation":
        return sorted((folder / "images").glob(config.data.image_glob))
    return sorted(folder.glob(f"*/{config.data.image_glob}"))


def _digest(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
