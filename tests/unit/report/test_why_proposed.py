"""The reason of a proposal in words, also of a version that kept less of it."""

import dataclasses

import pytest

from terrasweep.report.study_outcome import summarize
from terrasweep.report.text_sections import trial_rows
from terrasweep.report.why_proposed import why_proposed
from tests.unit.report import sample_study as sample

TRAINING = {"as": "training", "promise": 0.01, "seconds": 90.0, "expected": {"accuracy": [0.5, 0.4, 0.6]}}
OUTLOOK = {"hypervolume": 0.5, "left": 0.02, "next_hour": 0.1}


@pytest.mark.parametrize(
    ("proposed", "said"),
    [
        ({}, ""),
        ({"as": "filling"}, "to fill the space"),
        ({"as": "filling", **OUTLOOK}, "to fill the space; at most 4.0 % left to gain beyond the errors"),
        (TRAINING, "as a training; expected accuracy (mIoU) 0.5 ± 0.10; promised 0.01 of hypervolume for 00:01:30"),
        (
            {**TRAINING, "as": "probe", **OUTLOOK},
            "as a probe; expected accuracy (mIoU) 0.5 ± 0.10; promised 2.0 % more hypervolume for 00:01:30; "
            "at most 4.0 % left to gain beyond the errors",
        ),
    ],
)
def test_it_says_what_is_kept(proposed, said):
    result = dataclasses.replace(sample.complete(0, {}), proposed=proposed)
    assert why_proposed(result, "mIoU") == said


def test_it_stands_in_the_trial_s_details_where_there_is_one():
    record, results = sample.study()
    results[0] = dataclasses.replace(results[0], proposed={"as": "filling"})
    facts = [dict(row["details"]["facts"]) for row in trial_rows(summarize(record, results))]
    assert facts[0]["proposed"] == "to fill the space"
    assert "proposed" not in facts[1]
