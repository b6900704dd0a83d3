"""Accuracy is a metric that was measured, and never a 0 in place of one."""

import pytest
import torch

from terrasweep.measure.accuracy import TEST_PREFIX, read_accuracy
from terrasweep.results.errors import Crashed

TASK = ("mIoU", "segmentation")


def test_the_named_metric_is_the_accuracy_and_the_others_are_its_companions():
    logged = {"val/mIoU": torch.tensor(0.5), "val/IoU_water": 0.25, "val/loss": 1.0, "train/loss": 9.0}
    accuracy, companions = read_accuracy(logged, *TASK)
    assert accuracy == 0.5
    assert companions == {"val_IoU_water": 0.25, "val_loss": 1.0}


@pytest.mark.parametrize("logged", [{}, {"val/other": 0.3}, {"val/mIoU": float("nan")}])
def test_an_absent_or_undefined_accuracy_is_an_error(logged):
    with pytest.raises(Crashed):
        read_accuracy(logged, *TASK)


def test_metrics_of_the_test_split_say_so_and_so_does_what_is_wrong_with_it():
    logged = {"val/mIoU": 0.5, "val/loss": 1.0}  # The trainer knows it as what is evaluated.
    assert read_accuracy(logged, *TASK, TEST_PREFIX) == (0.5, {"test_loss": 1.0})
    with pytest.raises(Crashed, match="no test pixel has a label that counts"):
        read_accuracy({"val/mIoU": float("nan")}, *TASK, TEST_PREFIX)
    with pytest.raises(Crashed, match="no validation pixel has a label that counts"):
        read_accuracy({"val/mIoU": float("nan")}, *TASK)
