"""Which trial to run again: the most accurate, the smallest, the fastest, the knee, or the best under limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from terrasweep.measure.accuracy import ACCURACY, TEST_ACCURACY
from terrasweep.report.study_outcome import StudyOutcome, summarize
from terrasweep.report.ties import tie_remarks
from terrasweep.results import pareto
from terrasweep.results.simplicity import complexity
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult

MIB_PER_GIB = 1024


@dataclass(frozen=True)
class Role:
    """One question that a recommendation answers."""

    name: str
    """Name of the configuration in ``recommended/``."""
    title: str
    objective: Objective | None
    """What decides; None for the knee."""


ROLES = (
    Role("most_accurate", "Most accurate", Objective(name="accuracy", direction="maximize")),
    Role("smallest", "Smallest", Objective(name="peak_memory_mib", direction="minimize")),
    Role("fastest", "Fastest", Objective(name="throughput_samples_per_s", direction="maximize")),
    Role("knee", "Knee", None),
)


def choose(outcome: StudyOutcome) -> dict[str, TrialResult]:
    """The trial for each role that some trial qualifies for, by the role's name, in the order of ROLES.

    A role whose measurement is an objective looks at the front alone, another one at all complete trials. Of those that
    can't be told from the best one within the error, the simplest configuration is taken
    (:func:`terrasweep.results.simplicity.complexity`); further ties are broken by the study's objectives in their
    order, then by the trial's number.
    """
    chosen: dict[str, TrialResult] = {}
    for role in ROLES:
        if role.objective is None:
            best = outcome.knee
        else:
            complete = [result for result in outcome.trials if result.state is State.COMPLETE]
            candidates = outcome.front if role.objective in outcome.objectives else complete
            best = _simplest(outcome, candidates, [role.objective, *outcome.objectives])
        if best is not None:
            chosen[role.name] = best
    return chosen


def recommended(record: StudyRecord, results: Sequence[TrialResult], folder: Path) -> list[TrialResult]:
    """The trials of :func:`choose` as they measured themselves, each once.

    Args:
        record: The study.
        results: The study's trials.
        folder: The study's, which holds what was trained beside them.
    """
    outcome = summarize(record, results, folder)
    own = (outcome.own(result) for result in choose(outcome).values())
    return list({id(result): result for result in own}.values())


def recommend(
    record: StudyRecord,
    results: Sequence[TrialResult],
    folder: Path | None = None,
    *,
    memory_gib: float | None,
    min_throughput: float | None,
    min_accuracy: float | None,
) -> TrialResult | None:
    """The most accurate complete trial within limits.

    A trial that lacks a measurement which a limit is about does not qualify; the peak over the build counts against
    the memory where it was measured. Of the trials within the limits that nothing beats and that can't be told from the
    most accurate one, the simplest is taken.

    Args:
        record: The study; its objectives break ties.
        results: The study's trials.
        folder: The study's, which holds what was trained beside its trials; None where that is not asked for.
        memory_gib: Memory at hand, in GiB (2**30 bytes).
        min_throughput: Samples per second needed.
        min_accuracy: Accuracy needed.

    Returns:
        The trial, with values pooled over all that was measured of it; None if no trial qualifies.
    """
    outcome = summarize(record, results, folder)

    def fits(result: TrialResult) -> bool:
        limits = [(result.value("throughput_samples_per_s"), min_throughput), (result.value("accuracy"), min_accuracy)]
        if any(least is not None and (value is None or value < least) for value, least in limits):
            return False
        if memory_gib is None:
            return True
        peaks = [result.value("peak_memory_mib"), result.value("peak_build_mib")]
        return peaks[0] is not None and max(peak for peak in peaks if peak is not None) <= memory_gib * MIB_PER_GIB

    candidates = [result for result in outcome.trials if result.state is State.COMPLETE and fits(result)]
    # What was not made an objective still separates trials of the same accuracy.
    decisive = [role.objective for role in ROLES if role.objective is not None]
    return _simplest(outcome, candidates, [decisive[0], *record.objectives, *decisive[1:]])


def shown_measurements(objectives: Sequence[Objective]) -> list[str]:
    """What a recommendation shows of its trial, by name; the test accuracy beside the accuracy."""
    names = dict.fromkeys([*(o.name for o in objectives), *(r.objective.name for r in ROLES if r.objective)])
    return [shown for name in names for shown in ([name, TEST_ACCURACY.name] if name == ACCURACY.name else [name])]


@dataclass(frozen=True)
class Recommended:
    """A trial, and all that it is recommended for."""

    result: TrialResult
    roles: list[Role]

    @property
    def title(self) -> str:
        """``Most accurate, knee``."""
        return ", ".join([self.roles[0].title, *(role.title.lower() for role in self.roles[1:])])


def by_configuration(outcome: StudyOutcome) -> list[Recommended]:
    """What is recommended, each configuration once, in the order of its first role."""
    roles = {role.name: role for role in ROLES}
    found: list[Recommended] = []
    for name, result in choose(outcome).items():
        known = (other for other in found if outcome.is_same_configuration(other.result, result))
        if (same := next(known, None)) is None:
            found.append(Recommended(result, [roles[name]]))
        else:
            same.roles.append(roles[name])
    return found


def remarks_on(outcome: StudyOutcome, roles: Sequence[Role], result: TrialResult) -> list[str]:
    """What a recommended trial can't be told from, in the objectives that its roles are about and altogether."""
    deciding: list[Objective | None] = [role.objective for role in roles if role.objective in outcome.objectives]
    sentences = [s for objective in deciding or [None] for s in tie_remarks(outcome, result, objective)]
    return list(dict.fromkeys(sentences))


def _simplest(
    outcome: StudyOutcome, candidates: Sequence[TrialResult], order: Sequence[Objective]
) -> TrialResult | None:
    """The best candidate, or the simplest unbeaten one that can't be told from it in the first of the objectives."""
    best = _best(candidates, order)
    if best is None or order[0] not in outcome.objectives:
        return best
    unbeaten = {id(result) for result in (*outcome.front, *outcome.tied)}
    alike = [
        result
        for result in candidates
        if id(result) in unbeaten and not outcome.are_told_apart(order[0].name, result, best)
    ]
    least = min((complexity(result.config) for result in alike), default=None)
    return _best([r for r in alike if complexity(r.config) == least], order) or best


def _best(candidates: Sequence[TrialResult], order: Sequence[Objective]) -> TrialResult | None:
    """The candidate that is best in the first of the objectives, then in the next one, and so on."""
    qualified = [result for result in candidates if pareto.ranked([result], order[:1])]

    def loss(result: TrialResult) -> list[float]:
        values = [(result.value(objective.name), -1 if objective.maximize else 1) for objective in order]
        return [math.inf if value is None else sign * value for value, sign in values]

    return min(qualified, key=loss, default=None)
