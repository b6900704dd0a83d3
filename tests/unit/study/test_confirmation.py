"""Rounds of probes: everybody once per round, in orders of their own, disturbed ones again, and nothing twice."""

import pytest

from terrasweep.config.reuse import ConfirmConfig
from terrasweep.results.extra_trainings import probe_name, probed_trial
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.confirmation import plan_round
from terrasweep.study.search_space import SearchSpace


def trial(number, cost_key="", **given):
    config = {"train": {"seed": 0}}
    return TrialResult(number=number, state=State.COMPLETE, cost_key=cost_key, **{"config": config} | given)


def probe(disturbed=None):
    return TrialResult(number=None, state=State.COMPLETE, measurements={"disturbed": disturbed})


def run_all(near, settings, disturbed=lambda name: None, seed=0):
    """The names of the probes, round by round."""
    done, rounds = {}, []
    while probes := plan_round(near, settings, SearchSpace((), ()), done, seed):
        rounds.append([each.name for each in probes])
        done |= {each.name: probe(disturbed(each.name)) for each in probes}
        assert len(rounds) < 20
    return rounds


NEAR = [trial(number) for number in range(8)]


def test_each_round_has_everybody_once_in_its_own_order():
    first, second, third = run_all(NEAR, ConfirmConfig(rounds=3))
    orders = [[probed_trial(name) for name in names] for names in (first, second, third)]
    assert all(sorted(order) == list(range(8)) for order in orders)
    assert len({tuple(order) for order in orders} | {tuple(range(8))}) == 4
    assert {name.split("-")[1] for name in second} == {"round2"}
    assert run_all(NEAR, ConfirmConfig(rounds=3)) == [first, second, third], "a restart goes on in the same order"
    assert run_all(NEAR, ConfirmConfig(rounds=3), seed=1) != [first, second, third]


def test_no_round_is_no_probe():
    assert run_all(NEAR, ConfirmConfig(rounds=0)) == []


def test_trials_with_the_same_memory_and_speed_are_probed_as_one():
    near = [trial(4, "a"), trial(2, "a"), trial(3, "b"), trial(7)]
    (names,) = run_all(near, ConfirmConfig(rounds=1))
    assert sorted(names) == ["2-round1", "3-round1", "7-round1"]


def test_what_was_disturbed_is_made_up_for_later_up_to_a_limit():
    settings = ConfirmConfig(rounds=2, disturbed_again=2)
    always = run_all(NEAR[:2], settings, lambda name: "a busy host" if probed_trial(name) == 0 else None)
    assert [sorted(names) for names in always] == [
        ["0-round1", "1-round1"],
        ["0-round2", "1-round2"],
        ["0-round3"],
        ["0-round4"],
    ]
    once = run_all(NEAR[:2], settings, lambda name: "a busy host" if name == "1-round1" else None)
    assert [len(names) for names in once] == [2, 2, 1]


def test_who_comes_near_the_front_later_makes_up_for_its_rounds():
    settings, done = ConfirmConfig(rounds=2), {probe_name(0, 1): probe(), probe_name(0, 2): probe()}
    probes = plan_round(NEAR[:2], settings, SearchSpace((), ()), done, 0)
    assert [each.name for each in probes] == ["1-round1"]


def test_a_trial_of_which_only_the_numbers_are_left_is_not_probed():
    assert run_all([trial(0, config={})], ConfirmConfig(rounds=1)) == []


def test_a_probe_says_that_it_is_one():
    (first,) = plan_round([trial(5)], ConfirmConfig(rounds=1), SearchSpace((), ()), {}, 0)
    assert first.overrides[-2:] == ("probe.alone=true", "train.count_flops=false")
    assert first.settings == {}


@pytest.mark.parametrize(("name", "expected"), [("12-round3", 12), ("12-seed3", None), ("notes", None)])
def test_a_probe_s_name_says_of_which_trial(name, expected):
    assert probed_trial(name) == expected
