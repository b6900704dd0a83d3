"""``terrasweep plan`` of a search space, and of cards: what fits which, by predicted peaks. Imports no torch."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from terrasweep.cli.plan import completed, find_violations
from terrasweep.config.bad_input import BAD_INPUT, describe_bad_input
from terrasweep.config.bears_on import bearings
from terrasweep.config.schema import TrialConfig
from terrasweep.measure.peak_memory import PEAK_MEMORY
from terrasweep.predict.kept_predictions import bears_on_prediction
from terrasweep.predict.many_predictions import ManyPredictions, predict_all
from terrasweep.predict.measured_peaks import calibrations
from terrasweep.predict.prediction import Prediction
from terrasweep.predict.trace import Kind
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.memory_plan import BATCH, MemoryPlan, PlannedConfiguration, PlannedPeak
from terrasweep.results.peak_calibration import Calibration
from terrasweep.results.wording import counted, listed
from terrasweep.study.folder import open_existing
from terrasweep.study.whole_space import names_a_space, whole_space, without_search
from terrasweep.trial.look_progress import LookProgress

_ON = "cuda"
_ROUNDS = 4
"""How often a largest batch is traced and corrected at most."""

Values = Mapping[str, Any]


def is_about_a_space(arguments: Sequence[str]) -> bool:
    """Whether a sweep, a search space or a study is named, or a key is searched.

    Raises:
        InvalidConfig: An argument can't be read.
    """
    with _bad_input():
        return any(_is_study(argument) for argument in arguments) or names_a_space(arguments)


def fixed_overrides(arguments: Sequence[str]) -> list[str]:
    """What an argument of the command line fixes: a study stands for the overrides that it was started with.

    Raises:
        InvalidConfig: An argument can't be read, or names no study.
    """
    with _bad_input():
        own = [argument for argument in arguments if not _is_study(argument)]
        return without_search([*_of_studies(arguments), *own])


def plan_space(arguments: Sequence[str], limits: Mapping[str, float]) -> MemoryPlan:
    """Predict each configuration of a space that differs in memory.

    Args:
        arguments: Overrides as on ``sweep.py``'s command line, or the name of a study that ran, and overrides.
        limits: GiB by what a card is called; may be empty: then ``budget.memory_gib`` is the limit, where it is given.

    Raises:
        InvalidConfig: Bad input, a line per mistake.
    """
    with _bad_input():
        own = [argument for argument in arguments if not _is_study(argument)]
        studies = [open_existing(argument).known for argument in arguments if _is_study(argument)]
        params = studies[0].space if studies else None
        space = whole_space([*_of_studies(arguments), *own], _bears_on_memory, params)
    base, assumed = completed(space.base)
    allowed = [(values, _like(config, space.base, base)) for values, config in space.configurations]
    allowed = [(values, config) for values, config in allowed if not find_violations(config)]
    if not allowed:
        raise InvalidConfig("\n".join(find_violations(space.configurations[0][1])))
    found = _predict([config for _, config in allowed])
    notes = _notes(found, len(space.configurations) - len(allowed), space.left_out, space.only_ends)
    return MemoryPlan(
        name=base.study.name or "study",
        limits=limits or _own_limit(base),
        rows=_rows(allowed, found),
        notes=[*notes, *assumed],
    )


def plan_cards(config: TrialConfig, limits: Mapping[str, float]) -> MemoryPlan:
    """Predict one configuration, and the largest batch that fits each limit: by lines, and then traced itself.

    Args:
        config: With what its data tell.
        limits: GiB by what a card is called.
    """
    own = config.train.batch_size
    batches = {own, 2 * own}
    known: dict[int, tuple[TrialConfig, Prediction | None, str]] = {}
    plan = MemoryPlan(name=config.backbone.name, limits=limits, rows=[])
    for _ in range(_ROUNDS):
        wanted = [with_batch(config, batch) for batch in sorted(batches - known.keys())]
        found = _predict(wanted)
        for place, changed in enumerate(wanted):
            refused = found.refused.get(place, "")
            known[changed.train.batch_size] = changed, found.predictions[place], refused
        rows = [_row({BATCH: batch}, *known[batch]) for batch in sorted(known, key=lambda b: (b != own, b))]
        plan = MemoryPlan(name=config.backbone.name, limits=limits, rows=rows)
        batches = {batch for limit in limits if (batch := plan.largest_batch(rows[0], limit))}
        if batches <= known.keys():
            break
    return plan


def with_batch(config: TrialConfig, batch: int) -> TrialConfig:
    """The configuration with another batch."""
    return replace(config, train=replace(config.train, batch_size=batch))


def _of_studies(arguments: Sequence[str]) -> list[str]:
    return [o for name in arguments if _is_study(name) for o in open_existing(name).known.overrides]


def _is_study(argument: str) -> bool:
    return "=" not in argument and not argument.startswith("~")


@contextmanager
def _bad_input() -> Iterator[None]:
    """What Hydra refuses is the user's mistake, a line each."""
    try:
        yield
    except InvalidConfig:
        raise
    except BAD_INPUT as error:
        raise InvalidConfig("\n".join(describe_bad_input(error))) from error


def _bears_on_memory(name: str) -> bool:
    """Whether a searched key, or any key of a searched group, bears on a prediction."""
    known = [key for key, _, bearing in bearings(TrialConfig()) if bears_on_prediction(key, bearing)]
    return any(key == name or key.startswith(f"{name}.") or name.startswith(f"{key}.") for key in known)


def _like(config: TrialConfig, base: TrialConfig, completed_base: TrialConfig) -> TrialConfig:
    """A configuration with what the data tell, as the base has it; one with other data is completed by itself."""
    if config.data == base.data and config.task == base.task and config.backbone == base.backbone:
        parts = ("data", "task", "backbone")
        return replace(config, **{part: getattr(completed_base, part) for part in parts})
    return completed(config)[0]


def _predict(configs: list[TrialConfig]) -> ManyPredictions:
    descriptor, name = tempfile.mkstemp(prefix="terrasweep-plan-", suffix=".log")
    os.close(descriptor)
    log = Path(name)
    with LookProgress() as progress:

        def hear(done: int, total: int) -> None:
            progress.hear({"progress": {"what": "Predicting memory", "done": done, "total": total}})

        found = predict_all(configs, _ON, log, hear)
    if not found.refused:
        log.unlink()
    return found


def _rows(allowed: Sequence[tuple[Values, TrialConfig]], found: ManyPredictions) -> list[PlannedConfiguration]:
    return [
        _row(values, config, found.predictions[place], found.refused.get(place, ""))
        for place, (values, config) in enumerate(allowed)
    ]


def _row(values: Values, config: TrialConfig, prediction: Prediction | None, refused: str) -> PlannedConfiguration:
    line = calibrations(_ON, (PEAK_MEMORY.name,))[PEAK_MEMORY.name]
    return PlannedConfiguration(
        searched=values,
        batch_size=config.train.batch_size,
        parts=config.train.accumulate,
        peak=None if prediction is None else _peak(prediction, line),
        note=refused or ("" if prediction is None else " ".join(prediction.notes)),
    )


def _peak(prediction: Prediction, line: Calibration) -> PlannedPeak:
    low, high = line.interval(prediction.peak_memory_mib)
    return PlannedPeak(
        predicted=prediction.peak_memory_mib,
        expected=line.expected(prediction.peak_memory_mib),
        low=low,
        high=high,
        gradients=max((kinds.get(Kind.GRADIENTS, 0.0) for kinds in prediction.on_device.values()), default=0.0),
    )


def _own_limit(config: TrialConfig) -> dict[str, float]:
    own = config.budget.memory_gib
    return {} if own is None else {f"{own:g} GiB": own}


def _notes(found: ManyPredictions, forbidden: int, left_out: list[str], only_ends: list[str]) -> list[str]:
    total, refused = len(found.predictions), len(found.refused)
    line = calibrations(_ON, (PEAK_MEMORY.name,))[PEAK_MEMORY.name]
    learnt = (
        f"{counted(line.pairs, 'trial')} on this machine's GPU" if line.pairs else "defaults: no trial on a GPU yet"
    )
    said = [
        f"{total - refused:,} of {counted(total, 'configuration')} predicted; {found.new:,} were not known before.",
        f"A verdict is of the peak that is expected (calibrated by {learnt}); yes? and no? are within its interval.",
    ]
    if forbidden:
        said.append(f"{counted(forbidden, 'combination')} of the space contradict themselves, and are left out.")
    if left_out:
        said.append(f"Left out, since they don't bear on memory: {listed(left_out, 12)}.")
    if only_ends:
        said.append(f"Of {listed(only_ends, 12)} the ends of the range are taken.")
    reasons = dict.fromkeys(found.refused.values())
    return [*said, *(f"Not predicted: {reason}." for reason in list(reasons)[:5])]
