"""Trainings of a study that are no proposals of its search: baselines before it, and probes and repeats of its front.

Each has a folder as a trial has, below ``baselines/``, ``confirmations/`` or ``repeats/`` in the study's own.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult

UNSETTLED = ".attempt"
"""A file in the folder of a trial or such a training while its result is not its last word."""
_REPEAT = re.compile(r"(?P<number>\d+)-seed(?P<seed>-?\d+)")
_PROBE = re.compile(r"(?P<number>\d+)-round(?P<place>\d+)")
_MAY_DIFFER = ("trial", "study", "repeats", "probe", "reuse", "confirm", "tracking", "budget")
"""Sections of a configuration that say nothing of what is learnt."""
_KEYS_THAT_MAY_DIFFER = ("seed", "save_weights", "count_flops")
"""Keys of ``train`` in which a repeat may differ from its trial."""


class Role(StrEnum):
    """What such a training is for."""

    BASELINE = "baseline"
    REPEAT = "repeat"
    CONFIRMATION = "confirmation"
    """A probe of memory and speed alone, which count with those of its trial."""

    @property
    def folder(self) -> str:
        """Where these trainings are, below the study's folder."""
        return f"{self}s"

    @property
    def is_training(self) -> bool:
        """Whether it is one of its own, with an accuracy."""
        return self is not Role.CONFIRMATION


def read_extra_results(study: Path, role: Role) -> dict[str, TrialResult]:
    """What the trainings of a role came to, by their names, in the order in which they were begun.

    One that still runs, was interrupted or can't be read is left out.

    Args:
        study: The study's folder.
        role: Whose.
    """
    found: dict[str, TrialResult] = {}
    for file in sorted((study / role.folder).glob("*/result.json")):
        with contextlib.suppress(OSError, ValueError):
            if not file.with_name(UNSETTLED).exists():
                seen = file.stat()
                found[file.parent.name] = _read(file, (seen.st_ino, seen.st_mtime_ns, seen.st_size))
    return dict(sorted(found.items(), key=lambda item: (item[1].started, item[0])))


@functools.lru_cache(maxsize=4096)
def _read(file: Path, state: tuple[int, int, int]) -> TrialResult:
    """The result in a file, parsed once for each ``state`` of it: a sweep asks for all of them at every trial.

    Raises:
        OSError: It is gone.
        ValueError: It can't be read.
    """
    return TrialResult.from_json(file.read_text())


def with_probes(study: Path, trials: Sequence[TrialResult]) -> list[TrialResult]:
    """A study's trials with what probes of the confirmation round have measured of the same memory and speed.

    Args:
        study: The study's folder.
        trials: Its trials; a probe of another configuration than the trial's, by its ``cost_key``, does not count.
    """
    if not (study / Role.CONFIRMATION.folder).is_dir():
        return list(trials)
    probes: dict[int, list[TrialResult]] = {}
    for name, result in read_extra_results(study, Role.CONFIRMATION).items():
        if (known := _PROBE.fullmatch(name)) and result.state is State.COMPLETE:
            probes.setdefault(int(known["number"]), []).append(result)
    return [
        replace(trial, probes=[p.measurements for p in probes[trial.number] if p.cost_key == trial.cost_key])
        if trial.number in probes
        else trial
        for trial in trials
    ]


def probe_name(number: int, place: int) -> str:
    """The folder of a trial's probe in a round, counted from 1."""
    return f"{number}-round{place}"


def probed_trial(name: str) -> int | None:
    """The number of the trial that a probe of this name is of."""
    known = _PROBE.fullmatch(name)
    return None if known is None else int(known["number"])


def repeat_name(number: int, seed: int) -> str:
    """The folder of the repeat of a trial with another seed."""
    return f"{number}-seed{seed}"


def read_repeats(study: Path) -> dict[int, dict[int, TrialResult]]:
    """Trial number to seed to what the trial came to with that seed."""
    found: dict[int, dict[int, TrialResult]] = {}
    for name, result in read_extra_results(study, Role.REPEAT).items():
        if known := _REPEAT.fullmatch(name):
            found.setdefault(int(known["number"]), {})[int(known["seed"])] = result
    return {number: dict(sorted(seeds.items())) for number, seeds in sorted(found.items())}


def of_other_seeds(study: Path, trials: Sequence[TrialResult]) -> dict[int, dict[int, dict[str, float]]]:
    """Trial number to seed to the accuracy and the metrics with that seed; the trial's own seed is not among them.

    A repeat of another configuration than the trial's, as after a key of the study was changed in between, does not
    count.

    Args:
        study: The study's folder.
        trials: The study's trials.
    """
    known = {trial.number: trial for trial in trials}
    repeats = {number: by_seed for number, by_seed in read_repeats(study).items() if number in known}
    learned = {number: _learned(known[number], by_seed) for number, by_seed in repeats.items()}
    return {number: by_seed for number, by_seed in learned.items() if by_seed}


def accuracies_of_other_seeds(study: Path, trials: Sequence[TrialResult]) -> dict[int, dict[int, float]]:
    """Trial number to seed to the accuracy with that seed, of each trial that :func:`of_other_seeds` knows some of.

    Trials whose accuracies are the same by their ``quality_key`` share their repeats.
    """
    keys = {trial.number: quality_of(trial) for trial in trials}
    of_key: dict[str, dict[int, float]] = {}
    for number, by_seed in of_other_seeds(study, trials).items():
        accuracies = {seed: learned["accuracy"] for seed, learned in by_seed.items() if "accuracy" in learned}
        of_key.setdefault(keys[number], {}).update(accuracies)
    shared = {number: of_key[key] for number, key in keys.items() if number is not None and key in of_key}
    return {number: dict(sorted(by_seed.items())) for number, by_seed in shared.items()}


def quality_of(trial: TrialResult) -> str:
    """What trials with the same accuracy have in common; a trial without a key has only itself."""
    return trial.quality_key or f"trial {trial.number}"


def _learned(trial: TrialResult, by_seed: Mapping[int, TrialResult]) -> dict[int, dict[str, float]]:
    complete = {seed: result for seed, result in by_seed.items() if result.state is State.COMPLETE}
    own = _set_to(trial.config)
    same = {seed: result for seed, result in complete.items() if _set_to(result.config) == own}
    return {seed: _numbers(result) for seed, result in same.items()}


def _numbers(result: TrialResult) -> dict[str, float]:
    accuracy = result.value("accuracy")
    return dict(result.metrics) if accuracy is None else {"accuracy": accuracy, **result.metrics}


def _set_to(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a configuration a repeat has in common with its trial."""
    own = {name: section for name, section in config.items() if name not in _MAY_DIFFER}
    train: Mapping[str, Any] = own.get("train", {})
    return own | {"train": {key: value for key, value in train.items() if key not in _KEYS_THAT_MAY_DIFFER}}
