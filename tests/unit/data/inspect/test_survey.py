"""A survey goes to text and back unchanged, whatever was seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrasweep.data.inspect.checks import find_problems
from terrasweep.data.inspect.survey import Survey
from tests.unit.data.inspect.checks.faults import FAULTS
from tests.unit.data.surveys import (
    survey,
    two_modalities,
    with_labels,
)


@given(st.sampled_from(FAULTS))
def test_a_survey_from_the_disk_is_judged_as_the_one_in_memory(fault):
    _, seen, given, _ = fault
    assert find_problems(Survey.from_json(seen.to_json()), given) == find_problems(seen, given)


@pytest.mark.parametrize("task", ["segmentation", "classification", "multilabel", "regression"])
def test_a_survey_goes_to_text_and_back(task):
    seen = survey(task, test={"samples": 10, "unreadable": {"ä.tif": "cut off"}})
    assert Survey.from_json(seen.to_json()) == seen
    several, _ = two_modalities(infinite=[0.5, float("inf")], first_not_finite="b.tif")
    assert Survey.from_json(several.to_json()) == several


def test_labels_stay_numbers_where_json_would_make_them_texts():
    """Else a class that is there would not be found, and every label would lie outside the classes."""
    seen = with_labels("segmentation", "train", counts={-1: 3, 0: 4, 255: 1}, first_with={255: "odd.tif"})
    labels = Survey.from_json(seen.to_json()).splits["train"].labels
    assert labels.counts == {-1: 3, 0: 4, 255: 1}
    assert labels.first_with == {255: "odd.tif"}
