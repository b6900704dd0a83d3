"""What TerraTorch's own configuration can say of a loss: all, or the nearest, with what is left out."""

import pytest

from terrasweep.config.losses import LOSSES, in_terratorch, loss_arguments
from terrasweep.config.schema import TaskConfig


def task(name, loss, arguments=None, weights=None):
    return TaskConfig(name=name, loss=loss, loss_arguments=arguments or {}, class_weights=weights)


def test_given_arguments_take_the_place_of_defaults_and_leave_the_others():
    given = loss_arguments(task("segmentation", "focal_tversky", {"alpha": 0.5}))
    assert given == {"alpha": 0.5, "beta": 0.7, "gamma": pytest.approx(4 / 3)}
    assert loss_arguments(task("segmentation", "ce")) == {}


@pytest.mark.parametrize(
    ("given", "loss", "weights"),
    [
        (task("segmentation", "ce", weights=[1.0, 2.0]), "ce", [1.0, 2.0]),
        (task("multilabel", "bce", weights=[1.0, 2.0]), "bce", [1.0, 2.0]),
        (task("segmentation", "focal"), "focal", None),
        (task("segmentation", "focal", {"gamma": 2}), "focal", None),
        (task("segmentation", "dice_ce"), ["ce", "dice"], None),
        (task("regression", "rmse"), "rmse", None),
    ],
)
def test_what_terratorch_has_too_is_said_in_full(given, loss, weights):
    said = in_terratorch(given)
    assert (said.loss, said.class_weights, said.left_out) == (loss, weights, "")


@pytest.mark.parametrize(
    ("given", "loss", "told"),
    [
        (task("segmentation", "tversky", {"alpha": 0.5}), "dice", "task.loss=tversky (alpha=0.5, beta=0.7), which"),
        (task("segmentation", "focal_tversky"), "dice", "dice stands for it"),
        (task("segmentation", "focal", {"gamma": 3.0}), "focal", "gamma=3.0"),
        (task("segmentation", "focal", weights=[1.0, 2.0]), "focal", "and task.class_weights"),
        (task("segmentation", "dice_ce", {"ce": 2.0}), ["ce", "dice"], "ce + dice stands for it"),
        (task("segmentation", "dice_ce", weights=[1.0, 2.0]), ["ce", "dice"], "and task.class_weights"),
        (task("multilabel", "focal"), "bce", "bce stands for it"),
    ],
)
def test_what_terratorch_lacks_is_said_in_one_line_beside_the_nearest(given, loss, told):
    said = in_terratorch(given)
    assert (said.loss, said.class_weights) == (loss, None)
    assert told in said.left_out
    assert "\n" not in said.left_out


def test_every_loss_that_is_named_to_terratorch_is_one_of_its_own():
    own = {"ce", "dice", "focal", "jaccard", "lovasz", "bce", "balanced_bce", "huber", "mae", "mse", "rmse"}
    for name, losses in LOSSES.items():
        for loss in losses:
            said = in_terratorch(task(name, loss)).loss
            assert set(said if isinstance(said, list) else [said]) <= own
