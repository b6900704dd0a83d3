"""Which sampler a study has: built from ``hydra.sweeper.sampler``, seeded so that a restart draws anew, and grids."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from optuna.samplers import BaseSampler

from terrasweep.config.schema import StudyConfig
from terrasweep.machine import startup
from terrasweep.results.errors import InvalidConfig, first_line
from terrasweep.study.conditional_keys import FOR_WHOLE_TRIALS, WithEveryKey
from terrasweep.study.factored.prior import PriorTrial
from terrasweep.study.factored.quantities import Predict
from terrasweep.study.factored.sampler import FactoredSampler
from terrasweep.study.factored_search import search_arguments
from terrasweep.study.ranges import grid_values
from terrasweep.study.search_space import SearchSpace

MOST_COMBINATIONS = 1_000_000
"""Of a grid; Optuna lists all of them."""
_TRUSTED = ("hydra_plugins.*", "optuna.samplers.*", "terrasweep.study.factored.sampler.*")
_LEARNS_FROM_PRUNED = (optuna.samplers.TPESampler, FactoredSampler)
_LEARNS_FROM_NOTHING = (
    optuna.samplers.BruteForceSampler,
    optuna.samplers.GridSampler,
    optuna.samplers.QMCSampler,
    optuna.samplers.RandomSampler,
)


@dataclass(frozen=True, kw_only=True)
class GridSize:
    """How many trials a study's sampler has for it."""

    combinations: int | None = None
    """Of a grid; None where the sampler has no end."""

    def at_most(self, total: int) -> int:
        """The total, or the size of the grid where that is less."""
        return total if self.combinations is None else min(total, self.combinations)


def ignores_pruned(sampler: BaseSampler) -> bool:
    """Whether a sampler learns from complete trials alone.

    Of Optuna's, all do that learn at all, but TPE: NSGA-II and III, GP, CMA-ES. So does a sampler that is not known
    here, as far as one can tell.
    """
    return not isinstance(sampler, (*_LEARNS_FROM_PRUNED, *_LEARNS_FROM_NOTHING))


def build_sampler(
    settings: DictConfig,
    study: StudyConfig,
    space: SearchSpace,
    base: DictConfig,
    drawn: int,
    allowed: Callable[[dict[str, Any]], bool] = lambda _: True,
    predict: Predict | None = None,
    prior: Sequence[PriorTrial] = (),
) -> tuple[BaseSampler, GridSize]:
    """Build the sampler, and say how many trials it has.

    Args:
        settings: ``hydra.sweeper.sampler``. A ``seed`` and ``n_startup_trials`` of null follow from the study.
        study: Its seed and total.
        space: What is searched.
        base: The composed configuration, for the conditions of a grid's keys.
        drawn: Added to the study's seed: neither a restart nor another process must draw again what was drawn. Not so
            with a grid: it numbers its combinations by the seed, and a restart has to mean the same ones; nor with the
            factored sampler, which sees by the trials what was drawn.
        allowed: Whether the rules allow searched values; for a sampler that asks.
        predict: What is known of memory and speed before; for the factored sampler.
        prior: What is learnt from other studies; for a sampler with models.

    Raises:
        InvalidConfig: The sampler refuses its settings, or the space has no grid.
    """
    given = OmegaConf.to_container(settings, resolve=True)
    assert isinstance(given, dict)
    seed = study.seed if given.get("_partial_") else study.seed + drawn
    derived = {"seed": seed, "n_startup_trials": max(4, study.n_trials // 4)}
    given |= {key: value for key, value in derived.items() if key in given and given[key] is None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of experimental arguments, and of those that a single objective would take.
        try:
            built = instantiate({k: v for k, v in given.items() if v is not None}, _execution_whitelist_=_TRUSTED)
        except Exception as error:  # Whatever a sampler makes of its settings.
            reason = first_line(error.__cause__ or error)
            raise InvalidConfig(f"hydra.sweeper.sampler: {reason}; correct its settings") from error
    if isinstance(built, functools.partial) and built.func is FactoredSampler:
        return built(**search_arguments(study, space, base, allowed, predict), prior=prior), GridSize()
    if isinstance(built, functools.partial):
        grid = build_grid(space, base)
        return built(grid), GridSize(combinations=math.prod(len(values) for values in grid.values()))
    assert isinstance(built, BaseSampler)
    return _for_conditions(built, space, base), GridSize()


def _for_conditions(sampler: BaseSampler, space: SearchSpace, base: DictConfig) -> BaseSampler:
    """One that would draw a key at random once a trial did not have it, is shown trials that have all keys."""
    names = {key.name for key in space.keys}
    possible = [key for key in space.keys if key.may_be_active(names, base)]
    is_conditional = any(condition.key in names for key in possible for condition in key.conditions)
    if not (is_conditional and isinstance(sampler, FOR_WHOLE_TRIALS)):
        return sampler
    return WithEveryKey(sampler, {key.name: key.distribution for key in possible})


def check_sampler(
    sampler: BaseSampler, study: StudyConfig, space: SearchSpace, base: DictConfig, *, trials: int = 3
) -> None:
    """Let a sampler of its own propose some trials of a study that is forgotten, with the objectives of the real one.

    Args:
        sampler: It can't be used afterwards.
        study: Its objectives.
        space: What is searched.
        base: The composed configuration.
        trials: How many: what a sampler can't do it says with the first that it learns from.

    Raises:
        InvalidConfig: The sampler can't do with the number of objectives, or lacks a package.
    """
    name = type(sampler.sampler if isinstance(sampler, WithEveryKey) else sampler).__name__
    directions = [optuna.study.StudyDirection[objective.direction.upper()] for objective in study.objectives]
    startup.quiet_optuna()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scratch = optuna.create_study(sampler=sampler, directions=directions)
            for number in range(trials):
                trial = scratch.ask()
                space.suggest(trial, base)
                scratch.tell(trial, [float(number)] * len(study.objectives))
    except ImportError as error:
        raise InvalidConfig(
            f"hydra/sweeper/sampler: {name} lacks a package: {first_line(error)}; install it, or use another sampler"
        ) from error
    except Exception as error:  # a sampler may refuse in any way
        if "Study.stop" in str(error):  # A grid of so few combinations is through.
            return
        raise InvalidConfig(
            f"hydra/sweeper/sampler: {name} can't search this space with {len(study.objectives)} objectives: "
            f"{first_line(error)}; use another sampler, like factored, or other study.objectives"
        ) from error


def build_grid(space: SearchSpace, base: DictConfig) -> Mapping[str, Sequence[Any]]:
    """Every value of every key that is active.

    Raises:
        InvalidConfig: A key depends on another searched one, or has no end of values.
    """
    names = {key.name for key in space.keys}
    for key in space.keys:
        if on := [condition.key for condition in key.conditions if condition.key in names]:
            raise InvalidConfig(
                f"hydra/sweeper/sampler=grid: {key.name} depends on {on[0]}, which is searched too, and a grid has "
                "no conditions; fix one of them, or use another sampler"
            )
    active = [key for key in space.keys if key.active({}, base)]
    grid = {}
    for key in active:
        try:
            grid[key.name] = grid_values(key.distribution)
        except ValueError as error:
            raise InvalidConfig(f"hydra/sweeper/sampler=grid: {key.name}: {key.text}: {error}") from error
    if (combinations := math.prod(map(len, grid.values()))) > MOST_COMBINATIONS:
        raise InvalidConfig(
            f"hydra/sweeper/sampler=grid: the grid has {combinations:,} combinations, more than {MOST_COMBINATIONS:,}; "
            "search fewer values, or use another sampler"
        )
    return grid
