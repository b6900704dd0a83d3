"""A Gaussian process with a linear part, for few points: its settings have priors, and are kept while points come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular

Matrix = NDArray[np.float64]

FEWEST = 4
"""With fewer points nothing is learnt but their mean."""
_MOST_FITTED = 96
"""How many of the points the kernel's settings are fitted to; all of them count for what is predicted."""
_STEPS = 25
_JITTER = 1e-8
_LENGTHS, _NOISES = (0.05, 30.0), (1e-6, 1.0)


class GaussianProcess:
    """What numbers will be at other points, with how sure that is.

    The covariance is a linear part, a Matern 5/2 part with a length for each column, and noise. Their settings are the
    most probable ones (Rasmussen and Williams 2006, chapter 5) under log-normal priors, since a likelihood alone is
    sure of itself after a handful of points.
    """

    def __init__(self, x: Matrix, y: Matrix, *, spread: float, kernels: dict[str, Any]) -> None:
        """Fit it.

        Args:
            x: Points, shape (n, d).
            y: Their numbers, shape (n,), in the order they were measured.
            spread: How far numbers are taken to lie apart where too few are known.
            kernels: Keeps the kernel's settings from one fit to the next; they are fitted anew as points become half as
                many again, and to those that were there then, so that whoever comes later finds the same ones.
        """
        self._centre = float(np.mean(y)) if len(y) else 0.0
        self._scale = max(float(np.std(y)) if len(y) else 0.0, 1e-3 * spread, 1e-12)
        self._fallback = max(self._scale, spread)
        self._covariance: Covariance | None = None
        if len(y) >= FEWEST and x.shape[1]:
            self._covariance, self._x = _fitted(x, y, kernels), x
            own = self._covariance.between(x, x) + (self._covariance.noise + _JITTER) * np.eye(len(x))
            self._root: Matrix = cholesky(own, lower=True, check_finite=False)
            # The covariance was fitted to numbers of unit spread.
            self._weights: Matrix = cho_solve((self._root, True), (y - self._centre) / self._scale, check_finite=False)

    def predict(self, x: Matrix, *, with_noise: bool) -> tuple[Matrix, Matrix]:
        """Means and standard deviations, each of shape (n,).

        Args:
            x: Points, shape (n, d).
            with_noise: Whether of what would be measured, or of what is behind it.
        """
        if self._covariance is None or not len(x):
            return np.full(len(x), self._centre), np.full(len(x), self._fallback)
        shared = self._covariance.between(self._x, x)
        known: Matrix = solve_triangular(self._root, shared, lower=True, check_finite=False)
        variance = self._covariance.own(x) - np.einsum("ij,ij->j", known, known)
        variance += self._covariance.noise if with_noise else 0.0
        mean: Matrix = self._centre + self._scale * (self._weights @ shared)
        return mean, self._scale * np.sqrt(np.maximum(variance, 1e-10))

    @property
    def noise(self) -> float:
        """Standard deviation of what is measured around what is behind it; 0 where too few points tell."""
        return 0.0 if self._covariance is None else self._scale * math.sqrt(self._covariance.noise)

    def expect(self, x: Matrix) -> Matrix:
        """The means of :meth:`predict` alone, which take a fraction of the time."""
        if self._covariance is None or not len(x):
            return np.full(len(x), self._centre)
        mean: Matrix = self._centre + self._scale * (self._weights @ self._covariance.between(self._x, x))
        return mean


@dataclass(frozen=True, kw_only=True, eq=False)
class Covariance:
    """The fitted settings of a linear part, a Matern 5/2 part and noise, as scikit-learn's kernels mean them."""

    linear: float
    smooth: float
    lengths: Matrix
    """Of the Matern part, one for each column."""
    noise: float

    def between(self, x: Matrix, others: Matrix) -> Matrix:
        """Of each point with each other one, without noise; shape (n, m)."""
        scaled, other = x / self.lengths, others / self.lengths
        squares = (scaled**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :] - 2.0 * (scaled @ other.T)
        apart = np.sqrt(5.0 * np.maximum(squares, 0.0))
        smooth = self.smooth * (1.0 + apart + apart**2 / 3.0) * np.exp(-apart)
        covariance: Matrix = smooth + self.linear * (1.0 + x @ others.T)
        return covariance

    def own(self, x: Matrix) -> Matrix:
        """Of each point with itself, without noise; shape (n,)."""
        variance: Matrix = self.smooth + self.linear * (1.0 + (x**2).sum(axis=1))
        return variance


def _fitted(x: Matrix, y: Matrix, kernels: dict[str, Any]) -> Covariance:
    count = _fit_at(len(y))
    used = np.unique(np.linspace(0, count - 1, min(count, _MOST_FITTED)).astype(int))
    numbers = y[used]
    key = (x[used].tobytes(), numbers.tobytes())
    if kernels.get("key") != key:
        scale = float(np.std(numbers)) or 1.0
        kernels |= {"key": key, "covariance": fit_covariance(x[used], (numbers - numbers.mean()) / scale)}
    covariance: Covariance = kernels["covariance"]
    return covariance


def _fit_at(count: int) -> int:
    """The last number of points at which the kernel was fitted."""
    at = FEWEST
    while (following := at + max(2, at // 2)) <= count:
        at = following
    return at


def fit_covariance(x: Matrix, y: Matrix) -> Covariance:
    """The most probable settings for numbers of unit spread."""
    from scipy.optimize import minimize
    from sklearn.gaussian_process import GaussianProcessRegressor  # A second, and only what learns needs it.
    from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel

    columns = x.shape[1]
    kernel = (
        ConstantKernel(0.3, (1e-3, 1e2)) * DotProduct(1.0, "fixed")
        + ConstantKernel(0.5, (1e-3, 1e2)) * Matern(np.full(columns, 1.0), _LENGTHS, nu=2.5)
        + WhiteKernel(0.01, _NOISES)
    )
    expected, width = np.array(kernel.theta), np.array([1.5, 1.0, *np.full(columns, 1.0), 1.5])

    def most_probable(unlikelihood: Any, start: Matrix, bounds: Matrix) -> tuple[Matrix, float]:
        def with_priors(theta: Matrix) -> tuple[float, Matrix]:
            value, slope = unlikelihood(theta)
            away = (theta - expected) / width
            return float(value + 0.5 * (away @ away)), slope + away / width

        options = {"maxiter": _STEPS}
        found = minimize(with_priors, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options)
        return found.x, float(found.fun)

    fitted = GaussianProcessRegressor(kernel, alpha=_JITTER, optimizer=most_probable).fit(x, y).kernel_
    linear, smooth = fitted.k1.k1, fitted.k1.k2
    return Covariance(
        linear=linear.k1.constant_value,
        smooth=smooth.k1.constant_value,
        lengths=np.atleast_1d(smooth.k2.length_scale),
        noise=fitted.k2.noise_level,
    )
