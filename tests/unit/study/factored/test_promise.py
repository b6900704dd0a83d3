"""Expected gains of hypervolume, against exact volumes and against chance."""

import moocore
import numpy as np
import pytest

from terrasweep.study.factored.forecast import Estimate
from terrasweep.study.factored.promise import find_open_region, gains_of, group_chances

MAXIMIZE = [True, False]
REFERENCE = [(0.0, 1.0), (10.0, 5.0)]


def volume(rows):
    gains = gains_of(np.array(rows), MAXIMIZE, REFERENCE)
    return moocore.hypervolume(gains, ref=np.zeros(2), maximise=True)


def test_the_open_region_has_the_volume_that_can_be_gained():
    front, hoped = [[0.5, 5.0], [0.8, 8.0]], [[0.7, 4.0], [0.9, 7.0], [0.4, 9.0], [-1.0, 1.0]]
    region = find_open_region(np.array(front), np.array(hoped), MAXIMIZE, REFERENCE, count=2000)
    assert len(region.points) * region.volume_each == pytest.approx(volume(front + hoped[:3]) - volume(front), rel=0.03)
    assert (region.points[:, 0] > 0).all()
    assert (region.points[:, 1] < 10).all()


def test_nothing_is_open_where_nothing_is_better():
    region = find_open_region(np.array([[0.9, 1.0]]), np.array([[0.8, 2.0]]), MAXIMIZE, REFERENCE, count=500)
    assert len(region.points) == 0


def test_a_group_gains_what_chance_says_it_gains():
    """Two members share an accuracy; their memories are independent, and one of them may not fit."""
    rng = np.random.default_rng(0)
    front = np.array([[0.5, 5.0], [0.8, 8.0]])
    accuracy = Estimate(mean=np.array([0.75]), sd=np.array([0.08]), log=False)
    memory = Estimate(mean=np.log([4.5, 6.0]), sd=np.array([0.1, 0.2]), log=True)
    fits = np.array([1.0, 0.6])
    region = find_open_region(front, np.array([[1.1, 2.5]]), MAXIMIZE, REFERENCE, count=6000)
    of_quality = accuracy.chance_of(region.points[:, 0], at_least=True)
    of_cost = memory.chance_of(region.points[:, 1], at_least=False) * fits.astype(np.float32)
    found = group_chances(of_quality, of_cost, np.array([0, 0])).sum(axis=0) * region.volume_each
    gains = []
    for _ in range(2000):
        reached = rng.normal(0.75, 0.08)
        rows = [[reached, float(np.exp(rng.normal(m, s)))] for m, s in zip(memory.mean, memory.sd, strict=True)]
        rows = [row for row, chance in zip(rows, fits, strict=True) if rng.random() < chance]
        gains.append(volume([*front.tolist(), *rows]) - volume(front))
    assert found == pytest.approx([np.mean(gains)], rel=0.07)


def test_groups_are_told_apart():
    of_quality = np.array([[1.0, 0.5]], dtype=np.float32)
    of_cost = np.array([[0.5, 0.5, 1.0]], dtype=np.float32)
    found = group_chances(of_quality, of_cost, np.array([0, 0, 1]))
    assert found == pytest.approx(np.array([[0.75, 0.5]]), rel=1e-4)
