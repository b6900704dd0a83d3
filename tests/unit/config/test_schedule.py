"""What is refused of a schedule, in one line each."""

import pytest

from terrasweep.config.schedule import ScheduleConfig, find_bad_values
from terrasweep.config.train import TrainConfig


def lines(steps=10, validate_every=None, **settings):
    train = TrainConfig(max_steps=steps, untimed_steps=0, validate_every=validate_every)
    return list(find_bad_values(ScheduleConfig(**{"name": "cosine"} | settings), train))


@pytest.mark.parametrize("warmup", [0, 0.1, 1, 9])
def test_what_is_right_gives_no_line(warmup):
    assert lines(warmup=warmup, end_ratio=0.5) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "cosin"}, "schedule.name=cosin: unknown; did you mean cosine"),
        ({"warmup": -1}, "schedule.warmup=-1: use a whole number of steps"),
        ({"warmup": 2.5}, "schedule.warmup=2.5: use a whole number of steps"),
        ({"warmup": 10}, "schedule.warmup=10: the learning rate would rise in all 10 steps"),
        ({"end_ratio": 1.5}, "schedule.end_ratio=1.5: a part of train.lr"),
        ({"name": "constant", "end_ratio": 0.5}, "schedule.end_ratio=0.5 with schedule=constant"),
        ({"factor": 0.5}, "schedule.factor=0.5 with schedule=cosine: it means something to plateau alone"),
        ({"name": "plateau", "validate_every": 2, "factor": 1.0}, "schedule.factor=1: the learning rate would not"),
        ({"name": "plateau", "validate_every": 2, "patience": -1}, "schedule.patience=-1: it can't be negative"),
        ({"name": "plateau"}, "schedule=plateau: nothing is validated before the end"),
        (
            {"name": "plateau", "validate_every": 11},
            "schedule=plateau with train.validate_every=11: the training is over after 10 steps, and nothing is",
        ),
    ],
)
def test_what_is_wrong_gives_one_line(settings, said):
    (line,) = lines(**settings)
    assert line.startswith(said)


def test_an_interval_that_means_nothing_is_left_to_its_own_line():
    assert lines(name="plateau", validate_every="often") == []


def test_one_step_needs_no_warm_up():
    assert lines(steps=1, warmup=0.1) == []


def test_where_the_data_tell_the_length_a_number_of_warm_up_steps_is_left_to_them():
    train = TrainConfig(max_steps=None, epochs=2)
    assert list(find_bad_values(ScheduleConfig(name="cosine", warmup=1000), train)) == []
