"""Candidates are whole, drawn by the space's own rules, and the same for the same seed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import create_trial

from terrasweep.study.factored.candidates import Candidates, draw_independently, draw_value, identity_of, split_by
from terrasweep.study.factored.quantities import BearsOn
from tests.unit.study.factored import small_space

DISTRIBUTIONS = [
    CategoricalDistribution(["a", None, 3, True]),
    IntDistribution(1, 64, log=True),
    IntDistribution(-3, 10, step=4),
    FloatDistribution(0.0, 1.0, step=0.1),
    FloatDistribution(1e-5, 1e-2, log=True),
    FloatDistribution(2.0, 2.0),
]


@given(st.sampled_from(DISTRIBUTIONS), st.integers(0, 10_000))
def test_a_drawn_value_belongs_to_its_distribution(distribution, seed):
    value = draw_value(distribution, np.random.default_rng(seed))
    trial = create_trial(value=0.0, params={"x": value}, distributions={"x": distribution})  # It refuses any other.
    assert trial.params == {"x": value}


def test_every_value_is_drawn():
    rng = np.random.default_rng(0)
    assert {draw_value(IntDistribution(-3, 10, step=4), rng) for _ in range(200)} == {-3, 1, 5, 9}
    assert {round(draw_value(FloatDistribution(0.0, 0.3, step=0.1), rng), 9) for _ in range(200)} == {0, 0.1, 0.2, 0.3}
    assert {draw_value(IntDistribution(1, 4, log=True), rng) for _ in range(200)} == {1, 2, 3, 4}


def test_the_same_seed_gives_the_same_candidates_whatever_was_asked_before():
    one, other = small_space.candidates(seed=4), small_space.candidates(seed=4)
    one.fresh(10, 1)
    one.members(one.pool[3], 8)
    for found in ([c.pool for c in (one, other)], [c.fresh(9, 2) for c in (one, other)]):
        assert [c.identity for c in found[0]] == [c.identity for c in found[1]]
    assert [c.identity for c in one.members(one.pool[0], 8)] == [c.identity for c in other.members(other.pool[0], 8)]
    assert [c.identity for c in one.pool] != [c.identity for c in small_space.candidates(seed=5).pool]


def test_members_share_what_bears_on_quality_and_have_each_cost_once():
    found = small_space.candidates()
    for candidate in found.pool[:20]:
        members = found.members(candidate, 24)
        assert candidate in members
        assert {member.quality for member in members} == {candidate.quality}
        assert sorted(member.settings["store"] for member in members) == ["half", "keep", "none"]


def test_neighbours_differ_in_one_setting_and_what_depends_on_it():
    found = small_space.candidates()
    for candidate in found.pool[:20]:
        for neighbour in found.neighbours(candidate, 2, number=7):
            names = {n for n in small_space.SPACE if neighbour.settings.get(n) != candidate.settings.get(n)}
            assert len(names) <= 1 or names == {"bits", "rank"}


def test_no_candidate_is_in_the_pool_twice_and_a_small_space_is_there_whole():
    space = {"x": CategoricalDistribution([1, 2, 3]), "y": CategoricalDistribution(["a", "b"])}
    found = Candidates(space, draw_independently(space), split_by("x", "y"), None, seed=0, drawn=500)
    assert sorted(c.identity for c in found.pool) == sorted(
        identity_of({"x": x, "y": y}) for x in (1, 2, 3) for y in ("a", "b")
    )
    assert {len(c.rows[BearsOn.QUALITY]) for c in found.pool} == {1}


def test_numbers_of_numpy_are_those_of_python():
    found = small_space.candidates()
    plain = found.of({"bits": "full", "rate": 0.01, "store": "keep"})
    assert found.of({"bits": "full", "rate": np.float64(0.01), "store": "keep"}) is plain
