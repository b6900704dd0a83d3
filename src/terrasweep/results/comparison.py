"""A study's trials, compared within the errors of their numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from terrasweep.results import pareto
from terrasweep.results.estimates import (
    Estimate,
    estimate,
    estimated_names,
    is_relative,
    resolution,
    student_t,
    with_pooled_values,
)
from terrasweep.results.front_within_errors import Contest, Matrix, Place, Standing, standings
from terrasweep.results.observations import OtherSeeds
from terrasweep.results.simplicity import complexity
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult

_BY = {Place.TIED: "with", Place.BEATEN: "by"}


@dataclass(frozen=True)
class Comparison:
    """The trials of a study, compared within the errors of their numbers."""

    objectives: list[Objective]
    own: list[TrialResult]
    """The trials as they measured themselves, in the order given."""
    estimates: list[dict[str, Estimate]]
    """What is known of each trial's numbers, by name."""

    @cached_property
    def results(self) -> list[TrialResult]:
        """The trials with pooled values in the place of their own."""
        return with_pooled_values(self.own, self.estimates)

    @cached_property
    def places(self) -> list[int]:
        """Places, in the order given, of the complete trials with all their objectives."""
        ranked = {id(result) for result in pareto.ranked(self.results, self.objectives)}
        return [place for place, result in enumerate(self.results) if id(result) in ranked]

    @cached_property
    def relative(self) -> dict[str, bool]:
        """Per number that has estimates whether it is compared by its logarithm, since its errors grow with it."""
        found = {name: [e[name].value for e in self._ranked if name in e] for name in estimated_names(self.objectives)}
        return {name: is_relative(name, values) for name, values in found.items()}

    @cached_property
    def resolutions(self) -> dict[str, float]:
        """Per number that has estimates the difference beyond which two trials are told apart, the same for all trials.

        It is of the trials that no other one dominates by their values alone: these have to be told apart, and are
        measured again. Of the logarithm where ``relative`` says so; 0 where no error is known.
        """
        best = [self._ranked[row] for row in self._undominated] if self.places else []
        return {
            name: resolution([e[name] for e in best if name in e], relative=relative)
            for name, relative in self.relative.items()
        }

    @property
    def _ranked(self) -> list[dict[str, Estimate]]:
        return [self.estimates[place] for place in self.places]

    @property
    def _widths(self) -> list[float]:
        return [self.resolutions[objective.name] for objective in self.objectives]

    @cached_property
    def standings(self) -> dict[int, Standing]:
        """Where each trial of ``places`` stands, with ``other`` as a place, too."""
        if not self.places:
            return {}
        found = standings(
            self._scaled,
            [True] * len(self.objectives),
            self._widths,
            preference=[complexity(self.results[place].config) for place in self.places],
            alike=[_configuration(self.results[place]) for place in self.places],
        )
        other = (None if standing.other is None else self.places[standing.other] for standing in found)
        return {p: dataclasses.replace(s, other=o) for p, s, o in zip(self.places, found, other, strict=True)}

    def standing_text(self, place: int) -> str:
        """``front``, ``tied with 3``, ``beaten by 7``, by the trials' numbers; empty for one that is not ranked."""
        standing = self.standings.get(place)
        if standing is None or standing.other is None:
            return "" if standing is None else str(standing.place)
        number = self.own[standing.other].number
        return f"{standing.place} {_BY[standing.place]} {'a trial' if number is None else number}"

    def are_told_apart(self, name: str, one: float, other: float) -> bool:
        """Whether two values of a number differ beyond its resolution; without estimates of it, whether at all."""
        if self.relative.get(name) and min(one, other) > 0:
            one, other = math.log(one), math.log(other)
        return abs(one - other) > self.resolutions.get(name, 0.0)

    @property
    def front(self) -> list[TrialResult]:
        """The trials on the front, with pooled values, in the order given."""
        return [self.results[place] for place in self.front_places]

    @property
    def front_places(self) -> list[int]:
        """Places of the trials on the front."""
        return [place for place, standing in self.standings.items() if standing.place is Place.FRONT]

    def tied_with(self, place: int) -> list[int]:
        """Places of the trials that one on the front stands for."""
        return [tied for tied, s in self.standings.items() if s.place is Place.TIED and s.other == place]

    @cached_property
    def near_front(self) -> list[TrialResult]:
        """The trials on the front, and those that one more measurement could bring there; as they measured themselves.

        A trial is near where it is on the front or tied, or where no other one dominates it by more, in each
        objective, than half the 95 % interval of their difference; of a speed that was only measured while something
        disturbed it, than that may have held it back.
        """
        if not self.places:
            return []
        best = self._scaled[self._undominated]
        reaches = np.column_stack([self._reaches(objective.name) for objective in self.objectives])
        near = (not _dominated(row, best) for row in self._scaled + reaches)
        beaten = (self.standings[place].place is Place.BEATEN for place in self.places)
        return [self.own[p] for p, is_near, lost in zip(self.places, near, beaten, strict=True) if is_near or not lost]

    @cached_property
    def progress(self) -> list[bool]:
        """Per trial whether it was, when it came, more than the ones before it within the errors."""
        if not self.places:
            return [False] * len(self.own)
        seen = Contest(self._scaled, np.asarray(self._widths)).first_seen()
        counting = {place for place, counts in zip(self.places, seen, strict=True) if counts}
        return [place in counting for place in range(len(self.own))]

    def _reaches(self, name: str) -> Matrix:
        """Per trial of ``places`` half the 95 % interval of its difference to a usual member of the front."""
        found = [self.estimates[place][name] for place in self.places]
        errors = [None if e.standard_error is None else self._error(e, name) for e in found]
        best = [error**2 for row in self._undominated if (error := errors[row]) is not None]
        usual = math.fsum(best) / len(best) if best else 0.0
        factor = student_t(min(e.freedom for e in found))
        known = zip(found, errors, strict=True)
        return np.array(
            [math.log(e.held_back) if own is None else factor * math.sqrt(own**2 + usual) for e, own in known]
        )

    def _error(self, found: Estimate, name: str) -> float:
        return (found.standard_error or 0.0) / (found.value if self.relative[name] else 1.0)

    @cached_property
    def _values(self) -> list[list[float]]:
        return pareto.objective_matrix([self.results[place] for place in self.places], self.objectives)

    @cached_property
    def _scaled(self) -> Matrix:
        """Objective values on the scale of their resolutions, the greater the better, shape (n, m)."""
        values = np.asarray(self._values, dtype=np.float64)
        columns = zip(self.objectives, values.T, strict=True)
        scaled = (np.log(column) if self.relative[o.name] else column for o, column in columns)
        signs = (1.0 if objective.maximize else -1.0 for objective in self.objectives)
        return np.column_stack([sign * column for sign, column in zip(signs, scaled, strict=True)])

    @cached_property
    def _undominated(self) -> list[int]:
        """Rows of the matrices that no other one dominates, whatever the errors."""
        return pareto.front(self._values, [objective.maximize for objective in self.objectives])


def compare(
    results: Sequence[TrialResult], objectives: Sequence[Objective], other_seeds: OtherSeeds | None = None
) -> Comparison:
    """Compare a study's trials within the errors of their numbers; cheap enough to do after every trial.

    Args:
        results: The trials.
        objectives: The study's.
        other_seeds: What trainings with other seeds came to; without them the error of an accuracy is unknown.
    """
    return Comparison(list(objectives), list(results), estimate(results, objectives, other_seeds))


def _configuration(result: TrialResult) -> Hashable | None:
    """What trials have in common that are the same configuration; None where it isn't known."""
    both = (result.quality_key, result.cost_key)
    return both if all(both) else None


def _dominated(row: Matrix, others: Matrix) -> bool:
    return bool(((others >= row).all(axis=1) & (others > row).any(axis=1)).any())
