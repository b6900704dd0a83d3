"""The factored sampler on a study of terrasweep: its candidates, what bears on what, and what limits it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from terrasweep.config.bears_on import Bearing, bearing
from terrasweep.config.knobs import KNOBS
from terrasweep.config.knobs.knob import COST, QUALITY
from terrasweep.config.outside_knobs import outside_knobs
from terrasweep.config.reuse import OFF
from terrasweep.config.schema import StudyConfig
from terrasweep.measure.accuracy import ACCURACY
from terrasweep.measure.catalog import MEASUREMENTS, measurement_or_metric
from terrasweep.measure.durations import WALL_SECONDS
from terrasweep.measure.peak_memory import PEAK_MEMORY
from terrasweep.measure.train_loss import TRAIN_LOSS
from terrasweep.results import pareto
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.factored.candidates import Draw, Keys, draw_value
from terrasweep.study.factored.quantities import PROBE_SECONDS, TRAINING_SECONDS, BearsOn, Predict, Quantity, Settings
from terrasweep.study.search_space import SearchSpace

MIB_PER_GIB = 1024.0


def search_arguments(
    study: StudyConfig,
    space: SearchSpace,
    base: DictConfig,
    allowed: Callable[[dict[str, Any]], bool],
    predict: Predict | None = None,
) -> dict[str, Any]:
    """What the factored sampler is told of a study.

    Args:
        study: Its objectives.
        space: What is searched.
        base: The composed configuration.
        allowed: Whether the rules allow searched values.
        predict: What is known of memory and speed before.
    """
    objectives = [Objective(name=o.name, direction=o.direction) for o in study.objectives]
    whole = any(measurement_or_metric(objective.name).of_whole_training for objective in objectives)
    reuse = OmegaConf.select(base, "reuse.name") != OFF and not whole
    return {
        "space": {key.name: key.distribution for key in space.keys},
        "objectives": [objective_quantity(objective) for objective in objectives],
        "keys": space_keys(space, base),
        "draw": draw_space(space, base),
        "allowed": lambda settings: allowed(dict(settings)),
        "predict": predict,
        "limited": list(_limits(space, base)),
        "reference": lambda values: pareto.reference_from(values, objectives),
        "reuse": reuse,
        "outlook": True,
    }


def objective_quantity(objective: Objective) -> Quantity:
    """An objective, with what it depends on."""
    measurement = measurement_or_metric(objective.name)
    if measurement.of_whole_training:
        of = BearsOn.BOTH
    elif objective.name not in MEASUREMENTS or objective.name in (ACCURACY.name, TRAIN_LOSS.name):
        of = BearsOn.QUALITY
    else:
        of = BearsOn.COST
    return Quantity(name=objective.name, of=of, maximize=objective.maximize)


def draw_space(space: SearchSpace, base: DictConfig) -> Draw:
    """Draws what :meth:`~terrasweep.study.search_space.SearchSpace.suggest` could suggest."""
    names = {key.name for key in space.keys}
    possible = [key for key in space.keys if key.may_be_active(names, base)]
    own = {key.name: [c for c in key.conditions if c.key in names] for key in possible}

    def draw(count: int, rng: np.random.Generator, held: Settings, /) -> Iterator[Settings]:
        for _ in range(count):
            values: dict[str, Any] = {}
            for key in possible:
                if all(condition.holds(values.get(condition.key)) for condition in own[key.name]):
                    known = key.name in held
                    values[key.name] = held[key.name] if known else draw_value(key.distribution, rng)
            yield values

    return draw


def space_keys(space: SearchSpace, base: DictConfig) -> Keys:
    """Splits searched values into those that bear on the accuracy, and those that bear on memory and speed."""
    groups: Mapping[str, str] = base.hydra.runtime.choices
    to_rounding = bool(OmegaConf.select(base, "reuse.to_rounding"))
    bearings = {key.name: searched_bearing(key.name, is_group=key.name in groups) for key in space.keys}
    meant = {key.name: key.meant for key in space.keys}

    def keys(settings: Settings) -> tuple[Settings, Settings]:
        quality, cost = {}, {}
        for name, value in settings.items():
            found = bearings[name]
            if QUALITY in found.numbers:
                quality[name] = value
            elif found.rounding is not None and not to_rounding:
                # Another name: a rounding tells qualities apart, and is nothing to learn from.
                quality[f"rounding of {name}"] = found.rounding(meant[name](value))
            if found.numbers & COST:
                of_cost = {name: value} if found.cost is None else {f"cost of {name}": found.cost(meant[name](value))}
                cost.update(of_cost)
        return quality, cost

    return keys


def searched_bearing(name: str, *, is_group: bool) -> Bearing:
    """What a searched key bears on; a group stands for the name of its option."""
    knobs = {knob.group: knob for knob in (*KNOBS, *outside_knobs())}
    return bearing(f"{name}.name" if is_group and name in knobs else name, knobs)


def beside_objectives(result: TrialResult) -> dict[str, float]:
    """What a trial tells of its time and memory beside its objectives, by the names that the sampler knows.

    Nothing of its time where it was answered without running.
    """
    found = {}
    if (peak := result.value(PEAK_MEMORY.name)) is not None:
        found[PEAK_MEMORY.name] = peak
    wall = result.value(WALL_SECONDS.name)
    if wall is not None and not (result.accuracy_from and result.cost_from):
        found[PROBE_SECONDS if result.accuracy_from else TRAINING_SECONDS] = wall
    return found


def _limits(space: SearchSpace, base: DictConfig) -> Iterator[Quantity]:
    limit = OmegaConf.select(base, "budget.memory_gib")
    if limit is not None and "budget.memory_gib" not in {key.name for key in space.keys}:
        most = MIB_PER_GIB * float(limit)
        yield Quantity(name=PEAK_MEMORY.name, of=BearsOn.COST, maximize=False, most=most)
