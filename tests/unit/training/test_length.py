"""A length in epochs is as many steps as the training split gives."""

from types import SimpleNamespace

import pytest

from terrasweep.results.errors import InvalidConfig
from terrasweep.training.length import check_length, training_steps, validation_steps
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


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            [*EPOCHS, "schedule.warmup=15"],
            "schedule.warmup=15: the learning rate would rise in all 15 steps and never be train.lr; use fewer, or",
        ),
        ([*EPOCHS, "schedule=linear", "schedule.warmup=0.99"], "schedule.warmup=0.99: the learning rate would rise in"),
        (
            [*EPOCHS, "train.validate_every=16", "train.patience=4"],
            "train.patience=4 with train.validate_every=16: the training is over after 3 epochs, and nothing is",
        ),
        (
            ["train.max_steps=10", "train.untimed_steps=4", "train.validate_every=3epochs", "train.patience=2"],
            "train.patience=2 with train.validate_every=3epochs: the training is over after 14 steps, and nothing is",
        ),
        (
            [*EPOCHS, "train.validate_every=16", "schedule=plateau"],
            "schedule=plateau with train.validate_every=16: the training is over after 3 epochs, and nothing is",
        ),
        (
            ["train.max_steps=12", "train.validate_every=3epochs", "trial.judged=true"],
            "hydra/sweeper/pruner with train.validate_every=3epochs: the training is over after 15 steps, and nothing",
        ),
        (
            ["train.max_steps=12", "train.validate_every=3epochs", "study.stop_dominated=true", "trial.judged=true"],
            "study.stop_dominated=true with train.validate_every=3epochs: the training is over after 15 steps, and",
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else " ".join(given),
)
def test_what_would_never_come_in_so_few_batches_is_refused_in_one_line(overrides, said):
    with pytest.raises(InvalidConfig) as refused:
        check_length(compose_trial(*overrides), DATA)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(said)


@pytest.mark.parametrize(
    "overrides",
    [
        [*EPOCHS, "schedule.warmup=14"],
        [*EPOCHS, "train.validate_every=14", "train.keep=best", "train.patience=1"],
        [*EPOCHS, "train.validate_every=16", "train.keep=best"],
        ["train.max_steps=12", "train.untimed_steps=4", "train.validate_every=3epochs", "schedule=plateau"],
        ["train.max_steps=12", "train.validate_every=3epochs", "study.stop_dominated=true"],
    ],
    ids=" ".join,
)
def test_what_comes_just_before_the_end_is_let_pass_and_so_are_validations_that_nothing_heeds(overrides):
    check_length(compose_trial(*overrides), DATA)


def test_an_evaluation_by_itself_asks_for_no_training_split():
    """As of a trial whose weights are evaluated again: what it was trained by stays in its configuration."""
    check_length(compose_trial("train.max_steps=1", "schedule.warmup=50", "train.keep=best"), SimpleNamespace())
