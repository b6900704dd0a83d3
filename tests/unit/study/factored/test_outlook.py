"""What is left to gain: beyond the errors, and within an hour."""

from types import SimpleNamespace

import numpy as np
import pytest

from terrasweep.results import pareto
from terrasweep.study.factored.outlook import BEYOND, gain_within, look_ahead, most_promised
from terrasweep.study.factored.proposal import Compared
from tests.unit.study.factored.small_space import numbers
from tests.unit.study.factored.test_proposal import FOUND, REFERENCE, members, ranking

TRIED = [candidate.settings for candidate in FOUND.pool[:14]]


def looked_ahead(asked, among=FOUND.pool):
    return look_ahead(asked, among, 500, lambda candidate: True)


def outlook(settings, among):
    return looked_ahead(ranking(settings), among)


def test_the_hypervolume_is_of_what_is_measured():
    rows = [numbers(settings) for settings in TRIED]
    assert outlook(TRIED, FOUND.pool).hypervolume == pareto.hypervolume(rows, [True, True, False], REFERENCE)


def test_what_the_best_candidate_promises_is_left_less_what_errors_explain():
    asked = ranking(TRIED)
    promised = max(p.promise for p in asked.best(FOUND.pool, 500))
    assert looked_ahead(asked).left > 0
    asked._models.noise = lambda objective: 0.0
    assert looked_ahead(asked).left == pytest.approx(promised)
    asked._models.noise = lambda objective: 0.05
    assert looked_ahead(asked).left < 0.8 * promised
    asked._models.noise = lambda objective: 10.0
    assert looked_ahead(asked).left == 0.0


def test_of_logarithms_the_noise_is_a_factor():
    asked = ranking(TRIED)
    noise = {"accuracy": 0.01, "speed": 0.1, "memory": 0.1}
    asked._models.noise = lambda objective: noise[objective.name]
    objectives = asked._objectives
    estimates = [asked._models.estimate(objective, FOUND.pool[:1]) for objective in objectives]
    moved = asked._improved(estimates, BEYOND)[0]
    accuracy, speed, memory = asked.measured[0]
    assert moved == pytest.approx([accuracy + 0.02, speed * np.exp(0.2), memory * np.exp(-0.2)])


def test_nothing_is_left_where_all_was_tried():
    known = {"bits": "full", "rate": 0.01, "store": "keep"}
    found = outlook([known], [FOUND.of(known)])
    assert (found.left, found.next_hour) == (0.0, 0.0)


def test_what_may_not_be_proposed_promises_nothing():
    groups, gains = np.array([0, 0, 0, 0, 1, 2]), [0.5, 1.0, 0.25]
    found = Compared(
        ordered=list("abcdef"), groups=groups, fits=np.ones(6), chances=np.array([gains], np.float32), volume_each=1.0
    )
    assert most_promised(found, lambda candidate: True) == 1.0
    assert most_promised(found, lambda candidate: candidate not in "ae") == 0.5
    assert most_promised(found, lambda candidate: candidate in "df") == 0.25
    assert most_promised(found, lambda candidate: False) == 0.0


def proposals(*pairs):
    return [SimpleNamespace(rate=rate, seconds=seconds) for rate, seconds in pairs]


def compared(*chances):
    columns = np.array(chances, dtype=np.float32).T
    return Compared(ordered=(), groups=np.array([]), fits=np.array([]), chances=columns, volume_each=0.5)


def test_what_two_promise_together_is_gained_once():
    both = compared([1.0, 0.5], [1.0, 0.0])
    assert gain_within(100, both, proposals((2, 10), (1, 10))) == pytest.approx(0.75)
    assert gain_within(100, both, proposals((1, 10), (2, 10))) == pytest.approx(0.75)


def test_the_best_per_second_come_first_and_of_the_last_one_a_part():
    apart = compared([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    asked = proposals((1, 60), (3, 60), (2, 60))
    assert gain_within(90, apart, asked) == pytest.approx(0.75)
    assert gain_within(60, apart, asked) == pytest.approx(0.5)
    assert gain_within(30, apart, asked) == pytest.approx(0.25)
    assert gain_within(1e6, apart, asked) == pytest.approx(1.5)


def test_members_of_a_group_gain_together():
    untried = {"bits": "few", "rank": 16, "rate": 0.02, "store": "none"}
    alone = [member for member in members(untried) if member.settings["store"] == "keep"]
    tried = [settings for settings in TRIED if FOUND.of(settings).quality != FOUND.of(untried).quality]
    assert outlook(tried, members(untried)).left > outlook(tried, alone).left
