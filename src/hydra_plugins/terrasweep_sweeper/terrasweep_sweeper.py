"""The plugin that Hydra finds. It stays light, since Hydra imports it at every start, for ``--help`` too."""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from . import config as config


class TerrasweepSweeper(Sweeper):
    """Searches with Optuna; the study is in :mod:`terrasweep.study.sweep`."""

    def __init__(self, sampler: DictConfig, pruner: DictConfig, n_jobs: int | None, params: DictConfig) -> None:
        self._settings: dict[str, Any] = {"sampler": sampler, "pruner": pruner, "n_jobs": n_jobs, "params": params}
        self._setup: dict[str, Any] = {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what the sweep will need."""
        self._setup = {"hydra_context": hydra_context, "task_function": task_function, "config": config}

    def sweep(self, arguments: list[str]) -> None:
        """Run the study to its total number of trials."""
        from terrasweep.study.sweep import StudySweep

        StudySweep(self._settings, **self._setup).sweep(arguments)
