"""Values that stand for nothing: who is told, with which keys, and what is then no longer said."""

import math
from dataclasses import replace

import pytest

from terrasweep.config.data import ModalityConfig
from terrasweep.data.inspect.checks import find_problems
from tests.unit.data.inspect.checks.faults import NO_DATA, assert_found_alone, extremes
from tests.unit.data.surveys import config, image, labels, survey, two_modalities, with_image, with_labels


@pytest.mark.parametrize(("rule", "seen", "given", "told"), NO_DATA, ids=[rule for rule, *_ in NO_DATA])
def test_each_gives_its_own_finding_and_no_other(rule, seen, given, told):
    assert_found_alone(rule, seen, given, told)


def polluted(**changes):
    """Train has -9999 in its first band, and the statistics that come of it."""
    fields = {"extremes": [extremes(low=-9999.0), extremes()], "means": [-250.0, 2500.0], "stds": [1500.0, 700.0]}
    return with_image("train", **fields | changes)


def test_nothing_is_advised_from_statistics_that_are_spoilt():
    for given in (config(), config(data__means=[900.0, 2500.0], data__stds=[300.0, 700.0])):
        assert [finding.rule for finding in find_problems(polluted(), given)] == ["undeclared-no-data"]
    far = with_labels("regression", "train", extremes=extremes(low=-9999.0), mean=-3123.0, std=4636.0)
    (finding,) = find_problems(far, config("regression", task__ignore_index=None))
    assert "3,123" not in finding.line


def test_a_user_who_says_that_all_was_measured_is_believed():
    seen = with_image("train", extremes=[extremes(low=-9999.0)] * 2)
    assert find_problems(seen, config(data__no_data=math.nan)) == []


def test_a_second_value_is_to_be_written_as_the_first():
    (finding,) = find_problems(polluted(), config(data__no_data=0.0))
    assert finding.line.endswith("write 0 there, which data.no_data names")


def test_statistics_are_judged_where_all_was_measured():
    given = config(data__no_data=math.nan, data__means=[900.0, 2500.0], data__stds=[300.0, 700.0])
    assert "statistics" in [finding.rule for finding in find_problems(polluted(means=[9e3, 2500.0]), given)]


def test_a_value_that_replaces_is_kept():
    (finding,) = find_problems(polluted(), config(data__no_data_replace=0.0))
    assert "set data.no_data=-9999, and where" in finding.line


def test_targets_of_a_named_index_are_warned_of_alone():
    seen = with_labels("regression", "train", extremes=extremes(low=-9999.0))
    (finding,) = find_problems(seen, config("regression", task__ignore_index=-1))
    assert (finding.level, finding.rule) == ("warning", "lone-value-targets")
    assert finding.line.endswith("write task.ignore_index=-1 there")


def test_each_modality_has_its_own_key():
    seen, given = two_modalities(extremes=[extremes(), extremes(high=65535.0)])
    (finding,) = find_problems(seen, given)
    assert "S1: 2.5 % of the pixels of train are 65535 (in VH;" in finding.line
    assert "set data.modalities.S1.no_data=65535 data.no_data_replace=" in finding.line
    modalities = given.data.modalities | {"S1": ModalityConfig(folder="s1", bands=["VV", "VH"], no_data=math.nan)}
    assert find_problems(seen, replace(given, data=replace(given.data, modalities=modalities))) == []


def test_another_s_datamodule_is_not_refused():
    (finding,) = find_problems(polluted(), config(data__datamodule="a.Module"))
    assert (finding.level, finding.rule) == ("warning", "lone-value")
    assert "data.arguments" in finding.line


def test_a_value_of_the_test_split_alone_stops_no_sweep():
    test = {"images": {"image": image(10, extremes=[extremes(low=-9999.0), extremes()])}}
    assert [finding.level for finding in find_problems(survey(test=test), config())] == ["warning"]
    test = {"labels": labels("regression", 10, extremes=extremes(low=-9999.0))}
    given = config("regression", task__ignore_index=None)
    assert [finding.level for finding in find_problems(survey("regression", test=test), given)] == ["warning"]


def test_the_file_with_most_of_it_is_named_once_for_all_bands_and_splits():
    both = {"images": {"image": image(20, extremes=[extremes(low=-9999.0), extremes(low=-9999.0, pixels=8000)])}}
    (finding,) = find_problems(survey(train=both, val=both), config())
    assert "4.8 % of the pixels of train are -9999 (in RED, NIR; first in a.tif)" in finding.line


def test_a_survey_from_before_has_nothing_to_judge():
    assert find_problems(with_image("train", extremes=[]), config()) == []
