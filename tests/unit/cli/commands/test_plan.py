"""A plan is printed for a person, or for a program."""

import json

import pytest
from typer.testing import CliRunner

from terrasweep.cli import plan
from terrasweep.cli.app import app
from tests.composing import compose_trial
from tests.unit.cli.plans import found


@pytest.fixture
def planned(monkeypatch):
    asked = []

    def answer(overrides):
        asked.append(overrides)
        return compose_trial(), found()

    monkeypatch.setattr(plan, "plan", answer)
    return asked


def test_all_numbers_are_printed_as_json(planned):
    finished = CliRunner().invoke(app, ["plan", "--json", "tuning.rank=2", "decoder=fcn"])
    assert json.loads(finished.stdout) == json.loads(json.dumps(plan.as_json(compose_trial(), found())))
    assert planned == [["tuning.rank=2", "decoder=fcn"]]


def test_without_json_a_person_reads_tables(planned):
    finished = CliRunner().invoke(app, ["plan"])
    assert planned == [[]]
    assert "Model states under DeepSpeed's ZeRO" in finished.stdout
