"""Labels are counted by what the task makes of them."""

import numpy as np
import pytest

from tests.unit.data.inspect.scanned import scanned


def test_labels_are_counted_and_no_data_is_the_label_that_does_not_count():
    masks = [np.array([[0, 1.0], [np.nan, -1]]), np.array([[1, 1.0], [7, 0.5]])]
    labels = scanned([{"image": np.zeros((1, 2, 2)), "mask": mask} for mask in masks]).survey().labels
    assert labels.counts == {-1: 2, 0: 1, 1: 3, 7: 1}
    assert labels.first_with[7] == "s1"
    assert (labels.counted, labels.not_whole, labels.not_finite) == (5, 1, 0)


def test_ignored_labels_are_no_positive_ones_where_a_sample_has_several():
    rows = [np.array([1, 0, -1]), np.array([1, -1, 0]), np.array([0, 1, 0])]
    samples = [{"image": np.zeros((1, 2, 2)), "label": row} for row in rows]
    assert scanned(samples, "multilabel", -1).survey().labels.counts == {0: 2, 1: 1}


def test_targets_of_a_regression_have_their_moments():
    values = np.array([[1.0, 2.0], [-9.0, 4.0]])
    labels = scanned([{"image": np.zeros((1, 2, 2)), "mask": values}], "regression", -9).survey().labels
    assert (labels.minimum, labels.maximum, labels.mean, labels.counted) == (1.0, 4.0, pytest.approx(7 / 3), 3)
    assert labels.std == pytest.approx(np.std([1, 2, 4]))
