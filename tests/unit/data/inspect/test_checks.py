"""Every check has a fault that it finds; a clean data set gives none; errors come first; docs name them all."""

import re
from pathlib import Path

import pytest

from terrasweep.data.inspect import checks
from terrasweep.data.inspect.checks import CHECKS, find_problems, refuse
from terrasweep.data.views import reading_rules
from terrasweep.results.errors import InvalidConfig
from tests.composing import ROOT
from tests.unit.data.inspect.checks.faults import FAULTS
from tests.unit.data.surveys import (
    BANDS,
    config,
    image,
    survey,
)


def test_every_rule_has_its_fault():
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert {rule for rule, *_ in FAULTS} == set(names)


@pytest.mark.parametrize("task", ["segmentation", "classification", "multilabel", "regression"])
def test_a_clean_data_set_has_no_finding(task):
    assert find_problems(survey(task), config(task)) == []
    assert find_problems(survey(task, test={"samples": 10}), config(task, data__tile_px=64, data__bands=BANDS)) == []


def test_errors_come_first_and_stop_with_a_line_each():
    seen = survey(
        train={"unreadable": {"a.tif": "cut off"}},
        val={"images": {"image": image(20, means=[9e3, 9e3])}},
        shared=[["train", "a.tif", "val", "b.tif"]],
    )
    findings = find_problems(seen, config())
    assert [finding.level for finding in findings] == ["error", "error", "warning"]
    with pytest.raises(InvalidConfig) as refused:
        refuse(findings)
    assert str(refused.value).splitlines() == checks.errors(findings)
    assert checks.warnings(findings) == [findings[-1].line]
    refuse(findings[2:])


PAGE = ROOT / "docs" / "checks.md"


def test_the_documentation_has_each_check_with_its_level():
    judged, _, _ = PAGE.read_text().partition("## What the files say of themselves")
    rows = re.findall(r"^\| `([a-z-]+)` \| (error|warning|note) \|", judged, re.MULTILINE)
    assert rows == [(check.name, check.level) for check in CHECKS]


def test_the_documentation_has_what_files_say_of_themselves():
    sources = "".join(file.read_text() for file in Path(reading_rules.__path__[0]).glob("*.py"))
    told = set(re.findall(r'rule="([a-z-]+)"', sources))
    assert told
    assert told <= set(re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE))
