"""What a study's trials tell the search: numbers, what did not fit, and what is at work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from optuna.trial import FrozenTrial, TrialState

from terrasweep.study.factored.candidates import Candidate, Candidates, Identity
from terrasweep.study.factored.quantities import (
    CHOSEN,
    MEASURED,
    PROBE_SECONDS,
    TRAINING_SECONDS,
    BearsOn,
    Quantity,
    Settings,
)

_INTERRUPTED, _DIVERGED = "interrupted", "diverged"
"""Reasons of trials, in the attribute ``reason``: the first says nothing of a candidate, the second of all with its
quality."""


@dataclass(kw_only=True)
class History:
    """The trials so far, in the order of their numbers."""

    tried: dict[Identity, Candidate] = field(default_factory=dict)
    complete: list[tuple[Candidate, Sequence[float]]] = field(default_factory=list)
    """With the objectives' values."""
    pending: list[Candidate] = field(default_factory=list)
    fits: list[tuple[Candidate, bool]] = field(default_factory=list)
    """Whether a candidate came to an answer; those apart that a measurement over its limit explains."""
    numbers: dict[str, list[tuple[Candidate, float]]] = field(default_factory=dict)
    """Name to what was measured of it."""
    trends: dict[str, dict[str, list[tuple[Candidate, float]]]] = field(default_factory=dict)
    """Name to what was measured of it in other studies, where it rises and falls as here, by their names."""
    seconds: list[tuple[Candidate, float, bool]] = field(default_factory=list)
    """What a trial took, and whether it was a probe."""
    trained: set[Identity] = field(default_factory=set)
    """Qualities that are known."""
    hopeless: set[Identity] = field(default_factory=set)
    """Qualities that are given up: they diverge, or a pruner of the only objective ended their training."""

    @property
    def busy(self) -> set[Identity]:
        """Qualities that are being trained."""
        return {candidate.quality for candidate in self.pending} - self.trained


def read_history(
    trials: Sequence[FrozenTrial],
    candidates: Candidates,
    objectives: Sequence[Quantity],
    limited: Sequence[Quantity],
    chosen: Mapping[int, Settings] | None = None,
) -> History:
    """Read the trials of a study; those that were interrupted, or were given nothing yet, are left out.

    A trial is a probe where it says so (:data:`PROBE_SECONDS` in its attribute :data:`MEASURED`), or where it says
    nothing and an earlier one has its quality; then it took from its start to its end.

    Args:
        trials: By number.
        candidates: Those of the study.
        objectives: In the order of the trials' values.
        limited: Measurements with a limit.
        chosen: Settings of trials, by number, that have not asked for them yet; else their attribute :data:`CHOSEN`.
    """
    history = History()
    for trial in trials:
        if trial.state is TrialState.RUNNING:
            given = (chosen or {}).get(trial.number) or trial.user_attrs.get(CHOSEN) or trial.params
            if given:
                history.pending.append(candidates.of(given))
        elif trial.state.is_finished() and trial.params and trial.user_attrs.get("reason") != _INTERRUPTED:
            _settle(history, trial, candidates.of(trial.params), objectives, limited)
    history.tried |= {candidate.identity: candidate for candidate in history.pending}
    return history


def _settle(
    history: History,
    trial: FrozenTrial,
    candidate: Candidate,
    objectives: Sequence[Quantity],
    limited: Sequence[Quantity],
) -> None:
    history.tried[candidate.identity] = candidate
    measured: dict[str, float] = trial.user_attrs.get(MEASURED, {})
    misses = any(miss > 0 for miss in trial.constraints.values())
    if trial.state is TrialState.COMPLETE and not misses:
        assert trial.values is not None
        history.complete.append((candidate, tuple(trial.values)))
        history.seconds += _seconds(trial, candidate, probed=candidate.quality in history.trained)
        history.trained.add(candidate.quality)
        measured = {**measured, **{o.name: v for o, v in zip(objectives, trial.values, strict=True)}}
    if trial.state is TrialState.PRUNED and not misses and len(objectives) == 1 and trial.intermediate_values:
        measured = {**measured, objectives[0].name: trial.intermediate_values[max(trial.intermediate_values)]}
        history.hopeless.add(candidate.quality)
    for quantity in {q.name: q for q in (*objectives, *limited)}.values():
        if quantity.name in measured and (quantity.of is not BearsOn.QUALITY or not misses):
            history.numbers.setdefault(quantity.name, []).append((candidate, measured[quantity.name]))
    explained = any(q.most is not None and measured.get(q.name, 0.0) > q.most for q in limited)
    if trial.user_attrs.get("reason") == _DIVERGED:
        history.hopeless.add(candidate.quality)
    if not (misses and explained):
        history.fits.append((candidate, trial.state is not TrialState.FAIL and not misses))


def _seconds(trial: FrozenTrial, candidate: Candidate, *, probed: bool) -> Iterator[tuple[Candidate, float, bool]]:
    if MEASURED in trial.user_attrs:
        told = trial.user_attrs[MEASURED]
        for name in (TRAINING_SECONDS, PROBE_SECONDS):
            if told.get(name, 0.0) > 0:
                yield candidate, told[name], name == PROBE_SECONDS
    elif trial.duration is not None and trial.duration.total_seconds() > 0:
        yield candidate, trial.duration.total_seconds(), probed
