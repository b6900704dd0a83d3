"""What can't be told from a trial within the errors, in words."""

from __future__ import annotations

import math

from terrasweep.measure.catalog import measurement_or_metric
from terrasweep.report.labels import trial_name
from terrasweep.report.study_outcome import StudyOutcome
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import listed, percent, significant, with_unit

EQUALLY = {
    "accuracy": "as accurate as",
    "throughput_samples_per_s": "as fast as",
    "peak_memory_mib": "as small as",
}
BETTER = {"accuracy": "more accurate", "throughput_samples_per_s": "faster", "peak_memory_mib": "smaller"}
NAMED = 2
"""How many trials a recommendation is compared with, those that gain most first."""


def tie_remarks(outcome: StudyOutcome, result: TrialResult, deciding: Objective | None = None) -> list[str]:
    """Sentences on what a trial of the front can't be told from.

    Args:
        outcome: The study.
        result: One of its trials.
        deciding: An objective of the study for which the trial is recommended: others of the front that can't be told
            from it in this one are named with what they gain in another one, and so may be the better choice.

    Returns:
        ``As accurate as trial 19 within the error, which is 35 % faster.``, then the trials that are one point with it.
    """
    remarks = [] if deciding is None else _rivals(outcome, result, deciding)
    same = {other.number for other in outcome.tied_with(result) if outcome.is_same_configuration(result, other)}
    tied = [other for other in outcome.tied_with(result) if other.number not in same]
    if tied:
        remarks.append(f"{_trials(tied)} can't be told from it within the errors.")
    if same:
        twins = [other for other in outcome.tied_with(result) if other.number in same]
        remarks.append(f"{_trials(twins)} {'is' if len(twins) == 1 else 'are'} the same configuration.")
    return remarks


def front_ties(outcome: StudyOutcome) -> list[str]:
    """A sentence per trial of the front that stands for others."""
    stands = ((result, outcome.tied_with(result)) for result in outcome.front)
    return [
        f"{trial_name(result).capitalize()} stands for {_trials(tied, capital=False)}: the same within the errors in "
        "every objective."
        for result, tied in stands
        if tied
    ]


def resolution_note(outcome: StudyOutcome) -> str:
    """How large a difference has to be to be told; empty where no error is known."""
    told, unknown = [], []
    for objective in outcome.objectives:
        size = outcome.comparison.resolutions.get(objective.name, 0.0)
        if size:
            told.append(f"{_size(outcome, objective.name, size)} in {_label(objective.name)}")
        elif not _is_exact(outcome, objective):
            unknown.append(_label(objective.name))
    if not told:
        return ""
    taken = f" The error of {listed(unknown)} is unknown, so that any difference counts." if unknown else ""
    return f"Told apart are differences of more than {', '.join(told)}.{taken}"


def _is_exact(outcome: StudyOutcome, objective: Objective) -> bool:
    """Whether an objective is known to have no error, such as a count or a peak that comes out the same each time."""
    found = (outcome.estimate(result, objective.name) for result in outcome.front)
    return any(e is not None and e.standard_error == 0.0 for e in found)


def _rivals(outcome: StudyOutcome, result: TrialResult, deciding: Objective) -> list[str]:
    others = [o for o in outcome.objectives if o.name != deciding.name]
    found: list[tuple[float, str]] = []
    for rival in outcome.front:
        if rival is result or outcome.are_told_apart(deciding.name, rival, result):
            continue
        gains = [
            (_gain(o, rival, result), _better(o, rival, result)) for o in others if _wins(outcome, o, rival, result)
        ]
        if gains:
            within = "" if rival.value(deciding.name) == result.value(deciding.name) else " within the error"
            equally = EQUALLY.get(deciding.name, f"as good in {_label(deciding.name)} as")
            best = max(gains)
            found.append((best[0], f"{equally.capitalize()} {trial_name(rival)}{within}, which is {best[1]}."))
    return [text for _, text in sorted(found, reverse=True)[:NAMED]]


def _wins(outcome: StudyOutcome, objective: Objective, rival: TrialResult, result: TrialResult) -> bool:
    """Whether a rival is better in an objective beyond the errors."""
    ahead = (rival.value(objective.name) or 0.0) - (result.value(objective.name) or 0.0)
    better = ahead > 0 if objective.maximize else ahead < 0
    return better and outcome.are_told_apart(objective.name, rival, result)


def _gain(objective: Objective, rival: TrialResult, result: TrialResult) -> float:
    """By how much a rival is better, relative to what it is compared with."""
    there, here = rival.value(objective.name) or 0.0, result.value(objective.name) or 0.0
    return abs(there - here) / abs(here) if here else 1.0


def _better(objective: Objective, rival: TrialResult, result: TrialResult) -> str:
    """``35 % faster``; an accuracy, and what is measured from no zero, by its difference."""
    there, here = rival.value(objective.name) or 0.0, result.value(objective.name) or 0.0
    share = objective.name != "accuracy" and min(there, here) > 0
    unit = measurement_or_metric(objective.name).unit_symbol
    apart = float(significant(abs(there - here), 2))
    amount = percent(_gain(objective, rival, result)) if share else with_unit(apart, unit)
    if objective.name in BETTER:
        return f"{amount} {BETTER[objective.name]}"
    return f"better by {amount} in {_label(objective.name)}"


def _size(outcome: StudyOutcome, name: str, size: float) -> str:
    """A resolution; one of logarithms as a share."""
    if outcome.comparison.relative[name]:
        return percent(math.expm1(size))
    return with_unit(float(significant(size, 2)), measurement_or_metric(name).unit_symbol)


def _label(name: str) -> str:
    return measurement_or_metric(name).label


def _trials(results: list[TrialResult], *, capital: bool = True) -> str:
    numbers = listed(("?" if r.number is None else r.number for r in results), named=8)
    text = f"trial {numbers}" if len(results) == 1 else f"trials {numbers}"
    return text.capitalize() if capital else text
