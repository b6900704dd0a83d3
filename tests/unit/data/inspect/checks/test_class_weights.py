"""Weights by frequency: their formula, their mean, what does not count, and who sees them."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.data.inspect.checks import find_problems
from terrasweep.data.inspect.checks.case import Case
from terrasweep.data.inspect.checks.class_weights import UNSEEN, inverse_square_roots, weights_by_frequency
from terrasweep.results.errors import InvalidConfig
from tests.unit.data.surveys import config, labels, survey, with_labels

counts = st.dictionaries(st.integers(0, 9), st.integers(1, 10**12), min_size=1)


@given(counts)
def test_weights_have_the_inverse_roots_ratios_and_a_mean_of_1(counted):
    weights = inverse_square_roots(counted, 10)
    assert sum(weights) / len(weights) == pytest.approx(1)
    seen = sorted(counted)
    for one, other in itertools.pairwise(seen):
        assert weights[one] / weights[other] == pytest.approx(math.sqrt(counted[other] / counted[one]))
    assert all(weights[label] == UNSEEN for label in set(range(10)) - counted.keys())


@given(counts, st.integers(2, 1000))
def test_counting_in_other_units_changes_nothing(counted, factor):
    """Pixels or tiles: a look at a part of the samples gives what all of them would, where they are alike."""
    scaled = {label: factor * count for label, count in counted.items()}
    assert inverse_square_roots(scaled, 10) == pytest.approx(inverse_square_roots(counted, 10))


def test_classes_without_a_label_at_all_count_alike():
    assert inverse_square_roots({}, 3) == [1.0, 1.0, 1.0]


def auto(task="segmentation", **changes):
    return config(task, task__class_weights="auto", **changes)


def test_ignored_labels_and_labels_outside_the_classes_do_not_count():
    seen = with_labels("segmentation", "train", counts={-1: 10**9, 0: 100, 1: 400, 2: 400, 7: 10**9})
    weights = weights_by_frequency(Case(seen, auto(task__ignore_index=-1)))
    assert weights == pytest.approx([1.5, 0.75, 0.75])
    ignored = weights_by_frequency(Case(seen, auto(task__ignore_index=0)))
    assert ignored == pytest.approx([UNSEEN, 1.0, 1.0])


def test_validation_labels_do_not_count():
    seen = with_labels("classification", "val", counts={0: 10**6, 1: 1, 2: 1})
    weights = weights_by_frequency(Case(seen, auto("classification")))
    assert weights == weights_by_frequency(Case(survey("classification"), auto("classification")))


def test_labels_of_several_per_sample_are_weighed_by_the_samples_that_have_them():
    weights = weights_by_frequency(Case(survey("multilabel"), auto("multilabel")))
    assert weights[2] / weights[0] == pytest.approx(math.sqrt(2))


def test_an_unknown_number_of_classes_is_one_line():
    seen = survey(class_names=None, num_classes=None)
    with pytest.raises(InvalidConfig, match=r"task\.class_weights=auto: the number of classes is not known"):
        weights_by_frequency(Case(seen, auto()))


def told(seen, trial):
    return [finding.line for finding in find_problems(seen, trial) if finding.rule == "class-weights"]


def test_a_check_says_the_weights_which_classes_are_unseen_and_how_much_was_read():
    part = {"samples": 5400, "read": 40}
    seen = survey(train=part | {"labels": labels("segmentation", 40, counts={0: 100, 1: 400})})
    (line,) = told(seen, auto())
    assert "0 (bare) 1.333, 1 (crop) 0.6667, 2 (water) 1" in line
    assert "never in train, and so 1: 2 (water)" in line
    assert "in the 40 of 5,400 samples that were read" in line
    assert told(survey(), config()) == []
