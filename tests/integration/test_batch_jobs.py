"""A trial measures the same inside of a batch job as outside of it."""

import json
from pathlib import Path

import pytest

from tests.batch_jobs import BATCH_JOBS
from tests.conftest import SMALL

pytestmark = pytest.mark.slow

EVERYTHING = {name: value for variables in BATCH_JOBS.values() for name, value in variables.items()}
ZERO = ("offload=optimizer", "precision=bf16")


def accuracy(cli, home, *arguments, **options):
    """Of one trial, with the loss after its last step."""
    finished = cli(*SMALL, *arguments, **options)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    folder = finished.stdout.strip().splitlines()[-1].removeprefix("folder: ")
    measured = json.loads((Path(folder) / "result.json").read_text())["measurements"]
    return measured["accuracy"], measured["train_loss"]


@pytest.fixture
def alone(cli, home, monkeypatch):
    for name in {name for variables in BATCH_JOBS.values() for name in variables}:
        monkeypatch.delenv(name, raising=False)
    return accuracy(cli, home)


def test_no_variable_of_a_batch_job_reaches_a_trial(cli, home, alone):
    for variables in BATCH_JOBS.values():
        assert accuracy(cli, home, forked=True, **variables) == alone, variables
    assert accuracy(cli, home, PYTHONWARNINGS="error::UserWarning", **EVERYTHING) == alone, "imports see them, too"


def test_nor_one_that_deepspeed_trains(cli, home):
    assert accuracy(cli, home, *ZERO, **EVERYTHING) == accuracy(cli, home, *ZERO)
