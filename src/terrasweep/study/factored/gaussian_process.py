"""A Gaussian process with a linear part, for few points: its settings have priors, and are kept while points come."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Kernel, Matern, WhiteKernel

Matrix = NDArray[np.float64]

FEWEST = 4
"""With fewer points nothing is learnt but their mean."""
_MOST_FITTED = 96
"""How many of the points the kernel's settings are fitted to; all of them count for what is predicted."""
_STEPS = 25
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
        self._model: GaussianProcessRegressor | None = None
        if len(y) >= FEWEST and x.shape[1]:
            kernel = _fitted(x, y, kernels)
            self._noise = float(kernel.k2.noise_level)
            # The kernel was fitted to numbers of unit spread.
            self._model = GaussianProcessRegressor(kernel, alpha=1e-8, optimizer=None)
            self._model.fit(x, (y - self._centre) / self._scale)

    def predict(self, x: Matrix, *, with_noise: bool) -> tuple[Matrix, Matrix]:
        """Means and standard deviations, each of shape (n,).

        Args:
            x: Points, shape (n, d).
            with_noise: Whether of what would be measured, or of what is behind it.
        """
        if self._model is None or not len(x):
            return np.full(len(x), self._centre), np.full(len(x), self._fallback)
        mean, sd = self._model.predict(x, return_std=True)
        variance = sd**2 - (0.0 if with_noise else self._noise)
        return self._centre + self._scale * mean, self._scale * np.sqrt(np.maximum(variance, 1e-10))

    def expect(self, x: Matrix) -> Matrix:
        """The means of :meth:`predict` alone, which take a fraction of the time."""
        if self._model is None or not len(x):
            return np.full(len(x), self._centre)
        mean: Matrix = self._centre + self._scale * self._model.predict(x)
        return mean


class _WithPriors(GaussianProcessRegressor):
    """Adds to the likelihood what is known of the kernel's settings before."""

    centre: Matrix
    width: Matrix

    def log_marginal_likelihood(self, theta: Any = None, eval_gradient: bool = False, clone_kernel: bool = True) -> Any:
        found = super().log_marginal_likelihood(theta, eval_gradient=eval_gradient, clone_kernel=clone_kernel)
        if theta is None:
            return found
        away = (theta - self.centre) / self.width
        prior = -0.5 * float(away @ away)
        return (found[0] + prior, found[1] - away / self.width) if eval_gradient else found + prior


def _fitted(x: Matrix, y: Matrix, kernels: dict[str, Any]) -> Kernel:
    count = _fit_at(len(y))
    used = np.unique(np.linspace(0, count - 1, min(count, _MOST_FITTED)).astype(int))
    numbers = y[used]
    key = (x[used].tobytes(), numbers.tobytes())
    if kernels.get("key") != key:
        scale = float(np.std(numbers)) or 1.0
        kernels |= {"key": key, "kernel": _fit(x[used], (numbers - numbers.mean()) / scale)}
    kernel: Kernel = kernels["kernel"]
    return kernel


def _fit_at(count: int) -> int:
    """The last number of points at which the kernel was fitted."""
    at = FEWEST
    while (following := at + max(2, at // 2)) <= count:
        at = following
    return at


def _fit(x: Matrix, y: Matrix) -> Kernel:
    columns = x.shape[1]
    kernel = (
        ConstantKernel(0.3, (1e-3, 1e2)) * DotProduct(1.0, "fixed")
        + ConstantKernel(0.5, (1e-3, 1e2)) * Matern(np.full(columns, 1.0), _LENGTHS, nu=2.5)
        + WhiteKernel(0.01, _NOISES)
    )
    model = _WithPriors(kernel, alpha=1e-8, optimizer=_optimize)
    model.centre = np.array(kernel.theta)
    model.width = np.array([1.5, 1.0, *np.full(columns, 1.0), 1.5])
    return model.fit(x, y).kernel_


def _optimize(objective: Any, start: Matrix, bounds: Matrix) -> tuple[Matrix, float]:
    found = minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": _STEPS})
    return found.x, float(found.fun)
