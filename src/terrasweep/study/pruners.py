"""Which pruner a study has: built from ``hydra.sweeper.pruner``, and tried before the first trial."""

from __future__ import annotations

import warnings
from typing import Any

import optuna
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from optuna.pruners import BasePruner, NopPruner

from terrasweep.machine import startup
from terrasweep.results.errors import InvalidConfig, first_line

_TRUSTED = ("optuna.pruners.*",)
_TRIALS, _VALIDATIONS = 12, 4
"""Of the study that a pruner is tried in: enough that it has to decide."""


def build_pruner(settings: DictConfig) -> BasePruner | None:
    """Build the pruner of ``hydra.sweeper.pruner``; None where every training goes to its end.

    Raises:
        InvalidConfig: It refuses its settings, or lacks a package.
    """
    given = OmegaConf.to_container(settings, resolve=True)
    assert isinstance(given, dict)
    startup.quiet_optuna()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _try(_instantiated(given))  # It may remember the study that it was tried in.
            pruner = _instantiated(given)
    except ImportError as error:
        raise InvalidConfig(
            f"hydra.sweeper.pruner: it lacks a package: {first_line(error)}; install it, or use another pruner"
        ) from error
    except Exception as error:  # Whatever a pruner makes of its settings.
        reason = first_line(error.__cause__ or error)
        raise InvalidConfig(f"hydra.sweeper.pruner: {reason}; correct its settings") from error
    return None if isinstance(pruner, NopPruner) else pruner


def _instantiated(given: dict[Any, Any]) -> BasePruner:
    pruner = instantiate(given, _execution_whitelist_=_TRUSTED)
    if not isinstance(pruner, BasePruner):
        raise TypeError(f"{type(pruner).__name__} is no pruner")
    return pruner


def _try(pruner: BasePruner) -> None:
    """Let a pruner decide about some trials of a study that is forgotten."""
    scratch = optuna.create_study(pruner=pruner)
    for number in range(_TRIALS):
        trial = scratch.ask()
        for step in range(_VALIDATIONS):
            trial.report(float(number % 5) / (step + 1), step)
            trial.should_prune()
        scratch.tell(trial, float(number % 5))
