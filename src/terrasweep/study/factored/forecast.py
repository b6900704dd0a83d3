"""What candidates will come to: their objectives, whether they fit, and what a training or a probe will take."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from terrasweep.study.factored.candidates import Candidate
from terrasweep.study.factored.gaussian_process import GaussianProcess
from terrasweep.study.factored.history import History
from terrasweep.study.factored.quantities import PROBE_SECONDS, TRAINING_SECONDS, BearsOn, Quantity
from terrasweep.study.factored.trend import Trend

Array = NDArray[np.float64]
_Seconds = tuple[Candidate, float, bool]

PROBE_SHARE = 0.1
"""What a probe is taken to need of a training's seconds, until both were seen."""
_SURE = 1e-6
"""Standard deviation of what was measured, in units of its spread or as a share."""
_LEAST_CHANCE = 0.02
"""Of fitting, where only others like it have failed."""
_MOST_LEARNT = 64
"""How many trainings' seconds are learnt from, and how many probes': a rate need not be exact."""
_UNSEEN_SPREAD = 0.5
"""Of logarithms, where too few were measured to tell."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number of several candidates, each as a normal distribution of it or of its logarithm."""

    mean: Array
    sd: Array
    log: bool

    def chance_of(self, bounds: Array, *, at_least: bool) -> NDArray[np.float32]:
        """How likely each candidate's number is at least, or at most, each bound; shape (bounds, candidates)."""
        chances: NDArray[np.float32] = ndtr(self.margins(bounds, at_least=at_least))
        return chances

    def margins(self, bounds: Array, *, at_least: bool) -> NDArray[np.float32]:
        """By how many standard deviations each number is expected on the right side of each bound."""
        with np.errstate(divide="ignore"):
            at = np.log(np.maximum(bounds, 0.0)) if self.log else bounds
        each = (1.0 if at_least else -1.0) / self.sd
        margins: NDArray[np.float32] = ((self.mean[None, :] - at[:, None]) * each[None, :]).astype(np.float32)
        return margins

    def at(self, deviations: float) -> Array:
        """The number so many standard deviations above its expectation."""
        shifted = self.mean + deviations * self.sd
        return np.exp(shifted) if self.log else shifted

    def of(self, chosen: Any) -> Estimate:
        """That of some candidates."""
        return Estimate(mean=self.mean[chosen], sd=self.sd[chosen], log=self.log)


class Models:
    """The models of one moment of a study."""

    def __init__(
        self,
        history: History,
        limited: Sequence[Quantity],
        kernels: dict[str, dict[str, Any]],
        *,
        sure: bool = False,
    ) -> None:
        """Fit each to what was measured, as it is asked for.

        Args:
            history: The trials so far.
            limited: What must not be exceeded.
            kernels: Kept from one moment to the next.
            sure: Whether the models are taken to be right; for comparison.
        """
        self._history, self._limited, self._kernels = history, limited, kernels
        self._sd_factor = 0.0 if sure else 1.0
        self._last: dict[Any, tuple[Sequence[Candidate], Any]] = {}
        self._models: dict[str, _NumberModel] = {}

    def _kernel(self, name: str) -> dict[str, Any]:
        return self._kernels.setdefault(name, {})

    def estimate(self, quantity: Quantity, candidates: Sequence[Candidate]) -> Estimate:
        """An objective, or a limited measurement, of candidates."""
        found: Estimate = self._once(quantity.name, candidates, lambda: self._estimate(quantity, candidates))
        return found

    def _once(self, name: Any, candidates: Sequence[Candidate], find: Callable[[], Any]) -> Any:
        """What was found for the same candidates last: what is limited is often an objective, too."""
        asked, found = self._last.get(name, (None, None))
        if asked is not candidates:
            found = find()
            self._last[name] = (candidates, found)
        return found

    def _estimate(self, quantity: Quantity, candidates: Sequence[Candidate]) -> Estimate:
        distinct: _Distinct = self._once(quantity.of, candidates, lambda: _Distinct(candidates, quantity.of))
        found = self._model(quantity).estimate(distinct.candidates)
        return Estimate(mean=found.mean, sd=np.maximum(self._sd_factor * found.sd, 1e-9), log=found.log).of(
            distinct.places
        )

    def _model(self, quantity: Quantity) -> _NumberModel:
        if quantity.name not in self._models:
            self._models[quantity.name] = _NumberModel(quantity, self._history, self._kernel(quantity.name))
        return self._models[quantity.name]

    def noise(self, quantity: Quantity) -> float:
        """Standard deviation of an objective's noise, or of its logarithm's, as the measured ones tell."""
        return self._model(quantity).noise

    def chance_to_fit(self, candidates: Sequence[Candidate]) -> Array:
        """How likely candidates come to an answer within their limits."""
        chances = np.ones(len(candidates))
        for quantity in self._limited:
            most = np.array([quantity.most])
            chances *= self.estimate(quantity, candidates).chance_of(most, at_least=False)[0]
        if self._fits is not None:
            chances *= np.clip(self._fits.expect(_rows(candidates, BearsOn.BOTH)), _LEAST_CHANCE, 1.0)
        return chances

    @functools.cached_property
    def _fits(self) -> GaussianProcess | None:
        """The share of candidates nearby that came to an answer; None where all did."""
        seen = self._history.fits
        if all(fits for _, fits in seen):
            return None
        x = _rows([candidate for candidate, _ in seen], BearsOn.BOTH)
        y = np.array([float(fits) for _, fits in seen])
        return GaussianProcess(x, y, spread=0.3, kernels=self._kernel("fits"))

    def seconds(self, candidates: Sequence[Candidate]) -> tuple[Array, Array]:
        """What a training of each candidate will take, and a probe."""
        both = []
        rows = _rows(candidates, BearsOn.BOTH)
        for probed in (False, True):
            x = np.column_stack([rows, np.full(len(rows), float(probed and self._knows_both))])
            offset = np.array([_expected_seconds(candidate, probed=probed) for candidate in candidates])
            both.append(np.exp(self._seconds.expect(x) + offset))
        return both[0], both[1]

    @functools.cached_property
    def _knows_both(self) -> bool:
        """Whether trainings and probes were seen."""
        return len({probed for _, _, probed in self._history.seconds}) > 1

    @functools.cached_property
    def _seconds(self) -> GaussianProcess:
        """Logarithms of seconds, relative to what is told of them."""
        seen = _thinned(self._history.seconds)
        x = [[*candidate.rows[BearsOn.BOTH], float(probed and self._knows_both)] for candidate, _, probed in seen]
        told = np.array([_expected_seconds(candidate, probed=probed) for candidate, _, probed in seen])
        logs = np.array([math.log(seconds) for _, seconds, _ in seen])
        rows = np.array(x) if x else np.empty((0, 0))
        return GaussianProcess(rows, logs - told, spread=_UNSEEN_SPREAD, kernels=self._kernel("seconds"))


class _Distinct:
    """Candidates by one of their keys: one for each, and where each candidate finds it."""

    def __init__(self, candidates: Sequence[Candidate], of: BearsOn) -> None:
        place: dict[Any, int] = {}
        found = [place.setdefault(candidate.key(of), len(place)) for candidate in candidates]
        self.places = np.array(found, dtype=np.intp)
        self.candidates = [candidates[index] for index in np.unique(self.places, return_index=True)[1]]


def _thinned(seen: Sequence[_Seconds]) -> list[_Seconds]:
    """Some of each kind where there are many, in their order; later ones come to those that were there."""
    kept = []
    for kind in (False, True):
        places, step = [index for index, (_, _, probed) in enumerate(seen) if probed is kind], 1
        while len(places) > step * _MOST_LEARNT:
            step *= 2
        kept += places[::step]
    return [seen[index] for index in sorted(kept)]


def _expected_seconds(candidate: Candidate, *, probed: bool) -> float:
    """Logarithm of the seconds that are predicted, or of the usual share of a training."""
    prediction = candidate.predicted.get(PROBE_SECONDS if probed else TRAINING_SECONDS)
    if prediction is not None:
        return math.log(prediction.value)
    return math.log(PROBE_SHARE) if probed else 0.0


class _NumberModel:
    """One quantity: what was measured under its keys, and a model of the rest, relative to what is predicted."""

    def __init__(self, quantity: Quantity, history: History, kernel: dict[str, Any]) -> None:
        self._of = quantity.of
        self._name = quantity.name
        seen = history.numbers.get(quantity.name, [])
        self._log = quantity.of is BearsOn.COST and all(value > 0 for _, value in seen)
        grouped: dict[Any, list[float]] = {}
        first: dict[Any, Candidate] = {}
        for candidate, value in seen:
            key = candidate.key(self._of)
            grouped.setdefault(key, []).append(math.log(value) if self._log else value)
            first.setdefault(key, candidate)
        self._known = {key: float(np.mean(values)) for key, values in grouped.items()}
        self._trend: Trend | None = None
        y = np.array(list(self._known.values()))
        if trends := history.trends.get(quantity.name):
            self._trend = Trend(trends, quantity.of, kernel.setdefault("trends", {}))
            self._trend.fit(list(first.values()), y)
        offsets, errors = self._predicted(list(first.values()))
        y = y - offsets
        spread = _UNSEEN_SPREAD if self._log else float(np.std(y)) if len(y) else 1.0
        if self._trend is not None:  # Where little was measured here, another study tells how far numbers lie apart.
            spread = max(spread, self._trend.spread)
        self._spread = max(float(np.std(y)), 1e-9) if len(y) > 1 else 1.0
        self._model = GaussianProcess(
            _rows(list(first.values()), self._of),
            y,
            spread=float(np.median(errors)) if len(errors) and self._log else spread,
            kernels=kernel,
        )
        self._learns = len(y) > 0
        self._usual_error = float(np.median(errors)) if len(errors) else 0.0

    @property
    def noise(self) -> float:
        """Standard deviation of what is measured, or of its logarithm, around what is behind it."""
        return self._model.noise

    def estimate(self, distinct: Sequence[Candidate]) -> Estimate:
        """What is known or expected of candidates whose keys differ."""
        known = np.array([self._known.get(candidate.key(self._of), math.nan) for candidate in distinct])
        open_to_tell = np.flatnonzero(np.isnan(known))
        sure = _SURE * (1.0 if self._log else self._spread)
        mean, sd = known, np.full(len(known), sure)
        asked = [distinct[int(index)] for index in open_to_tell]
        offsets, errors = self._predicted(asked)
        told, told_sd = self._model.predict(_rows(asked, self._of), with_noise=self._of is not BearsOn.QUALITY)
        mean[open_to_tell] = told + offsets
        # What the model learnt is how far off the predictions of measured candidates were; others may be less sure.
        beyond = np.sqrt(np.maximum(errors**2 - self._usual_error**2, 0.0))
        sd[open_to_tell] = np.hypot(told_sd, beyond) if self._learns else errors
        return Estimate(mean=mean, sd=np.maximum(sd, sure), log=self._log)

    def _predicted(self, candidates: Sequence[Candidate]) -> tuple[Array, Array]:
        """What is predicted (of logarithms, where these are modelled), and the standard deviation of its error."""
        unknown = _UNSEEN_SPREAD if self._log else 1.0
        offsets, errors = np.zeros(len(candidates)), np.full(len(candidates), unknown)
        for index, candidate in enumerate(candidates):
            if (prediction := candidate.predicted.get(self._name)) is not None:
                value, error = prediction.value, prediction.relative_error
                offsets[index] = math.log(value) if self._log else value
                errors[index] = error if self._log else error * abs(value)
        if self._trend is not None:
            offsets += self._trend.at(candidates)
        return offsets, errors


def _rows(candidates: Sequence[Candidate], of: BearsOn) -> Array:
    if not candidates:
        return np.empty((0, 0))
    return np.array([candidate.rows[of] for candidate in candidates])
