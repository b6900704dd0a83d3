"""What candidates will come to: their objectives, whether they fit, and what a training or a probe will take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from terrasweep.study.factored.candidates import Candidate
from terrasweep.study.factored.gaussian_process import GaussianProcess
from terrasweep.study.factored.history import History
from terrasweep.study.factored.quantities import PROBE_SECONDS, TRAINING_SECONDS, BearsOn, Quantity

Array = NDArray[np.float64]

PROBE_SHARE = 0.1
"""What a probe is taken to need of a training's seconds, until both were seen."""
_SURE = 1e-6
"""Standard deviation of what was measured, in units of its spread or as a share."""
_LEAST_CHANCE = 0.02
"""Of fitting, where only others like it have failed."""
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
        with np.errstate(divide="ignore"):
            at = np.log(np.maximum(bounds, 0.0)) if self.log else bounds
        sign = 1.0 if at_least else -1.0
        away = sign * (self.mean[None, :] - at[:, None]) / self.sd[None, :]
        chances: NDArray[np.float32] = ndtr(away.astype(np.float32))
        return chances

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
        objectives: Sequence[Quantity],
        limited: Sequence[Quantity],
        kernels: dict[str, dict[str, Any]],
        *,
        sure: bool = False,
    ) -> None:
        """Fit them to what was measured.

        Args:
            history: The trials so far.
            objectives: What is searched for.
            limited: What must not be exceeded.
            kernels: Kept from one moment to the next.
            sure: Whether the models are taken to be right; for comparison.
        """
        self._history, self._limited, self._kernels = history, limited, kernels
        self._sd_factor = 0.0 if sure else 1.0
        quantities = {quantity.name: quantity for quantity in (*objectives, *limited)}
        self._last: dict[str, tuple[Sequence[Candidate], Estimate]] = {}
        self._models = {name: _NumberModel(q, history, self._kernel(name)) for name, q in quantities.items()}

    def _kernel(self, name: str) -> dict[str, Any]:
        return self._kernels.setdefault(name, {})

    def estimate(self, quantity: Quantity, candidates: Sequence[Candidate]) -> Estimate:
        """An objective, or a limited measurement, of candidates."""
        asked, found = self._last.get(quantity.name, (None, None))
        if found is None or asked is not candidates:  # What is limited is often an objective, too.
            found = self._models[quantity.name].estimate(candidates)
            found = Estimate(mean=found.mean, sd=np.maximum(self._sd_factor * found.sd, 1e-9), log=found.log)
            self._last[quantity.name] = (candidates, found)
        return found

    def chance_to_fit(self, candidates: Sequence[Candidate]) -> Array:
        """How likely candidates come to an answer within their limits."""
        chances = np.ones(len(candidates))
        for quantity in self._limited:
            most = np.array([quantity.most])
            chances *= self.estimate(quantity, candidates).chance_of(most, at_least=False)[0]
        seen = self._history.fits
        if any(not fits for _, fits in seen):
            x = np.array([candidate.rows[BearsOn.BOTH] for candidate, _ in seen])
            y = np.array([float(fits) for _, fits in seen])
            model = GaussianProcess(x, y, spread=0.3, kernels=self._kernel("fits"))
            chances *= np.clip(model.expect(_rows(candidates, BearsOn.BOTH)), _LEAST_CHANCE, 1.0)
        return chances

    def seconds(self, candidates: Sequence[Candidate]) -> tuple[Array, Array]:
        """What a training of each candidate will take, and a probe."""
        seen = self._history.seconds
        kinds = {probed for _, _, probed in seen}
        rows = [_with_kind(candidate, probed and len(kinds) > 1) for candidate, _, probed in seen]
        told = np.array([_expected_seconds(candidate, probed=probed) for candidate, _, probed in seen])
        logs = np.array([math.log(seconds) for _, seconds, _ in seen])
        x = np.array(rows) if rows else np.empty((0, 0))
        model = GaussianProcess(x, logs - told, spread=_UNSEEN_SPREAD, kernels=self._kernel("seconds"))
        both = []
        for probed in (False, True):
            x = np.array([_with_kind(candidate, probed and len(kinds) > 1) for candidate in candidates])
            offset = np.array([_expected_seconds(candidate, probed=probed) for candidate in candidates])
            both.append(np.exp(model.expect(x) + offset))
        return both[0], both[1]


def _with_kind(candidate: Candidate, probed: bool) -> list[float]:
    return [*candidate.rows[BearsOn.BOTH], float(probed)]


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
        offsets, errors = self._predicted(list(first.values()))
        y = np.array(list(self._known.values())) - offsets
        spread = _UNSEEN_SPREAD if self._log else float(np.std(y)) if len(y) else 1.0
        self._spread = max(float(np.std(y)), 1e-9) if len(y) > 1 else 1.0
        self._model = GaussianProcess(
            _rows(list(first.values()), self._of),
            y,
            spread=float(np.median(errors)) if len(errors) and self._log else spread,
            kernels=kernel,
        )
        self._learns = len(y) > 0

    def estimate(self, candidates: Sequence[Candidate]) -> Estimate:
        """What is known or expected of candidates."""
        offsets, errors = self._predicted(candidates)
        firsts: dict[Any, Candidate] = {}
        for candidate in candidates:
            firsts.setdefault(candidate.key(self._of), candidate)
        place = {key: index for index, key in enumerate(firsts)}
        places = np.array([place[candidate.key(self._of)] for candidate in candidates], dtype=np.intp)
        rows = _rows(list(firsts.values()), self._of)
        mean, sd = self._model.predict(rows, with_noise=self._of is not BearsOn.QUALITY)
        mean, sd = mean[places], sd[places]
        if not self._learns:
            sd = errors
        mean = mean + offsets
        sure = _SURE * (1.0 if self._log else self._spread)
        for index, candidate in enumerate(candidates):
            if (known := self._known.get(candidate.key(self._of))) is not None:
                mean[index], sd[index] = known, sure
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
        return offsets, errors


def _rows(candidates: Sequence[Candidate], of: BearsOn) -> Array:
    if not candidates:
        return np.empty((0, 0))
    return np.array([candidate.rows[of] for candidate in candidates])
