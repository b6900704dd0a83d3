"""Which candidate is worth its seconds most: a training in its group's fastest member, or a probe."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from terrasweep.study.factored.candidates import Candidate, Identity
from terrasweep.study.factored.history import History
from terrasweep.study.factored.outlook import Outlook
from terrasweep.study.factored.promise import Chances, chance_of_all, find_open_region, group_chances
from terrasweep.study.factored.quantities import BearsOn, Quantity

if TYPE_CHECKING:  # It imports scipy's linear algebra, which a start without proposals does not need.
    from terrasweep.study.factored.forecast import Estimate, Models

Array = NDArray[np.float64]
Reference = Sequence[tuple[float, float]]

_OPTIMISM = 2.0
"""Standard deviations that a candidate may do better than expected, where it is looked for what can be gained."""
_EXACT = 1e-5
"""Share of a number within which it is known."""
_MARGIN = 0.1
"""How far beyond the worst that was measured hypervolume counts, as a share of the range."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What is tried next, and why."""

    candidate: Candidate
    is_new: bool = True
    """False where all were tried that may be."""
    is_probe: bool = False
    """Whether its quality is known."""
    promise: float | None = None
    """Expected gain of hypervolume, of the whole group where it is trained; None where nothing was compared yet."""
    seconds: float | None = None
    """What it is expected to take, attempts that do not fit included."""
    expected: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    """Objective to its expectation, and to one standard deviation below and above it."""
    outlook: Outlook | None = None
    """What was left to gain; None where it was not asked for, or no model could tell."""

    @property
    def rate(self) -> float:
        """Gain per second."""
        return (self.promise or 0.0) / (self.seconds or 1.0)

    def as_plain(self) -> dict[str, Any]:
        """The reason in plain values, as a result keeps it."""
        outlook = dataclasses.asdict(self.outlook) if self.outlook else {}
        if self.promise is None:
            return {"as": "filling", **outlook}
        return {
            "as": "probe" if self.is_probe else "training",
            "promise": self.promise,
            "seconds": self.seconds,
            "expected": {name: list(values) for name, values in self.expected.items()},
            **outlook,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """Candidates, and how likely they dominate what is not had."""

    ordered: Sequence[Candidate]
    """Group by group."""
    groups: NDArray[np.intp]
    """Each candidate's; ascending."""
    fits: Array
    """How likely each candidate comes to an answer."""
    chances: Chances
    """That a group dominates a point, shape (points, groups)."""
    volume_each: float
    """Of a point."""

    @property
    def gains(self) -> Array:
        """Expected gain of hypervolume of each group."""
        gained: Array = self.chances.sum(axis=0, dtype=np.float64)
        return gained * self.volume_each


def measured_reference(values: Sequence[Sequence[float]], maximize: Sequence[bool]) -> Reference:
    """Where hypervolume counts from: a little beyond the worst that was measured, in units of what was between."""
    found = []
    for column, up in zip(np.array(values).T, maximize, strict=True):
        low, high = float(column.min()), float(column.max())
        span = (high - low) or abs(high) or 1.0
        found.append(((low - _MARGIN * span) if up else (high + _MARGIN * span), span))
    return found


def _interval(estimate: Estimate) -> tuple[float, float, float]:
    """Expectation, and one standard deviation below and above it; what was measured has none."""
    value, low, high = (float(estimate.at(deviations)[0]) for deviations in (0.0, -1.0, 1.0))
    return (value, low, high) if high - low > _EXACT * abs(value) else (value, value, value)


class Ranking:
    """Compares candidates at one moment of a study."""

    def __init__(
        self,
        history: History,
        models: Models,
        objectives: Sequence[Quantity],
        reference: Reference,
        *,
        reuse: bool,
        by_seconds: bool = True,
    ) -> None:
        """Look at what is had.

        Args:
            history: The trials so far, of which some completed.
            models: Fitted to them.
            objectives: What is searched for.
            reference: Of the hypervolume.
            reuse: Whether a quality that was trained needs no other training.
            by_seconds: Whether seconds count, or proposals; for comparison.
        """
        self._history, self._models, self._objectives = history, models, objectives
        self.reference, self._reuse, self._by_seconds = reference, reuse, by_seconds
        self.maximize = [objective.maximize for objective in objectives]
        self.measured = rows = [list(values) for _, values in history.complete]
        if history.pending:
            expected = [models.estimate(objective, history.pending).at(0.0) for objective in objectives]
            rows = [*rows, *np.column_stack(expected).tolist()]
        self._front = np.array(rows)

    def best(self, candidates: Iterable[Candidate], points: int) -> list[Proposal]:
        """Proposals, the best first: one for each quality that is not known, one for each candidate of those that are.

        Args:
            candidates: Those that were tried are passed over.
            points: How finely gains are told apart.
        """
        compared = self.compare(candidates, points)
        return [] if compared is None else sorted(self.proposals(compared), key=lambda p: -p.rate)

    def compare(self, candidates: Iterable[Candidate], points: int, *, beyond: float = 0.0) -> Compared | None:
        """How likely candidates dominate what is not had; None where none may, at best.

        Args:
            candidates: Those that were tried are passed over.
            points: How finely gains are told apart.
            beyond: By how many standard deviations of the noise they have to exceed what is had.
        """
        together: dict[Identity, dict[Identity, Candidate]] = {}
        for candidate in candidates:
            if self._is_open(candidate):
                together.setdefault(self._group(candidate), {})[candidate.identity] = candidate
        ordered = [candidate for members in together.values() for candidate in members.values()]
        if not ordered:
            return None
        estimates = [self._models.estimate(objective, ordered) for objective in self._objectives]
        front = self._front if not beyond else self._improved(estimates, beyond)
        region = find_open_region(front, self._optimistic(estimates), self.maximize, self.reference, count=points)
        if not len(region.points):
            return None
        sizes = [len(members) for members in together.values()]
        groups, firsts = np.repeat(np.arange(len(sizes)), sizes), np.cumsum([0, *sizes[:-1]])
        fits = self._models.chance_to_fit(ordered)
        of_quality = self._chances(BearsOn.QUALITY, [e.of(firsts) for e in estimates], region.points)
        of_cost = self._chances(BearsOn.COST, estimates, region.points) * fits.astype(np.float32)
        chances = group_chances(of_quality, of_cost, groups)
        return Compared(ordered=ordered, groups=groups, fits=fits, chances=chances, volume_each=region.volume_each)

    def _improved(self, estimates: Sequence[Estimate], deviations: float) -> Array:
        """What is had, moved by so many standard deviations of each objective's noise to its better side."""
        columns = []
        for column, objective, estimate in zip(self._front.T, self._objectives, estimates, strict=True):
            by = (1.0 if objective.maximize else -1.0) * deviations * self._models.noise(objective)
            columns.append(column * np.exp(by) if estimate.log else column + by)
        return np.column_stack(columns)

    def _is_open(self, candidate: Candidate) -> bool:
        history = self._history
        closed = candidate.quality in history.hopeless or (self._reuse and candidate.quality in history.busy)
        return candidate.identity not in history.tried and not closed

    def _group(self, candidate: Candidate) -> Identity:
        """Candidates that one training tells the quality of; each by itself where it is known."""
        together = self._reuse and candidate.quality not in self._history.trained
        return (*candidate.quality, ("", "")) if together else candidate.identity

    def _optimistic(self, estimates: Sequence[Estimate]) -> Array:
        signs = [1.0 if up else -1.0 for up in self.maximize]
        return np.column_stack([e.at(sign * _OPTIMISM) for e, sign in zip(estimates, signs, strict=True)])

    def _chances(self, of: BearsOn, estimates: Sequence[Estimate], points: Array) -> NDArray[np.float32]:
        """Of all objectives of quality together, or of all others."""
        margins = [
            estimate.margins(points[:, column], at_least=objective.maximize)
            for column, (objective, estimate) in enumerate(zip(self._objectives, estimates, strict=True))
            if (objective.of is BearsOn.QUALITY) == (of is BearsOn.QUALITY)
        ]
        shape = (len(points), len(estimates[0].mean))
        return chance_of_all(margins) if margins else np.ones(shape, dtype=np.float32)

    def explained(self, proposal: Proposal) -> Proposal:
        """A proposal with what is expected of it."""
        estimates = [self._models.estimate(objective, [proposal.candidate]) for objective in self._objectives]
        named = zip(self._objectives, estimates, strict=True)
        expected = {objective.name: _interval(estimate) for objective, estimate in named}
        return dataclasses.replace(proposal, expected=expected)

    def proposals(self, compared: Compared) -> list[Proposal]:
        """One for each group, in their order: its fastest member."""
        training, probe = self._models.seconds(compared.ordered)
        # What does not fit ends where a probe would, and then the next one is tried.
        in_vain = (1 - compared.fits) / np.maximum(compared.fits, 1e-6) * probe
        probed = np.array([self._reuse and c.quality in self._history.trained for c in compared.ordered])
        needed = np.where(probed, probe, training) + in_vain
        if not self._by_seconds:
            needed = np.ones(len(compared.ordered))
        by_needed = np.lexsort((needed, compared.groups))
        fastest = by_needed[np.flatnonzero(np.diff(compared.groups[by_needed], prepend=-1))]
        return [
            Proposal(
                candidate=compared.ordered[index],
                is_probe=bool(probed[index]),
                promise=float(gain),
                seconds=float(needed[index]),
            )
            for index, gain in zip(fastest, compared.gains, strict=True)
        ]
