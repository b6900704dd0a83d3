"""The results of trials of which something was known: what other trials have measured, each number with its source."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from terrasweep.config.schema import TrialConfig
from terrasweep.machine.files import draft_folder
from terrasweep.machine.paths import WEIGHTS
from terrasweep.measure.catalog import MEASUREMENTS
from terrasweep.measure.durations import WALL_SECONDS
from terrasweep.measure.learning_curves import VAL_SECONDS
from terrasweep.results.measurements import Measured, Measurements
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.trial.known import Known, Source


def verified(config: TrialConfig, known: Known) -> str:
    """The trial whose accuracy is known and is to be trained again here; empty where none is.

    A share ``reuse.verify`` of the trials is drawn for it by their numbers, the same at each start.
    """
    if known.accuracy is None or is_ended(known):
        return ""
    drawn = hashlib.sha256(f"{config.study.seed} {config.trial.number}".encode()).digest()
    return known.accuracy.name if int.from_bytes(drawn[:8]) < config.reuse.verify * 2**64 else ""


def is_answered(known: Known) -> bool:
    """Whether nothing is left to measure: both is known, or that it can't complete."""
    return is_ended(known) or (known.accuracy is not None and known.cost is not None)


def is_ended(known: Known) -> bool:
    """Whether it is known that the trial can't complete: it diverges, or it does not fit."""
    return any(s is not None and s.result.state is not State.COMPLETE for s in (known.accuracy, known.cost))


def describe_answer(known: Known) -> str:
    """What a trial's log says where no process ran for it."""
    sources = {"accuracy": known.accuracy, "memory and speed": known.cost}
    named = (f"{what} of trial {source.name}" for what, source in sources.items() if source is not None)
    return f"answered without being run: {', '.join(named)}\n"


def with_known(measured: TrialResult, known: Known) -> TrialResult:
    """A trial's result with what was known of it.

    Args:
        measured: What its own process has measured; of a trial that is answered, nothing.
        known: What was not measured again.
    """
    if not is_answered(known):
        return measured if known.accuracy is None else _with_accuracy(measured, known.accuracy)
    for source, is_accuracy in ((known.cost, False), (known.accuracy, True)):
        if source is not None and source.result.state is not State.COMPLETE:
            return _as_ended(measured, source, is_accuracy=is_accuracy)
    assert known.cost is not None
    assert known.accuracy is not None
    return _with_accuracy(_with_cost(measured, known.cost), known.accuracy)


def share_weights(source: Path, folder: Path) -> None:
    """Let a trial have the weights that were trained for it elsewhere, where they were kept, without another copy.

    Args:
        source: The folder of the trial that was trained.
        folder: The other trial's.
    """
    trained = source / WEIGHTS
    with contextlib.suppress(FileNotFoundError):  # They were not kept, or go at this moment.
        files = [file for file in sorted(trained.rglob("*")) if file.is_file()]
        if files:
            with draft_folder(folder / WEIGHTS) as draft:
                for file in files:
                    shared = draft / file.relative_to(trained)
                    shared.parent.mkdir(parents=True, exist_ok=True)
                    _link(file, shared)


def _link(file: Path, shared: Path) -> None:
    try:
        shared.hardlink_to(file)
    except FileNotFoundError:
        raise
    except OSError:  # Another file system, or one without links.
        shutil.copy2(file, shared)


def _with_accuracy(measured: TrialResult, source: Source) -> TrialResult:
    """With what a quality key tells; of the training itself only where memory and speed are the source's, too."""
    known, is_same = source.result, measured.cost_from == source.name
    if measured.state is not State.COMPLETE:
        return measured
    own = _chosen(measured.measurements, of_quality=False) | {
        name: known.measurements.get(name) if is_same else None
        for name, measurement in MEASUREMENTS.items()
        if measurement.of_whole_training and name != WALL_SECONDS.name
    }
    curves = {name: curve for name, curve in known.curves.items() if is_same or name != VAL_SECONDS}
    return replace(
        measured,
        measurements=_ordered(own | _chosen(known.measurements, of_quality=True)),
        metrics=known.metrics,
        curves=curves,
        confusion=known.confusion,
        message=known.message,
        accuracy_from=source.name,
    )


def _with_cost(measured: TrialResult, source: Source) -> TrialResult:
    """With what a cost key tells: memory, speed, and the model that they are of."""
    known = source.result
    own = {WALL_SECONDS.name: measured.measurements.get(WALL_SECONDS.name)}
    return replace(
        measured,
        state=State.COMPLETE,
        measurements=_ordered(_chosen(known.measurements, of_quality=False) | own),
        touched=known.touched,
        sensitivity=known.sensitivity,
        plan=known.plan,
        device=known.device,
        arithmetic=known.arithmetic,
        cost_from=source.name,
    )


def _as_ended(measured: TrialResult, source: Source, *, is_accuracy: bool) -> TrialResult:
    """The end that another trial came to, which can't be another one here."""
    known = source.result
    ended = replace(
        _with_cost(measured, source),
        state=known.state,
        reason=known.reason,
        message=f"as trial {source.name}: {known.message}",
        violation=known.violation,
    )
    return replace(ended, accuracy_from=source.name, cost_from="") if is_accuracy else ended


def _chosen(measurements: Mapping[str, Measured], *, of_quality: bool) -> dict[str, Measured]:
    return {
        name: value
        for name, value in measurements.items()
        if name in MEASUREMENTS and MEASUREMENTS[name].of_quality == of_quality
    }


def _ordered(measured: Mapping[str, Measured]) -> Measurements:
    return {name: measured.get(name) for name in MEASUREMENTS}
