"""Which repeats a front gets, in which order, and how a budget of them is spent."""

import pytest

from terrasweep.config.schema import RepeatsConfig
from terrasweep.results.states import State
from terrasweep.results.trial_result import TrialResult
from terrasweep.study.repeats import plan_repeats
from terrasweep.study.search_space import parse_space

SPACE = parse_space({"tuning.rank": "choice(2,4,8)", "tuning.targets": "choice(mlp,[attn.qkv])"}, [])


def trial(number, key="", seed=0, **searched):
    return TrialResult(
        number=number, state=State.COMPLETE, quality_key=key, config={"train": {"seed": seed}}, searched=searched
    )


FRONT = [trial(7, seed=40, **{"tuning.rank": 4, "tuning.targets": "mlp"}), trial(3, **{"tuning.rank": 8})]


def names(front, done=(), **settings):
    return [training.name for training in plan_repeats(front, RepeatsConfig(**settings), SPACE, done)]


def test_each_seed_comes_to_all_trials_before_the_next():
    assert names(FRONT, seeds=2) == ["3-seed1", "7-seed41", "3-seed2", "7-seed42"]
    assert names(FRONT, seeds=0) == []
    assert names([TrialResult(number=1, state=State.COMPLETE)], seeds=2) == [], "its configuration was lost"


def test_a_repeat_is_its_trial_with_another_seed():
    _, first, *_ = plan_repeats(FRONT, RepeatsConfig(seeds=2), SPACE, ())
    assert first.overrides == ("tuning.rank=4", "tuning.targets=mlp", "train.seed=41", "train.save_weights=false")
    assert first.settings == {"tuning.rank": 4, "tuning.targets": "mlp", "train.seed": 41}
    assert str(first.role) == "repeat"


def test_trials_with_the_same_accuracy_are_trained_once():
    assert names([trial(5, "k"), trial(2, "k"), trial(4, "other")], seeds=2) == [
        *("2-seed1", "4-seed1", "2-seed2", "4-seed2")
    ]


@pytest.mark.parametrize(
    ("most", "done", "now"),
    [
        (3, (), ["3-seed1", "7-seed41", "3-seed2"]),
        (3, ("3-seed1", "7-seed41"), ["3-seed1", "7-seed41", "3-seed2"]),
        (3, ("1-seed1", "1-seed2"), ["3-seed1"]),
        (2, ("1-seed1", "1-seed2", "1-seed3"), []),
        (99, ("1-seed1",), ["3-seed1", "7-seed41", "3-seed2", "7-seed42"]),
    ],
)
def test_a_budget_counts_what_earlier_starts_trained_also_of_trials_that_left_the_front(most, done, now):
    assert names(FRONT, done, seeds=2, n_trainings=most) == now
