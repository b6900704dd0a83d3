"""It interpolates, extrapolates a trend, is less sure farther off, and does not depend on when it was asked."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel

from terrasweep.study.factored.gaussian_process import GaussianProcess


def points(count, seed=0):
    x = np.random.default_rng(seed).random((count, 2))
    return x, np.sin(4 * x[:, 0]) + 2 * x[:, 1]


def test_it_knows_what_it_was_told_and_comes_near_between():
    x, y = points(40)
    model = GaussianProcess(x, y, spread=1.0, kernels={})
    told, told_sd = model.predict(x, with_noise=False)
    assert told == pytest.approx(y, abs=0.05)
    between, true = points(50, seed=1)
    guessed, sd = model.predict(between, with_noise=False)
    assert np.abs(guessed - true).mean() < 0.1 * true.std()
    assert told_sd.mean() < sd.mean()


def test_its_predictions_are_those_of_scikit_learn_with_the_same_covariance():
    x, y = points(30)
    kernels = {}
    model = GaussianProcess(x, y, spread=1.0, kernels=kernels)
    found = kernels["covariance"]
    kernel = ConstantKernel(found.linear) * DotProduct(1.0) + ConstantKernel(found.smooth) * Matern(
        found.lengths, nu=2.5
    )
    theirs = GaussianProcessRegressor(kernel + WhiteKernel(found.noise), alpha=1e-8, optimizer=None)
    others, _ = points(20, seed=1)
    mean, sd = theirs.fit(x, (y - y.mean()) / y.std()).predict(others, return_std=True)
    own_mean, own_sd = model.predict(others, with_noise=True)
    assert own_mean == pytest.approx(y.mean() + y.std() * mean, rel=1e-6)
    assert own_sd == pytest.approx(y.std() * sd, rel=1e-5)


def test_a_trend_goes_on():
    x = np.linspace(0, 0.5, 8)[:, None]
    mean, sd = GaussianProcess(x, 3 * x[:, 0], spread=1.0, kernels={}).predict(
        np.array([[0.25], [1.0]]), with_noise=True
    )
    assert mean[0] == pytest.approx(0.75, abs=0.01)
    assert 1.5 < mean[1] < 3.2  # Beyond all that was seen.
    assert sd[1] > sd[0]


def test_noise_is_told_from_what_is_behind_it():
    rng = np.random.default_rng(0)
    x = rng.random((60, 1))
    y = x[:, 0] + 0.2 * rng.standard_normal(60)
    model = GaussianProcess(x, y, spread=1.0, kernels={})
    behind, measured = (model.predict(np.array([[0.5]]), with_noise=noise)[1][0] for noise in (False, True))
    assert behind < 0.1 < measured < 0.4


@pytest.mark.parametrize("y", [[], [2.0], [2.0, 4.0]])
def test_of_a_few_points_it_learns_the_mean_alone(y):
    x = np.arange(len(y), dtype=float)[:, None]
    mean, sd = GaussianProcess(x, np.array(y), spread=0.5, kernels={}).predict(np.array([[9.0]]), with_noise=True)
    assert (mean[0], sd[0]) == (np.mean(y) if y else 0.0, max(0.5, np.std(y) if y else 0.0))


def test_equal_numbers_are_expected_again():
    x, _ = points(10)
    mean, sd = GaussianProcess(x, np.full(10, 7.0), spread=1.0, kernels={}).predict(x + 0.1, with_noise=True)
    assert mean == pytest.approx(np.full(10, 7.0))
    assert sd.max() < 0.01


def test_whoever_comes_later_finds_the_same_kernel():
    x, y = points(23)
    kernels = {}
    for count in range(4, 24):
        carried = GaussianProcess(x[:count], y[:count], spread=1.0, kernels=kernels)
    anew = GaussianProcess(x, y, spread=1.0, kernels={})
    others, _ = points(5, seed=3)
    assert carried.expect(others) == pytest.approx(carried.predict(others, with_noise=True)[0])
    for one, other in zip(carried.predict(others, with_noise=True), anew.predict(others, with_noise=True), strict=True):
        assert (one == other).all()
