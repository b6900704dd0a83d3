"""A plan is printed for a person, or for a program."""

import json

import pytest
from typer.testing import CliRunner

from terrasweep import process
from terrasweep.cli import plan, plan_space
from terrasweep.cli.app import app
from terrasweep.predict.cards import CARDS
from tests.composing import compose_trial
from tests.unit.cli.plans import found, space_of


@pytest.fixture
def planned(monkeypatch):
    asked = []

    def answer(overrides, start_method):
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


@pytest.fixture
def predicted(monkeypatch, planned):
    """Plans of a space and of cards, and what was asked of them."""
    asked = {}
    monkeypatch.setattr(process, "warm_up", lambda: asked.setdefault("warm", True))

    def answer(kind):
        return lambda given, limits: asked.update({kind: (given, dict(limits))}) or space_of(limits)

    monkeypatch.setattr(plan_space, "plan_space", answer("space"))
    monkeypatch.setattr(plan_space, "plan_cards", answer("cards"))
    return asked


def test_a_space_is_planned_where_one_is_named_and_goes_to_files(planned, predicted, tmp_path):
    files = [f"--csv={tmp_path / 'a.csv'}", f"--html={tmp_path / 'a.html'}"]
    words = ["sweeps=own_data", "train.batch_size=choice(2,4)", "decoder=fcn"]
    finished = CliRunner().invoke(app, ["plan", *words, "--memory-gib", "1,2", *files])
    assert finished.exit_code == 0, finished.output
    assert predicted == {"warm": True, "space": (words, {"1 GiB": 1.0, "2 GiB": 2.0})}
    assert planned == [["sweeps=own_data", "decoder=fcn"]], "what is searched is not the base's"
    assert "Model states under DeepSpeed's ZeRO" in finished.stdout
    assert "the peak of 2 configurations on one GPU" in finished.stdout
    assert (tmp_path / "a.csv").read_text().startswith("train.batch_size,predicted_peak_mib")
    assert "terrasweep plan" in (tmp_path / "a.html").read_text()


def test_without_space_the_configuration_alone_is_planned(planned, predicted):
    finished = CliRunner().invoke(app, ["plan", "sweeps=own_data", "--no-space"])
    assert finished.exit_code == 0, finished.output
    assert predicted == {}


def test_cards_stand_below_the_plan_of_one_configuration(planned, predicted):
    finished = CliRunner().invoke(app, ["plan", "decoder=fcn", "--card", "t4"])
    assert finished.exit_code == 0, finished.output
    model, _, cards = finished.stdout.partition("What fits by the predicted peak on one GPU")
    assert "Model states under DeepSpeed's ZeRO" in model
    assert [line.split()[0] for line in cards.splitlines() if "t4" in line] == ["t4"]


def test_cards_are_asked_for_one_configuration_and_stand_in_the_json(planned, predicted):
    finished = CliRunner().invoke(app, ["plan", "--json", "decoder=fcn", "--card", "t4"])
    assert predicted == {"cards": (compose_trial(), {"t4": CARDS["t4"].usable_gib})}
    numbers = json.loads(finished.stdout)
    assert numbers["fits"]["limits_gib"].keys() == {"t4"}
    assert {key: numbers[key] for key in numbers if key != "fits"} == json.loads(
        json.dumps(plan.as_json(compose_trial(), found()))
    )
