"""A length in epochs is as many steps as the training split gives."""

from types import SimpleNamespace

import pytest

from terrasweep.results.errors import InvalidConfig
from terrasweep.training.length import training_steps, validation_steps
from tests.composing import compose_trial

DATA = SimpleNamespace(batches_per_epoch=5)
EPOCHS = ("train.max_steps=null", "train.epochs=3")


def test_steps_are_the_timed_and_the_untimed_ones():
    assert training_steps(compose_trial("train.max_steps=10", "train.untimed_steps=2"), DATA) == 12


def test_epochs_hold_the_untimed_steps():
    assert training_steps(compose_trial(*EPOCHS, "train.untimed_steps=2"), DATA) == 15


def test_epochs_of_untimed_steps_alone_are_refused():
    with pytest.raises(InvalidConfig, match=r"train\.epochs=3: the training split gives 15 steps, and"):
        training_steps(compose_trial(*EPOCHS, "train.untimed_steps=15"), DATA)


@pytest.mark.parametrize(("every", "steps"), [("7", 7), ("epoch", 5), ("2epochs", 10), ("null", None)])
def test_validations_in_steps(every, steps):
    assert validation_steps(compose_trial(f"train.validate_every={every}"), DATA) == steps
