"""What a trial gains beside a baseline, and what it pays for it, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terrasweep.measure.accuracy import ACCURACY
from terrasweep.measure.catalog import measurement_or_metric
from terrasweep.measure.peak_memory import PEAK_MEMORY
from terrasweep.measure.throughput import THROUGHPUT
from terrasweep.report.labels import label, trial_name
from terrasweep.report.recommendations import by_configuration, shown_measurements
from terrasweep.report.study_outcome import StudyOutcome, summarize
from terrasweep.report.tables import searched_text
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import rounded, two_digits

Alike = Callable[[str, float, float], bool]
"""Whether two values of a measurement, by its name, are the same within the error."""

_ALWAYS = (
    Objective(name=PEAK_MEMORY.name, direction="minimize"),
    Objective(name=ACCURACY.name, direction="maximize"),
    Objective(name=THROUGHPUT.name, direction="maximize"),
)
_WORDS = {PEAK_MEMORY.name: "memory", THROUGHPUT.name: "speed"}
_OF_A_DEVICE = (PEAK_MEMORY.name, THROUGHPUT.name)
ON_ANOTHER_DEVICE = "memory and speed were measured on another device"


@dataclass(frozen=True, kw_only=True)
class Differences:
    """A trial beside a baseline, in words that make a sentence."""

    gains: tuple[str, ...]
    costs: tuple[str, ...]
    same: tuple[str, ...]
    """What is the same within the error, by its name."""


def compare(
    result: TrialResult, baseline: TrialResult, objectives: Sequence[Objective] = (), alike: Alike | None = None
) -> str:
    """A trial beside a baseline: ``62 % less memory and 0.4 points of accuracy for 9 % of the speed``.

    Shares are of what the baseline has, points are hundredths of the accuracy.

    Args:
        result: A complete trial.
        baseline: A complete baseline.
        objectives: The study's; memory, accuracy and speed are compared in any case.
        alike: Whether two values are the same within the error; without it, where they are equal.

    Returns:
        A part of a sentence; empty where nothing was measured of both.
    """
    found = differences(result, baseline, objectives, alike)
    same = f"the same {_and(found.same)}{' within the error' if alike else ''}" if found.same else ""
    if found.gains:
        said = f"{_and(found.gains)} {f'for {_and(found.costs)}' if found.costs else 'at no cost'}"
    elif found.costs:
        said = f"nothing for {_and(found.costs)}"
    else:
        return same
    other = [f"with {same}"] * bool(same) + [ON_ANOTHER_DEVICE] * _on_another_device(result, baseline)
    return ", ".join([said, *other])


def differences(
    result: TrialResult, baseline: TrialResult, objectives: Sequence[Objective] = (), alike: Alike | None = None
) -> Differences:
    """What :func:`compare` makes a sentence of."""
    kinds: dict[str, list[str]] = {"gain": [], "cost": [], "same": []}
    for objective in {objective.name: objective for objective in (*_ALWAYS, *objectives)}.values():
        name = objective.name
        own, other = result.value(name), baseline.value(name)
        if own is None or other is None or (name in _OF_A_DEVICE and _on_another_device(result, baseline)):
            continue
        if own == other or (alike is not None and alike(name, own, other)):
            kinds["same"].append(_word(name))
        else:
            gained = (own > other) == objective.maximize
            kinds["gain" if gained else "cost"].append(_said(objective, own, other, gained=gained))
    return Differences(gains=tuple(kinds["gain"]), costs=tuple(kinds["cost"]), same=tuple(kinds["same"]))


def beside_baselines(
    result: TrialResult,
    baselines: Mapping[str, TrialResult],
    objectives: Sequence[Objective],
    alike: Alike | None = None,
) -> list[tuple[str, str]]:
    """Name to :func:`compare` for each complete baseline."""
    complete = {name: baseline for name, baseline in baselines.items() if baseline.state is State.COMPLETE}
    compared = {name: compare(result, baseline, objectives, alike) for name, baseline in complete.items()}
    return [(name, said) for name, said in compared.items() if said]


def lines_beside(
    result: TrialResult,
    baselines: Mapping[str, TrialResult],
    objectives: Sequence[Objective],
    alike: Alike | None = None,
) -> list[str]:
    """The same as sentences that begin with ``Beside the baseline``."""
    compared = beside_baselines(result, baselines, objectives, alike)
    return [f"Beside the baseline {name}: {said}." for name, said in compared]


def baseline_lines(folder: Path, record: StudyRecord, results: Sequence[TrialResult]) -> list[str]:
    """What a terminal says at a study's end: a line per baseline that did not complete, and per recommended trial.

    Args:
        folder: The study's.
        record: The study.
        results: Its trials, which stand beside the first baseline that is complete.
    """
    outcome = summarize(record, results, folder)
    lines = [f"baseline {name}: {why_not(result)}" for name, result in outcome.baselines.items() if why_not(result)]
    lines += [f"baseline {name}: left out: {' '.join(why.split())}" for name, why in left_out(outcome).items()]
    for card in by_configuration(outcome):
        roles = ", ".join(role.name.replace("_", " ") for role in card.roles)
        compared = beside_baselines(card.result, outcome.baselines, outcome.objectives, outcome.alike)
        for name, said in compared[:1]:
            lines.append(f"{trial_name(card.result)} ({roles}) beside the baseline {name}: {said}")
    return lines


def why_not(baseline: TrialResult) -> str:
    """Why there is nothing to compare with: state, reason and message; empty for a complete one."""
    if baseline.state is State.COMPLETE:
        return ""
    return f"{baseline.state} ({baseline.reason}): {' '.join(baseline.message.split())}"


def left_out(outcome: StudyOutcome) -> dict[str, str]:
    """The default baselines that do not go with the study, by name: why."""
    return {name: why for name, why in outcome.record.left_out.items() if name not in outcome.baselines}


def baseline_rows(outcome: StudyOutcome) -> list[dict[str, Any]]:
    """The baselines for a table: name, settings, how it ended or that it was left out, and its numbers."""
    names = shown_measurements(outcome.objectives)
    measured = [
        {
            "name": name,
            "settings": " ".join(f"{key}={searched_text(result, key)}" for key in result.searched),
            "state": str(result.state),
            "left_out": False,
            "reason": str(result.reason or ""),
            "message": result.message,
            "values": [
                (label(each, result.accuracy_name), rounded(value))
                for each in names
                if result.state is State.COMPLETE and (value := result.value(each)) is not None
            ],
        }
        for name, result in outcome.baselines.items()
    ]
    unmeasured: dict[str, Any] = {"settings": "", "state": "left out", "left_out": True, "reason": "", "values": []}
    return [*measured, *({**unmeasured, "name": name, "message": why} for name, why in left_out(outcome).items())]


def _said(objective: Objective, own: float, other: float, *, gained: bool) -> str:
    """One difference: ``9 % of the speed``."""
    if objective.name == ACCURACY.name:
        points = two_digits(100 * abs(own - other))
        return f"{points} point{'' if points == '1' else 's'} of accuracy"
    measurement, word = measurement_or_metric(objective.name), _word(objective.name)
    share = two_digits(100 * abs(own - other) / abs(other)) + " %" if other else None
    amount = share or f"{rounded(abs(own - other))} {measurement.unit_symbol}".rstrip()
    if objective.maximize:
        return f"{amount} more {word}" if gained else f"{amount} of the {word}"
    return f"{amount} less {word}" if gained else f"{amount} more {word}"


def _word(name: str) -> str:
    return _WORDS.get(name) or measurement_or_metric(name).label


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _on_another_device(result: TrialResult, baseline: TrialResult) -> bool:
    return bool(result.device and baseline.device and result.device != baseline.device)
