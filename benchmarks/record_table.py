"""Makes a table that ``search.py`` replays out of a study: each configuration, its numbers, and what it really costs.

    python sweep.py -m study.name=mine hydra/sweeper/sampler=grid ...
    python benchmarks/record_table.py mine mine.csv
    python benchmarks/search.py --table mine.csv

The study's own reuse has trained each mathematics once, and probed the rest: what trials share by their keys stands in
the rows of all. How the seconds follow is in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.search_table import BadTable, Row, Settings, Table, identity, write_table

from terrasweep.config.knobs.knob import COST, QUALITY
from terrasweep.config.train import TrainConfig
from terrasweep.measure.durations import EVALUATE_SECONDS, FIT_SECONDS, WALL_SECONDS
from terrasweep.measure.peak_memory import PEAK_MEMORY
from terrasweep.measure.throughput import THROUGHPUT, TRAIN_SECONDS
from terrasweep.report.tables import as_text
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.estimates import estimate, with_pooled_values
from terrasweep.results.extra_trainings import Role, read_extra_results
from terrasweep.results.states import Reason, State
from terrasweep.results.study_record import StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.factored.quantities import BearsOn
from terrasweep.study.factored_search import MIB_PER_GIB, objective_quantity, searched_bearing
from terrasweep.study.folder import open_existing
from terrasweep.study.search_space import SearchKey, parse_space

DIGITS = 6
"""Significant ones, of what is written."""
PARTS = "train.accumulate"
"""Bears on the accuracy where a layer takes statistics of a batch."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("study", help="its name, as in results/STUDY")
    options.add_argument("file", type=Path, help="FILE.csv; FILE.json goes beside it")
    given = options.parse_args()
    try:
        folder = open_existing(given.study)
        baselines = read_extra_results(folder.path, Role.BASELINE)
        table = study_table(folder.known, folder.results(), baselines, given.file.stem)
    except (BadTable, InvalidConfig) as error:
        sys.exit(str(error))
    write_table(table, given.file)
    print(describe(table))


def describe(table: Table) -> str:
    """How many configurations there are of how many, and between which values their objectives lie."""
    complete = [values for values in map(table.values, table.rows) if values is not None]
    ends = [
        f"{name} {min(column):.4g} to {max(column):.4g}"
        for name, column in zip(table.objectives, zip(*complete, strict=True), strict=True)
    ]
    shared = [len({_of(row.settings, keys) for row in table.rows}) for keys in (table.quality, table.cost)]
    return (
        f"{len(table.rows)} configurations of {combinations(table)}, {len(complete)} of them complete; {shared[0]} "
        f"differ in what bears on the accuracy, {shared[1]} in what bears on memory and speed; {', '.join(ends)}"
    )


def combinations(table: Table) -> int:
    """How many configurations the values of a table's keys make, by its conditions."""
    partial: list[Settings] = [{}]
    for key, values in table.choices().items():
        partial = [
            settings | ({key: value} if active else {})
            for settings in partial
            for active in [table.is_active(key, settings)]
            for value in (values if active else [None])
        ]
    return len(partial)


def study_table(
    record: StudyRecord, trials: Sequence[TrialResult], baselines: Mapping[str, TrialResult], name: str
) -> Table:
    """A study as a table.

    Args:
        record: The study's.
        trials: Those that have ended.
        baselines: What was trained before them, by name: trials may have their accuracy.
        name: The table's.

    Raises:
        BadTable: Nothing completed, or the trials don't belong together.
    """
    own = [result for result in trials if _is_answer(result)]
    space = parse_space(record.space, [])
    quality, cost = bearing_keys(space.keys, own)
    pooled = with_pooled_values(own, estimate(own, record.objectives))
    seconds = StudySeconds(record=record, trials=own, baselines=baselines)
    rows: dict[Any, Row] = {}
    for result in pooled:
        settings = {key: value for key, value in _settings(result).items() if key in quality | cost}
        rows.setdefault(identity(settings), _row(result, settings, record, seconds))
    limits = {result.config.get("budget", {}).get("memory_gib") for result in own}
    return Table(
        name=name,
        rows=list(rows.values()),
        quality=quality,
        cost=cost,
        objectives={objective.name: objective.maximize for objective in record.objectives},
        of_quality=frozenset(o.name for o in record.objectives if objective_quantity(o).of is BearsOn.QUALITY),
        limits={PEAK_MEMORY.name: MIB_PER_GIB * max(limits)} if limits and None not in limits else {},
        conditions=_conditions(space.keys, quality | cost, own),
    )


def bearing_keys(keys: Sequence[SearchKey], trials: Sequence[TrialResult]) -> tuple[frozenset[str], frozenset[str]]:
    """The searched keys that bear on the accuracy, and those that bear on memory and speed.

    Raises:
        BadTable: Trials differ in more than the keys, as after a change of the code in between.
    """
    bearings = {key.name: searched_bearing(key.name, is_group="." not in key.name) for key in keys}
    quality, cost = set(), {name for name, bearing in bearings.items() if bearing.numbers & COST}
    for name, bearing in bearings.items():
        found = [trial.searched[name] for trial in trials if name in trial.searched]
        rounding = bearing.rounding
        if QUALITY in bearing.numbers or (rounding is not None and len({rounding(value) for value in found}) > 1):
            quality.add(name)
    if PARTS in cost and _differing(quality, trials):
        quality.add(PARTS)
    if pair := _differing(quality, trials):
        raise BadTable(
            f"trials {pair[0]} and {pair[1]} have the same settings, but something else that bears on their accuracy "
            "differs: the data, the code or the libraries have changed in between; record the study anew"
        )
    return frozenset(quality), frozenset(cost)


def _differing(quality: set[str], trials: Sequence[TrialResult]) -> tuple[int | None, int | None] | None:
    """Two trials with the same settings of these keys that don't share their accuracy; None where there are none."""
    first: dict[Any, TrialResult] = {}
    for trial in (trial for trial in trials if trial.state is State.COMPLETE):
        other = first.setdefault(_of(_settings(trial), quality), trial)
        if trial.quality_key != other.quality_key:
            return other.number, trial.number
    return None


@dataclass(frozen=True, kw_only=True)
class StudySeconds:
    """What each configuration of a study costs, by what was trained and probed of it."""

    record: StudyRecord
    trials: Sequence[TrialResult]
    """As they measured themselves."""
    baselines: Mapping[str, TrialResult]

    def of_training(self, result: TrialResult) -> float:
        """Seconds of training it as a whole: of the training with its accuracy, with the fit at its own speed.

        Raises:
            BadTable: That training is not in this study.
        """
        trained = self._trained(lambda t: t.quality_key == result.quality_key)
        if trained is None:
            raise BadTable(
                f"trial {result.number}: its accuracy is of {result.accuracy_from}, whose seconds are in another "
                "study; record a study without reuse.studies"
            )
        return _number(trained, WALL_SECONDS.name) + _number(trained, FIT_SECONDS.name) * (
            _number(trained, THROUGHPUT.name) / _number(result, THROUGHPUT.name) - 1
        )

    def of_probe(self, result: TrialResult) -> float:
        """Seconds of probing it: the median of its probes, else those of a training without what a probe leaves out.

        Raises:
            BadTable: Neither is in this study.
        """
        probes = list(self._probes(result.cost_key))
        if probes:
            return statistics.median(probes)
        trained = self._trained(lambda t: t.cost_key == result.cost_key)
        if trained is None:
            raise BadTable(
                f"trial {result.number}: its memory and speed are of {result.cost_from}, whose seconds are in another "
                "study; record a study without reuse.studies"
            )
        return probe_like(trained, self._evaluated_share(trained))

    def until_its_end(self, result: TrialResult) -> float:
        """Seconds that a trial took which did not complete, or the one by which its end was known."""
        named = {str(trial.number): trial for trial in self.trials}
        named |= {f"baselines/{name}": trial for name, trial in self.baselines.items()}
        return _number(named.get(result.accuracy_from or result.cost_from, result), WALL_SECONDS.name)

    def _trained(self, wanted: Any) -> TrialResult | None:
        trainings = (t for t in (*self.trials, *self.baselines.values()) if _is_training(t))
        return next((t for t in trainings if wanted(t)), None)

    def _probes(self, cost_key: str) -> Iterator[float]:
        for trial in self.trials:
            if trial.cost_key == cost_key and trial.state is State.COMPLETE:
                if trial.accuracy_from and not trial.cost_from:
                    yield _number(trial, WALL_SECONDS.name)
                yield from (float(s) for p in trial.probes if isinstance(s := p.get(WALL_SECONDS.name), float))

    def _evaluated_share(self, trained: TrialResult) -> float:
        """Which part of the validation split a probe evaluates; all where the split's size is not known."""
        sizes = [s["samples"] for s in self.record.data.get("splits", []) if s["name"] == "val" and s["samples"]]
        train = TrainConfig(batch_size=trained.config["train"]["batch_size"])
        batches = trained.config["probe"]["evaluation_batches"]
        return min([1.0, *(batches * train.evaluated_at_once / size for size in sizes)])


def probe_like(trained: TrialResult, evaluated: float) -> float:
    """Seconds that a training would have taken as a probe.

    Args:
        trained: It.
        evaluated: The part of the validation split that a probe evaluates.
    """
    steps = round(
        _number(trained, TRAIN_SECONDS.name) * _number(trained, THROUGHPUT.name) / trained.config["train"]["batch_size"]
    )
    left_out = max(0.0, 1.0 - trained.config["probe"]["steps"] / steps) * _number(trained, TRAIN_SECONDS.name)
    return _number(trained, WALL_SECONDS.name) - left_out - (1.0 - evaluated) * _number(trained, EVALUATE_SECONDS.name)


def _row(result: TrialResult, settings: Settings, record: StudyRecord, seconds: StudySeconds) -> Row:
    names = [objective.name for objective in record.objectives]
    values = result.objective_values(names)
    measured = {} if values is None else dict(zip(names, values, strict=True))
    if (peak := result.value(PEAK_MEMORY.name)) is not None:
        measured[PEAK_MEMORY.name] = peak
    ended = seconds.until_its_end(result) if values is None else 0.0
    return Row(
        settings=settings,
        measured={name: _rounded(value) for name, value in measured.items()},
        train_seconds=_rounded(ended or seconds.of_training(result)),
        probe_seconds=_rounded(ended or seconds.of_probe(result)),
    )


def _conditions(
    keys: Sequence[SearchKey], searched: frozenset[str], trials: Sequence[TrialResult]
) -> dict[str, dict[str, list[Any]]]:
    """Key to the values of other searched keys with which it is active; null stands for a key that is not."""
    seen: dict[str, list[Any]] = {name: [None] for name in searched}
    for settings in map(_settings, trials):
        for name, value in settings.items():
            if name in seen and value not in seen[name]:
                seen[name].append(value)
    found = {
        key.name: {c.key: [v for v in seen[c.key] if c.holds(v)] for c in key.conditions if c.key in searched}
        for key in keys
        if key.name in searched
    }
    return {name: on for name, on in found.items() if on}


def _is_answer(result: TrialResult) -> bool:
    """Whether it says something of its configuration: it completed, does not fit, or diverges."""
    return result.state in (State.COMPLETE, State.INFEASIBLE) and result.reason is not Reason.OOM_HOST


def _is_training(result: TrialResult) -> bool:
    return result.state is State.COMPLETE and not result.accuracy_from and result.value(FIT_SECONDS.name) is not None


def _settings(result: TrialResult) -> Settings:
    """The searched values as a table's cells hold them: numbers and texts."""
    plain = (int, float, str)
    return {
        k: v if isinstance(v, plain) and not isinstance(v, bool) else as_text(v) for k, v in result.searched.items()
    }


def _of(settings: Settings, keys: frozenset[str] | set[str]) -> tuple[tuple[str, str], ...]:
    return identity({key: value for key, value in settings.items() if key in keys})


def _number(result: TrialResult, name: str) -> float:
    value = result.value(name)
    if value is None:
        raise BadTable(f"trial {result.number}: {name} was not measured; record a study in which it is")
    return value


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else value


if __name__ == "__main__":
    main()
