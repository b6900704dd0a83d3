"""What is refused of a training's length, validation and learning rates, in one line each."""

import pytest

from terrasweep.config.train import Interval, TrainConfig, find_bad_values


def lines(**settings):
    return list(find_bad_values(TrainConfig(**settings)))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"max_steps": None, "epochs": 3},
        {"validate_every": 5, "keep": "best", "patience": 1},
        {"validate_every": 62, "patience": 1},
        {"validate_every": "2epochs"},
        {"validate_every": 1000},
        {"validate_every": 63, "keep": "best"},
        {"validate_every": 64, "keep": "best"},
        {"validate_every": 1000, "patience": 2, "max_steps": None, "epochs": 2},
        {"batch_size": 4, "accumulate": 4},
        {"clip_norm": 1.0, "backbone_lr_ratio": 0.1, "layer_decay": 0.7},
    ],
    ids=str,
)
def test_what_is_right_gives_no_line(settings):
    assert lines(**settings) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_steps": 0}, "train.max_steps=0: it must be at least 1"),
        ({"max_steps": None}, "train.max_steps=null: nothing says how long to train"),
        (
            {"epochs": 2},
            "train.epochs=2 with train.max_steps=60: one of them says the length; set train.max_steps=null",
        ),
        ({"epochs": 0, "max_steps": None}, "train.epochs=0: it must be at least 1"),
        ({"untimed_steps": -1}, "train.untimed_steps=-1: it can't be negative"),
        ({"validate_every": 0}, "train.validate_every=0: 0 steps; use a number of steps from 1 on, epoch, 2epochs"),
        ({"validate_every": "often"}, "train.validate_every=often: 'often' is no number of epochs"),
        ({"validate_every": 2, "keep": "beste"}, "train.keep=beste: unknown; did you mean best"),
        ({"keep": "best"}, "train.keep=best: nothing is validated before the end; set train.validate_every"),
        ({"patience": 2}, "train.patience=2: nothing is validated before the end; set train.validate_every"),
        (
            {"validate_every": 63, "patience": 2},
            "train.patience=2 with train.validate_every=63: the training is over after 63 steps, and nothing is",
        ),
        (
            {"validate_every": "3epochs", "patience": 2, "max_steps": None, "epochs": 2},
            "train.patience=2 with train.validate_every=3epochs: the training is over after 2 epochs, and nothing is",
        ),
        ({"validate_every": 2, "patience": 0}, "train.patience=0: it must be at least 1"),
        ({"batch_size": 0}, "train.batch_size=0: it must be at least 1"),
        ({"accumulate": 0}, "train.accumulate=0: it must be at least 1"),
        ({"batch_size": 2, "accumulate": 3}, "train.accumulate=3 with train.batch_size=2: a part of the batch would"),
        ({"lr": 0.0}, "train.lr=0.0: it must be above 0"),
        ({"clip_norm": 0.0}, "train.clip_norm=0.0: it must be above 0"),
        ({"backbone_lr_ratio": 2.0}, "train.backbone_lr_ratio=2.0: a part of a learning rate"),
        ({"layer_decay": 0.0}, "train.layer_decay=0.0: a part of a learning rate"),
        ({"device": "tpu"}, "train.device='tpu': unknown device"),
    ],
    ids=str,
)
def test_what_is_wrong_gives_one_line(settings, said):
    (line,) = lines(**settings)
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (None, None),
        (7, Interval(count=7, unit="steps")),
        ("epoch", Interval(count=1, unit="epochs")),
        ("1epoch", Interval(count=1, unit="epochs")),
        ("12 epochs", Interval(count=12, unit="epochs")),
    ],
)
def test_how_often_is_said_in_steps_or_epochs(text, meaning):
    assert TrainConfig(validate_every=text).validation_interval == meaning


def test_the_length_is_told_in_what_it_was_given():
    assert TrainConfig(max_steps=60, untimed_steps=3).length == "63 steps"
    assert TrainConfig(max_steps=None, epochs=5).length == "5 epochs"


@pytest.mark.parametrize(("batch", "evaluated"), [(1, 1), (4, 4), (8, 8), (16, 8), (32, 8), (33, 9), (64, 16)])
def test_what_is_evaluated_at_once_is_a_part_of_a_large_batch(batch, evaluated):
    assert TrainConfig(batch_size=batch).evaluated_at_once == evaluated
