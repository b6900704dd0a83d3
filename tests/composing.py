"""Compose configurations in a test as sweep.py does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from terrasweep.config.compose import composed_trial, register_schema
from terrasweep.config.schema import TrialConfig

ROOT = Path(__file__).resolve().parents[1]


def compose_all(overrides: list[str], searched: Sequence[Path] = (ROOT,)) -> DictConfig:
    """The composed configuration, Hydra's own part included; sweeps and spaces are looked for in the folders."""
    os.environ.setdefault("TERRASWEEP_HOME", str(ROOT))
    register_schema()
    GlobalHydra.instance().clear()
    with initialize_config_module("terrasweep.conf"):
        searchpath = f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in searched)}]"
        config = compose("config", [searchpath, *overrides], return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    return config


def compose_trial(*overrides: str) -> TrialConfig:
    """A TrialConfig; the quickstart's backbone gives way to a small random one unless another is asked for."""
    config = compose_all(["backbone=prithvi_eo_tiny", "backbone.checkpoint=null", *overrides])
    return composed_trial(config)
