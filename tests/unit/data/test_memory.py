"""What a data set takes in memory is known from its shapes, and it is not kept there where there is no room."""

import dataclasses
import json

import pytest

from terrasweep.config.schema import BudgetConfig
from terrasweep.data import memory, stored
from terrasweep.data.inspect.checks import find_problems
from terrasweep.data.memory import fits_in_memory, in_memory_bytes, room_bytes
from tests.composing import compose_trial
from tests.unit.data.surveys import config, labels, survey, two_modalities

TILE = 64 * 64


@pytest.mark.parametrize(
    ("seen", "given", "expected"),
    [
        (survey(), config(), 60 * TILE * (2 * 4 + 8)),
        (survey("regression"), config("regression"), 60 * TILE * (2 * 4 + 8)),
        (survey("classification"), config("classification"), 60 * TILE * 2 * 4),
        (survey(test={}), config(), 60 * TILE * (2 * 4 + 8)),
        (survey(), config(data__resize_px=32), 60 * 32 * 32 * (2 * 4 + 8)),
        (survey(train={"samples": 4000}), config(), (4000 + 20) * TILE * (2 * 4 + 8)),
        (*two_modalities(), 60 * TILE * (4 * 4 + 8)),
    ],
)
def test_bytes_are_those_of_the_tensors_of_train_and_val(seen, given, expected):
    assert in_memory_bytes(seen, given) == expected


def test_an_empty_split_takes_nothing():
    nothing = survey(val={"samples": 0, "read": 0, "images": {}, "labels": labels("segmentation", 0)})
    assert in_memory_bytes(nothing, config()) == 40 * TILE * 16


def test_the_budget_counts_where_it_is_less_than_the_host_has(monkeypatch):
    monkeypatch.setattr(memory, "host_memory_limit_bytes", lambda: 100 * 2**30)
    assert room_bytes(config()) == 70 * 2**30
    small = dataclasses.replace(config(), budget=BudgetConfig(host_memory_gib=10.0))
    assert room_bytes(small) == 7 * 2**30


@pytest.mark.parametrize(("host", "kept"), [(1.5, True), (1.4, False)])
def test_data_larger_than_the_host_are_not_kept_in_memory_and_this_is_said(host, kept, monkeypatch, tmp_path):
    """60 tiles take one part of memory, of which 0.7 may be used."""
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    monkeypatch.setattr(memory, "host_memory_limit_bytes", lambda: int(host * 60 * TILE * 16))
    seen, given = survey(), compose_trial("data=segmentation_folder", f"data.root={tmp_path}", "train.batch_size=8")
    assert fits_in_memory(seen, given) is kept
    stored.survey_file(given).parent.mkdir(parents=True)
    stored.survey_file(given).write_text(json.dumps(json.loads(seen.to_json())))
    assert stored.complete(given).data.in_memory is kept
    lines = [finding.line for finding in find_problems(seen, given) if finding.rule == "in-memory"]
    assert len(lines) == (0 if kept else 1)
    off = dataclasses.replace(given, data=dataclasses.replace(given.data, in_memory=False))
    assert [finding for finding in find_problems(seen, off) if finding.rule == "in-memory"] == []
    assert stored.complete(off).data.in_memory is False
