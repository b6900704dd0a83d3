"""What follows from the counts is what scikit-learn says of the same labels and predictions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from terrasweep.results.confusion import OUTCOMES, Confusion, Mistake, Tally

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def square(labels, predictions, classes=4):
    counts = metrics.confusion_matrix(labels, predictions, labels=range(classes))
    return Confusion(task="segmentation", classes=[f"c{i}" for i in range(classes)], counts=counts.tolist())


@given(PAIRS)
def test_shares_of_classes_are_those_of_scikit_learn(pairs):
    labels, predictions = np.array(pairs).T
    confusion = square(labels, predictions)
    options = {"labels": range(4), "average": None, "zero_division": np.nan}
    expected = {
        "recall": metrics.recall_score(labels, predictions, **options),
        "precision": metrics.precision_score(labels, predictions, **options),
        "f1": metrics.f1_score(labels, predictions, **options),
    }
    for name, values in expected.items():
        found = [getattr(tally, name) for tally in confusion.tallies()]
        assert [np.nan if value is None else value for value in found] == pytest.approx(list(values), nan_ok=True)
    for place, tally in enumerate(confusion.tallies()):
        either = (labels == place) | (predictions == place)
        both = (labels == place) & (predictions == place)
        assert tally.iou == (pytest.approx(both.sum() / either.sum()) if either.any() else None)
        assert tally.occurs == either.any()
    assert confusion.right / confusion.total == pytest.approx((labels == predictions).mean())


@given(PAIRS)
def test_mistakes_are_all_that_is_off_the_diagonal_the_most_frequent_first(pairs):
    labels, predictions = np.array(pairs).T
    confusion = square(labels, predictions)
    mistakes = confusion.mistakes()
    assert sum(mistake.count for mistake in mistakes) == confusion.total - confusion.right
    assert [m.count for m in mistakes] == sorted((m.count for m in mistakes), reverse=True)
    for mistake in mistakes:
        assert mistake.label != mistake.prediction
        of_it = predictions[labels == mistake.label]
        assert mistake.count == (of_it == mistake.prediction).sum()
        assert mistake.share == pytest.approx(mistake.count / len(of_it))


def test_a_mistake_is_read_along_the_row_of_its_label():
    confusion = Confusion(task="classification", classes=["land", "water"], counts=[[5, 0], [3, 1]])
    assert confusion.mistakes() == [Mistake(label=1, prediction=0, count=3, share=0.75)]
    assert (confusion.unit, square([0], [0]).unit) == ("sample", "pixel")


def test_independent_labels_have_outcomes_and_no_mistakes_between_classes():
    assert OUTCOMES[0] == "true positives"
    confusion = Confusion(task="multilabel", classes=["a", "b"], counts=[[3, 1, 2, 4], [0, 0, 0, 10]])
    assert confusion.tallies() == [
        Tally(true_positives=3, false_positives=1, false_negatives=2),
        Tally(true_positives=0, false_positives=0, false_negatives=0),
    ]
    assert confusion.mistakes() == []
    assert (confusion.right, confusion.total, confusion.unit) == (17, 20, "sample")
    assert confusion.tallies()[1].f1 is None
