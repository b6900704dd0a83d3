"""What trials of other studies say of this one's candidates: numbers as if measured here, and trends.

They teach the models and are no results: no candidate counts as tried or trained for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from terrasweep.study.factored.candidates import Candidate, Candidates, Identity
from terrasweep.study.factored.history import History
from terrasweep.study.factored.quantities import PROBE_SECONDS, TRAINING_SECONDS, BearsOn, Quantity, Settings


@dataclass(frozen=True, kw_only=True)
class PriorTrial:
    """A trial of another study, with settings that this one could have."""

    study: str
    settings: Settings
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Measurements, and seconds, that a trial with these settings would have here, too."""
    trends: Mapping[str, float] = field(default_factory=dict)
    """Measurements that are others here, but rise and fall alike."""

    @classmethod
    def from_plain(cls, study: str, plain: Mapping[str, Any]) -> PriorTrial:
        """Read what :meth:`as_plain` gave."""
        return cls(study=study, settings=plain["settings"], numbers=plain["numbers"], trends=plain["trends"])

    def as_plain(self) -> dict[str, Any]:
        """In plain values, without its study."""
        return {"settings": dict(self.settings), "numbers": dict(self.numbers), "trends": dict(self.trends)}


def add_prior(
    history: History, prior: Sequence[PriorTrial], candidates: Candidates, quantities: Iterable[Quantity]
) -> None:
    """Put what others measured before what was measured here; where both know a number, that of here counts.

    Args:
        history: The study's own trials.
        prior: Those of others.
        candidates: Those of the study.
        quantities: What is modelled.
    """
    placed = [(candidates.of(trial.settings), trial) for trial in prior]
    for quantity in {quantity.name: quantity for quantity in quantities}.values():
        name, own = quantity.name, history.numbers.get(quantity.name, [])
        known = {candidate.key(quantity.of) for candidate, _ in own}
        told = [(candidate, trial.numbers[name]) for candidate, trial in placed if name in trial.numbers]
        if told := [(candidate, value) for candidate, value in told if candidate.key(quantity.of) not in known]:
            history.numbers[name] = [*told, *own]
        trends: dict[str, list[tuple[Candidate, float]]] = {}
        for candidate, trial in placed:
            if name in trial.trends:
                trends.setdefault(trial.study, []).append((candidate, trial.trends[name]))
        if trends and quantity.of is BearsOn.QUALITY:
            history.trends[name] = trends
    took = [
        (candidate, trial.numbers[name], name == PROBE_SECONDS)
        for candidate, trial in placed
        for name in (TRAINING_SECONDS, PROBE_SECONDS)
        if trial.numbers.get(name, 0.0) > 0
    ]
    history.seconds[:0] = took


def qualities_known(prior: Sequence[PriorTrial], candidates: Candidates, names: Iterable[str]) -> set[Identity]:
    """Qualities of which others measured one of these numbers as it would be here."""
    wanted = set(names)
    return {candidates.of(trial.settings).quality for trial in prior if wanted & trial.numbers.keys()}
