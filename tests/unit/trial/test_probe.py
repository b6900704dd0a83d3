"""A probe is a trial's beginning: as many timed steps as asked for, and everything else as in the whole training."""

import dataclasses

import pytest

from terrasweep.trial.keys import keys_of
from terrasweep.trial.probe import as_probe
from tests.composing import compose_trial


def test_a_probe_costs_what_the_training_costs_and_has_its_own_length():
    config = compose_trial("train.max_steps=500", "train.untimed_steps=3", "probe.steps=10")
    probe = as_probe(config)
    assert probe.train.steps == 13
    assert keys_of(probe).cost == keys_of(config).cost
    assert not probe.train.save_weights


@pytest.mark.parametrize(("untimed", "expected"), [(3, 3), (0, 1)])
def test_where_the_best_state_is_kept_one_is_kept_before_the_timed_steps(untimed, expected):
    length = ("train.max_steps=null", "train.epochs=50", f"train.untimed_steps={untimed}")
    kept = ("train.validate_every=2epochs", "train.keep=best", "train.patience=3")
    probe = as_probe(compose_trial(*length, *kept))
    assert (probe.train.keep, probe.train.validate_every) == ("best", expected)
    assert (probe.train.epochs, probe.train.patience) == (None, None)


def test_everything_else_stays():
    config = compose_trial("train.validate_every=5")
    assert dataclasses.replace(as_probe(config), train=config.train) == config
