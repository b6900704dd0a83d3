"""The front over several seeds, in a table and in words."""

import dataclasses

from terrasweep.report.repeats_section import pair_text, repeats_section, verdict
from terrasweep.report.study_outcome import summarize
from terrasweep.results.seed_statistics import PairTest, compare_pairs
from tests.unit.report import sample_study as sample

SEEDS = {
    3: {1: 0.80, 2: 0.81, 3: 0.82, 4: 0.80},
    7: {1: 0.70, 2: 0.71, 3: 0.72, 4: 0.70},
    9: {1: 0.80, 2: 0.82, 3: 0.81, 4: 0.80},
    11: {5: 0.3},
}


def test_each_trial_has_its_mean_and_those_that_it_is_not_told_apart_from():
    trials = [sample.complete(number, {"accuracy": 0.9}) for number in SEEDS]
    section = repeats_section(dataclasses.replace(summarize(sample.record(), trials), other_seeds=SEEDS))
    assert [row["number"] for row in section["rows"]] == [3, 9, 7, 11]
    best, again, worse, once = section["rows"]
    assert (best["own"], best["seeds"], best["mean"], best["alike"]) == ("0.9", 4, "0.8075", "9")
    assert (again["alike"], worse["alike"], once["alike"]) == ("3", "", "")
    assert best["interval"] == "0.7923 to 0.8227"
    assert once["interval"] == ""
    assert section["verdict"].startswith("2 of 3 pairs can be told apart")
    assert section["told_apart"][0] == "trial 3 is more accurate than trial 7 by 10 points (p < 0.001)"


def test_without_repeats_there_is_no_section():
    assert repeats_section(summarize(sample.record(), [])) is None


def test_verdicts_and_pairs_in_words():
    apart = PairTest(first=1, second=2, difference=-0.004, p_value=0.004, adjusted=0.012)
    alike = PairTest(first=1, second=3, difference=0.004, p_value=0.2, adjusted=0.2)
    assert pair_text(apart) == "trial 2 is more accurate than trial 1 by 0.4 points (p = 0.012)"
    assert verdict([]).startswith("No two of these trials share two seeds")
    assert verdict([apart]).startswith("The two trials can be told apart (a paired t test")
    assert verdict([alike]).startswith("The two trials can not be told apart")
    assert verdict([apart, apart]).startswith("All of 2 pairs can")
    assert verdict([alike, alike]).startswith("None of 2 pairs can")
    assert verdict([alike, apart]).startswith("1 of 2 pairs can")
    assert compare_pairs({1: {1: 0.5}}) == []
