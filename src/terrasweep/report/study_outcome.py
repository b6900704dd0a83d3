"""A study as the report sees it: its trials in order, the front, the knee and the hypervolume's history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from terrasweep.results import pareto
from terrasweep.results.extra_trainings import Role, accuracies_of_other_seeds, read_extra_results
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult


@dataclass(frozen=True)
class StudyOutcome:
    """The trials of a study and what follows from them."""

    record: StudyRecord
    trials: list[TrialResult]
    """All trials by number; one without a number comes last."""
    baselines: Mapping[str, TrialResult] = field(default_factory=dict)
    """What was measured before the search to compare with, by name."""
    other_seeds: Mapping[int, Mapping[int, float]] = field(default_factory=dict)
    """Trial number to seed to accuracy, of the trials that were trained again with other seeds."""

    @property
    def objectives(self) -> list[Objective]:
        """The study's objectives, in its order."""
        return self.record.objectives

    @property
    def maximize(self) -> list[bool]:
        """Per objective whether more is better."""
        return [objective.maximize for objective in self.objectives]

    @cached_property
    def ranked(self) -> list[TrialResult]:
        """The complete trials with all their objectives."""
        return pareto.ranked(self.trials, self.objectives)

    @cached_property
    def front(self) -> list[TrialResult]:
        """The trials that no other one dominates, over all objectives."""
        return pareto.front_of(self.trials, self.objectives)

    @cached_property
    def dominated(self) -> list[TrialResult]:
        """The complete trials off the front."""
        members = {id(result) for result in self.front}
        return [result for result in self.ranked if id(result) not in members]

    @cached_property
    def knee(self) -> TrialResult | None:
        """The front's best compromise; None while there is no front."""
        if not self.front:
            return None
        return self.front[pareto.knee(pareto.objective_matrix(self.front, self.objectives), self.maximize)]

    @cached_property
    def reference(self) -> dict[str, tuple[float, float]]:
        """The hypervolume's reference: the record's, else what the first complete trial gives; empty without one."""
        if all(objective.name in self.record.reference for objective in self.objectives):
            return self.record.reference
        return pareto.fix_reference(self.ranked[0], self.objectives) if self.ranked else {}

    @cached_property
    def hypervolume(self) -> list[float]:
        """The hypervolume after each of the trials; empty without a complete one."""
        if not self.ranked:
            return []
        rankable = {id(result) for result in self.ranked}
        names = [objective.name for objective in self.objectives]
        rows = [result.objective_values(names) if id(result) in rankable else None for result in self.trials]
        return pareto.hypervolume_history(rows, self.maximize, [self.reference[name] for name in names])

    @cached_property
    def counts(self) -> dict[State, int]:
        """Number of trials per state; states without a trial are left out."""
        counted = Counter(result.state for result in self.trials)
        return {state: counted[state] for state in State if counted[state]}

    @cached_property
    def accuracy_name(self) -> str | None:
        """The metric behind ``accuracy``, where all trials agree on it."""
        names = {result.accuracy_name for result in self.trials} - {None}
        return names.pop() if len(names) == 1 else None

    @cached_property
    def devices(self) -> list[str]:
        """The devices that trials ran on, in order of appearance."""
        return list(dict.fromkeys(result.device for result in self.trials if result.device))

    @cached_property
    def searched_keys(self) -> list[str]:
        """The searched keys in the record's order, then any that only trials have."""
        return list(dict.fromkeys([*self.record.space, *(key for result in self.trials for key in result.searched)]))

    def pair_front(self, first: int, second: int) -> list[TrialResult]:
        """The front over two of the objectives alone, by the second one's value."""
        pair = [self.objectives[first], self.objectives[second]]
        members = pareto.front_of(self.ranked, pair)
        return sorted(members, key=lambda result: result.value(pair[1].name) or 0.0)


def summarize(record: StudyRecord, results: Sequence[TrialResult], folder: Path | None = None) -> StudyOutcome:
    """Bring a study's trials into order.

    Args:
        record: The study.
        results: Its trials.
        folder: The study's, which holds what was trained beside them; None where that is not asked for.
    """
    trials = sorted(results, key=by_number)
    if folder is None:
        return StudyOutcome(record, trials)
    baselines = read_extra_results(folder, Role.BASELINE)
    return StudyOutcome(record, trials, baselines, accuracies_of_other_seeds(folder, trials))


def by_number(result: TrialResult) -> tuple[bool, int]:
    """Sort key: trials in their order, one without a number last."""
    return result.number is None, result.number or 0
