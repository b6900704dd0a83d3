"""Configurations of candidates, completed by their data as trials are, for what has to know them before they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from terrasweep.config.bad_input import BAD_INPUT
from terrasweep.config.schema import TrialConfig
from terrasweep.study.composer import Composer
from terrasweep.study.search_space import SearchSpace
from terrasweep.trial.traced_costs import with_data_seen

_FROM_DATA = ("data", "task", "backbone")
"""Sections that data complete."""


class CandidateConfigs:
    """Composes candidates; what follows from the same data is found once."""

    def __init__(
        self, space: SearchSpace, composer: Composer, find_violations: Callable[[dict[str, Any]], list[str]]
    ) -> None:
        """Args: ``find_violations``: what the rules say against searched values."""
        self._space, self._composer, self._find_violations = space, composer, find_violations
        self._completed: dict[str, TrialConfig | None] = {}

    def __call__(self, settings: Mapping[str, Any]) -> TrialConfig | None:
        """A candidate's configuration; None where rules forbid it, or nobody has looked at its data yet."""
        values = dict(settings)
        if self._find_violations(values):
            return None
        try:
            config = self._composer.compose_trial(self._space.overrides(values))
        except BAD_INPUT:
            return None  # The launch will say it.
        return self._with_data(config)

    def _with_data(self, config: TrialConfig) -> TrialConfig | None:
        key = repr([getattr(config, section) for section in _FROM_DATA])
        if self._completed.get(key) is None:  # What was not looked at yet may have been meanwhile.
            self._completed[key] = with_data_seen(config)
        completed = self._completed[key]
        if completed is None:
            return None
        return replace(config, **{section: getattr(completed, section) for section in _FROM_DATA})
