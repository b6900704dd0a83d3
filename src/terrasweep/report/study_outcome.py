"""A study as the report sees it: its trials in order, the front, the knee and the hypervolume's history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from terrasweep.results import pareto
from terrasweep.results.comparison import Comparison, compare
from terrasweep.results.estimates import Estimate
from terrasweep.results.extra_trainings import Role, accuracies_of_other_seeds, of_other_seeds, read_extra_results
from terrasweep.results.front_within_errors import Place, Standing
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective, StudyRecord
from terrasweep.results.trial_result import TrialResult
from terrasweep.results.wording import rounded, with_error


@dataclass(frozen=True)
class StudyOutcome:
    """The trials of a study and what follows from them."""

    record: StudyRecord
    trials: list[TrialResult]
    """All trials by number, with pooled values in the place of their own; one without a number comes last."""
    comparison: Comparison
    """The same trials, compared within their errors."""
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
        return [self.trials[place] for place in self.comparison.places]

    @cached_property
    def front(self) -> list[TrialResult]:
        """The trials on the front within the errors, over all objectives."""
        return self._standing(Place.FRONT)

    @cached_property
    def tied(self) -> list[TrialResult]:
        """The trials that can't be told from one on the front, which stands for them."""
        return self._standing(Place.TIED)

    @cached_property
    def dominated(self) -> list[TrialResult]:
        """The complete trials that another one beats."""
        return self._standing(Place.BEATEN)

    def _standing(self, where: Place) -> list[TrialResult]:
        return [self.trials[place] for place, s in self.comparison.standings.items() if s.place is where]

    def place(self, result: TrialResult) -> int:
        """Where one of the trials is among them, with pooled values or as it measured itself."""
        return self._places[id(result)]

    @cached_property
    def _places(self) -> dict[int, int]:
        both = (self.trials, self.comparison.own)
        return {id(result): place for trials in both for place, result in enumerate(trials)}

    def own(self, result: TrialResult) -> TrialResult:
        """One of ``trials`` as it measured itself."""
        return self.comparison.own[self.place(result)]

    def standing(self, result: TrialResult) -> Standing | None:
        """How one of ``trials`` stands; None where it is not ranked."""
        return self.comparison.standings.get(self.place(result))

    def tied_with(self, result: TrialResult) -> list[TrialResult]:
        """The trials that one of the front stands for."""
        return [self.trials[place] for place in self.comparison.tied_with(self.place(result))]

    def are_told_apart(self, name: str, one: TrialResult, other: TrialResult) -> bool:
        """Whether two of ``trials`` that have a number differ in it beyond the errors."""
        return self.comparison.are_told_apart(name, one.value(name) or 0.0, other.value(name) or 0.0)

    @cached_property
    def alike(self) -> Callable[[str, float, float], bool] | None:
        """Whether two values of a number are the same within the error; None where no error is known."""
        if not any(self.comparison.resolutions.values()):
            return None
        return lambda name, one, other: not self.comparison.are_told_apart(name, one, other)

    def is_same_configuration(self, one: TrialResult, other: TrialResult) -> bool:
        """Whether two trials have everything in common that their numbers depend on, as far as that is known."""
        keys = (one.quality_key, one.cost_key)
        return one is other or (all(keys) and keys == (other.quality_key, other.cost_key))

    def estimate(self, result: TrialResult, name: str) -> Estimate | None:
        """What is known of a number of one of ``trials``; None where it has none or none is made."""
        return self.comparison.estimates[self.place(result)].get(name)

    def interval(self, result: TrialResult, name: str) -> tuple[float, float] | None:
        """Both ends of a number's 95 % interval; None where its error is unknown, or there is none."""
        found = self.estimate(result, name)
        if found is None or found.low is None or found.high is None or found.low == found.high:
            return None
        return found.low, found.high

    def bar_points(self, x: str, y: str) -> list[tuple[float, float]]:
        """Points on the bars of the front's values, in a figure of y over x, that numbers should not hide."""
        points: list[tuple[float, float]] = []
        for result in self.front:
            at = result.value(x) or 0.0, result.value(y) or 0.0
            points += [((end + at[0]) / 2, at[1]) for end in self.interval(result, x) or ()]
            points += [(at[0], (end + at[1]) / 2) for end in self.interval(result, y) or ()]
        return points

    def shown(self, result: TrialResult, name: str) -> str:
        """A number of one of ``trials`` as it is read, with its error where that is known: ``0.712 ± 0.0041``."""
        found = self.estimate(result, name)
        return rounded(result.value(name)) if found is None else with_error(found.value, found.low, found.high)

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
        """The hypervolume after each of the trials; empty without a complete one.

        A trial counts that no one before it beats within the errors, or can't be told from: noise is no progress.
        """
        if not self.ranked:
            return []
        names = [objective.name for objective in self.objectives]
        progress = zip(self.trials, self.comparison.progress, strict=True)
        rows = [result.objective_values(names) if counts else None for result, counts in progress]
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
        """The trials that no other one dominates in two of the objectives alone, by the second one's value."""
        pair = [self.objectives[first], self.objectives[second]]
        members = pareto.front_of(self.ranked, pair)
        return sorted(members, key=lambda result: result.value(pair[1].name) or 0.0)


def summarize(
    record: StudyRecord,
    results: Sequence[TrialResult],
    folder: Path | None = None,
    comparison: Comparison | None = None,
) -> StudyOutcome:
    """Bring a study's trials into order, and compare them.

    Args:
        record: The study.
        results: Its trials.
        folder: The study's, which holds what was trained beside them; None where that is not asked for.
        comparison: Of the same trials by their numbers, with what was trained beside them, where it is made already.
    """
    own = sorted(results, key=by_number)
    if folder is None:
        comparison = compare(own, record.objectives)
        return StudyOutcome(record, comparison.results, comparison)
    comparison = comparison or compare(own, record.objectives, of_other_seeds(folder, own))
    baselines = read_extra_results(folder, Role.BASELINE)
    return StudyOutcome(record, comparison.results, comparison, baselines, accuracies_of_other_seeds(folder, own))


def by_number(result: TrialResult) -> tuple[bool, int]:
    """Sort key: trials in their order, one without a number last."""
    return result.number is None, result.number or 0
