"""An Optuna sampler that trains once per mathematics, and probes what else promises something (docs/search.md)."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from terrasweep.results import pareto
from terrasweep.study.factored.candidates import Candidate, Candidates, Draw, Keys, draw_independently, draw_value
from terrasweep.study.factored.history import History, read_history
from terrasweep.study.factored.outlook import Outlook, look_ahead
from terrasweep.study.factored.prior import PriorTrial, add_prior, qualities_known
from terrasweep.study.factored.proposal import Proposal, Ranking, Reference, measured_reference
from terrasweep.study.factored.quantities import TRAINING_SECONDS, BearsOn, Predict, Quantity

_COARSE, _FINE = 128, 768
"""Points by which gains are told apart, among all candidates and among the best."""
_GROUPS, _MEMBERS = 40, 24
"""How many qualities are looked at with all their members, and how many members are drawn of each."""
_MOST = 20
"""How many qualities that promise most, whatever they take, are looked at for what is left to gain."""
_FEWEST = 2
"""Trials that fill the space, however much is learnt from other studies."""
_NEAR = 12
"""Members of the front whose neighbours are looked at."""
_FRESH = 64
"""Candidates that are drawn beside the pool each time."""


class FactoredSampler(BaseSampler):
    """Models quality over what bears on it, cost over what bears on that, and takes what promises most per second.

    It knows nothing but the study's trials: a restart proposes what would have been proposed without it, and no
    candidate is proposed twice as long as there are others. Each trial may say in its attribute ``measured`` what it
    took (``training_seconds`` or ``probe_seconds``) and what limited measurements came to.
    """

    def __init__(
        self,
        space: Mapping[str, BaseDistribution],
        objectives: Sequence[Quantity],
        *,
        keys: Keys,
        draw: Draw | None = None,
        predict: Predict | None = None,
        allowed: Callable[[Mapping[str, Any]], bool] | None = None,
        limited: Sequence[Quantity] = (),
        reference: Callable[[Sequence[float]], Reference] | None = None,
        reuse: bool = True,
        startup_trials: int | None = None,
        candidates: int = 1500,
        seed: int = 0,
        by_seconds: bool = True,
        sure: bool = False,
        outlook: bool = False,
        prior: Sequence[PriorTrial] = (),
    ) -> None:
        """Say what is searched.

        Args:
            space: Every key's distribution, whether it is active in all candidates or not.
            objectives: In the study's order.
            keys: A candidate's settings that bear on its quality, and those that bear on its cost.
            draw: Draws whole candidates; without it the keys are drawn independently.
            predict: What is known of measurements before.
            allowed: Whether a candidate may be proposed; asked of the best ones alone.
            limited: Measurements with a limit.
            reference: The hypervolume's reference, from the first complete trial's values; without it, a little beyond
                the worst that was measured.
            reuse: Whether one training tells the quality of all candidates that share it.
            startup_trials: Trials that fill the space before models count; null: two more than keys of quality.
            candidates: How many are looked at each time, beside neighbours of the front.
            seed: Of all chance.
            by_seconds: Whether it matters what a candidate takes; for comparison.
            sure: Whether models are taken to be right; for comparison.
            outlook: Whether each proposal says what is left to gain.
            prior: Trials of other studies that teach the models.
        """
        self._space, self._objectives, self._limited = space, list(objectives), list(limited)
        self._keys, self._draw, self._predict = keys, draw or draw_independently(space), predict
        self._allowed, self._reference, self._reuse = allowed or (lambda _: True), reference, reuse
        self._startup, self._drawn, self._seed = startup_trials, candidates, seed
        self._by_seconds, self._sure, self._outlook, self._prior = by_seconds, sure, outlook, list(prior)
        self._candidates: Candidates | None = None
        self._kernels: dict[str, dict[str, Any]] = {}
        self._forbidden: set[Any] = set()
        self._proposed: dict[int, Proposal] = {}

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Choose a whole candidate, unless the trial's values are given."""
        if "fixed_params" in trial.system_attrs:
            return
        trials = [other for other in study.get_trials(deepcopy=False) if other.number != trial.number]
        self._proposed[trial.number] = self.propose(trials, trial.number)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """None: which keys are active is known as they are asked for."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """None, for the same reason."""
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The chosen candidate's value; by chance where it has none, as of a key that the space does not name."""
        chosen = self._proposed.get(trial.number)
        settings = chosen.candidate.settings if chosen else {}
        if param_name in settings:
            value = settings[param_name]
            if param_distribution == self._space.get(param_name):
                return value
        rng = np.random.default_rng([self._seed, trial.number, len(trial.params)])
        return draw_value(param_distribution, rng)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Forget why it was proposed."""
        self._proposed.pop(trial.number, None)

    def reason(self, number: int) -> Proposal | None:
        """Why a trial that has not ended was proposed by this process; None where its values were given."""
        return self._proposed.get(number)

    def propose(self, trials: Sequence[FrozenTrial], number: int) -> Proposal:
        """Choose the next candidate.

        Args:
            trials: All others of the study.
            number: Of the new one.
        """
        candidates = self._known_candidates()
        chosen = {number: proposal.candidate.settings for number, proposal in self._proposed.items()}
        history = read_history(trials, candidates, self._objectives, self._limited, chosen)
        add_prior(history, self._prior, candidates, [*self._objectives, *self._limited])
        outlook = None
        if len(history.tried) >= self._fill_until(candidates) and history.complete:
            outlook = self._nothing_left(history)
            for proposal in self._promising(history, candidates, number):
                if self._may(proposal.candidate):
                    return proposal
        filling = self._filling(history, candidates, number)
        if filling is None:
            rng = np.random.default_rng([self._seed, number])
            again = candidates.pool[int(rng.integers(len(candidates.pool)))]
            return Proposal(candidate=again, is_new=False, outlook=outlook)
        return Proposal(candidate=filling, outlook=outlook)

    def _known_candidates(self) -> Candidates:
        if self._candidates is None:
            self._candidates = Candidates(
                self._space, self._draw, self._keys, self._predict, seed=self._seed, drawn=self._drawn
            )
        return self._candidates

    def _fill_until(self, candidates: Candidates) -> int:
        if self._startup is not None:
            return self._startup
        names = {name for candidate in candidates.pool for name, _ in candidate.quality}
        until = len(names) + 2
        of_quality = [objective.name for objective in self._objectives if objective.of is BearsOn.QUALITY]
        if any(name in trial.trends for trial in self._prior for name in of_quality):
            until //= 2
        return max(_FEWEST, until - len(qualities_known(self._prior, candidates, of_quality)))

    def _may(self, candidate: Candidate) -> bool:
        if candidate.identity in self._forbidden or not self._allowed(candidate.settings):
            self._forbidden.add(candidate.identity)
            return False
        return True

    def _promising(self, history: History, candidates: Candidates, number: int) -> Iterator[Proposal]:
        """By gain per second: coarsely among all, then finely among the best and all that share their quality."""
        from terrasweep.study.factored.forecast import Models  # It imports scikit-learn, for a second.

        models = Models(history, self._limited, self._kernels, sure=self._sure)
        reference = self._reference_of(history)
        ranking = Ranking(history, models, self._objectives, reference, reuse=self._reuse, by_seconds=self._by_seconds)
        near = [candidate for candidate, _ in self._front(history)[-_NEAR:]]
        neighbours = itertools.chain.from_iterable(candidates.neighbours(c, 1, number) for c in near)
        others = [*neighbours, *candidates.fresh(_FRESH, number), *self._of_known_quality(history, candidates)]
        first = ranking.best([*candidates.pool, *others], _COARSE)
        trainings = [p for p in first if not p.is_probe][:_GROUPS]
        members = itertools.chain.from_iterable(candidates.members(p.candidate, _MEMBERS) for p in trainings)
        probes = [p for p in first if p.is_probe][:_GROUPS]
        best = ranking.best([*members, *(p.candidate for p in probes)], _FINE)
        most = sorted(first, key=lambda p: -(p.promise or 0.0))[:_MOST]
        outlook = self._look_ahead(ranking, candidates, [*trainings, *probes, *most])
        for proposal in itertools.chain(best, first):
            yield dataclasses.replace(ranking.explained(proposal), outlook=outlook)

    def _look_ahead(self, ranking: Ranking, candidates: Candidates, best: Sequence[Proposal]) -> Outlook | None:
        """What the best ones, with all that share their quality, leave to gain; None where it is not asked for."""
        if not self._outlook:
            return None
        members = ([p.candidate] if p.is_probe else candidates.members(p.candidate, _MEMBERS) for p in best)
        return look_ahead(ranking, itertools.chain.from_iterable(members), _COARSE, self._may)

    def _nothing_left(self, history: History) -> Outlook | None:
        """The outlook where no candidate that may be proposed promises anything; None where it is not asked for."""
        if not self._outlook:
            return None
        rows, maximize = [list(values) for _, values in history.complete], [o.maximize for o in self._objectives]
        had = pareto.hypervolume(rows, maximize, self._reference_of(history))
        return Outlook(hypervolume=had, left=0.0, next_hour=0.0)

    def _reference_of(self, history: History) -> Reference:
        """The hypervolume's, of a study in which some trials completed."""
        values = [values for _, values in history.complete]
        maximize = [objective.maximize for objective in self._objectives]
        return self._reference(values[0]) if self._reference else measured_reference(values, maximize)

    def _of_known_quality(self, history: History, candidates: Candidates) -> list[Candidate]:
        """All candidates that a probe would answer."""
        if not self._reuse:
            return []
        trained = {candidate.quality: candidate for candidate, _ in history.complete}
        return [member for candidate in trained.values() for member in candidates.members(candidate, _MEMBERS)]

    def _front(self, history: History) -> list[tuple[Candidate, Sequence[float]]]:
        maximize = [objective.maximize for objective in self._objectives]
        rows = [list(values) for _, values in history.complete]
        return [history.complete[index] for index in pareto.front(rows, maximize)]

    def _filling(self, history: History, candidates: Candidates, number: int) -> Candidate | None:
        """The candidate farthest from those that were tried, likely to fit, and fast; none where all were tried."""
        drawn = [*candidates.pool, *candidates.fresh(_FRESH, number)]
        new = [c for c in drawn if c.identity not in history.tried]
        for candidate in self._by_distance(history, [c for c in new if c.quality not in history.hopeless] or new):
            if self._may(candidate):
                return candidate
        return None

    def _by_distance(self, history: History, new: Sequence[Candidate]) -> list[Candidate]:
        from terrasweep.study.factored.forecast import Models

        if not new:
            return []
        models = Models(history, self._limited, self._kernels)
        worth = models.chance_to_fit(new)
        is_told = all(TRAINING_SECONDS in candidate.predicted for candidate in new)
        if is_told and self._by_seconds:
            worth = worth / np.sqrt(models.seconds(new)[0])
        of = BearsOn.QUALITY if is_told and len(new[0].rows[BearsOn.QUALITY]) else BearsOn.BOTH
        rows, tried = _rows(new, of), _rows(history.tried.values(), of)
        if tried.size:
            worth = worth * np.sqrt(((rows[:, None, :] - tried[None, :, :]) ** 2).sum(axis=2)).min(axis=1)
        return [new[index] for index in np.argsort(-worth, kind="stable")]


def _rows(candidates: Iterable[Candidate], of: BearsOn) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([candidate.rows[of] for candidate in candidates])
