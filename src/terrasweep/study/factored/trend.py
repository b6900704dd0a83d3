"""How a number went with the settings in other studies, on a scale that this study's own numbers fit.

The other study's numbers are modelled by a process of their own, and this one's are modelled relative to it: the
autoregressive model of Kennedy and O'Hagan (2000), "Predicting the output from a complex computer code when fast
approximations are available", as Golovin et al. (2017), "Google Vizier", stack studies. The factor between both is
taken to be 1, as strongly as a few measured points would say so, and follows what is measured here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrasweep.study.factored.candidates import Candidate
from terrasweep.study.factored.gaussian_process import GaussianProcess
from terrasweep.study.factored.quantities import BearsOn

Array = NDArray[np.float64]

_BELIEF = 4.0
"""As many points as measured here are needed to outweigh that the factor is 1."""


class Trend:
    """What other studies' numbers say of candidates: up or down from their usual one."""

    def __init__(
        self, seen: Mapping[str, Sequence[tuple[Candidate, float]]], of: BearsOn, kernels: dict[str, Any]
    ) -> None:
        """Model each of the other studies.

        Args:
            seen: Study to its candidates with their numbers.
            of: What the number depends on.
            kernels: Keeps the kernels' settings from one moment to the next.
        """
        self._of = of
        self._usual, self._models = [], []
        for study, numbers in seen.items():
            firsts: dict[Any, Candidate] = {}
            grouped: dict[Any, list[float]] = {}
            for candidate, value in numbers:
                firsts.setdefault(candidate.key(of), candidate)
                grouped.setdefault(candidate.key(of), []).append(value)
            y = np.array([np.mean(values) for values in grouped.values()])
            x = np.array([candidate.rows[of] for candidate in firsts.values()])
            model = GaussianProcess(x, y, spread=float(np.std(y)), kernels=kernels.setdefault(study, {}))
            self._usual.append(float(np.mean(y)))
            self._models.append(model)
        spreads = [float(np.std([value for _, value in numbers])) for numbers in seen.values()]
        self._spreads = np.array(spreads)
        self._factors = np.full(len(self._models), 1.0 / len(self._models))

    @property
    def spread(self) -> float:
        """How far numbers lie apart by the trend, in this study."""
        return float(np.abs(self._factors) @ self._spreads)

    def fit(self, candidates: Sequence[Candidate], values: Array) -> None:
        """Let the factors follow what was measured here: ridge regression towards what is taken to be.

        Args:
            candidates: That were measured.
            values: Their numbers, shape (n,).
        """
        if len(values) < 2:
            return
        columns = self._columns(candidates)
        columns = columns - columns.mean(axis=0)
        strength = np.diag(_BELIEF * np.maximum(self._spreads, 1e-12) ** 2)
        believed = np.full(len(self._models), 1.0 / len(self._models))
        rest = (values - values.mean()) - columns @ believed
        self._factors = believed + np.linalg.solve(columns.T @ columns + strength, columns.T @ rest)

    def at(self, candidates: Sequence[Candidate]) -> Array:
        """How far candidates' numbers are above the usual one, by the trend."""
        above: Array = self._columns(candidates) @ self._factors
        return above

    def _columns(self, candidates: Sequence[Candidate]) -> Array:
        """What each of the other studies says, shape (candidates, studies)."""
        if not candidates:
            return np.empty((0, len(self._models)))
        rows = np.array([candidate.rows[self._of] for candidate in candidates])
        return np.column_stack(
            [model.expect(rows) - usual for model, usual in zip(self._models, self._usual, strict=True)]
        )
