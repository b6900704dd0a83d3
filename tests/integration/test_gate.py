"""With a budget that half of a space does not fit, that half is not run, and the other half comes out the same."""

import json

import pytest

from tests.conftest import SMALL

pytestmark = pytest.mark.slow

SPACE = """# @package _global_
hydra:
  sweeper:
    params:
      train.batch_size: choice(2,24)
      tuning.rank: choice(2,16)
"""


def results(home, study):
    """By their settings."""
    files = (home / "results" / study / "trials").glob("[0-9]*/result.json")
    return {json.dumps(r["searched"], sort_keys=True): r for r in (json.loads(file.read_text()) for file in files)}


def test_what_cannot_fit_is_not_run_and_the_rest_is_as_without_the_gate(home, cli):
    (home / "search_spaces").unlink()
    (home / "search_spaces").mkdir()
    (home / "search_spaces" / "grid.yaml").write_text(SPACE)
    grid = ("-m", "search_spaces=grid", "hydra/sweeper/sampler=grid", "study.n_trials=4", "study.test=false")
    small = [override for override in SMALL if not override.startswith("train.batch_size")]
    arguments = (*grid, *small, "train.device=cpu", "reuse=off", "data.tile_px=128")
    # Everything fits: this is what the next study's verdicts are calibrated by.
    run = cli(*arguments, "study.name=all", "budget.memory_gib=1000")
    assert run.returncode == 0, run.stderr
    every = results(home, "all")
    assert {r["state"] for r in every.values()} == {"complete"}
    assert {r["gate"] for r in every.values()} == {"started"}
    peaks = sorted(r["measurements"]["peak_memory_mib"] for r in every.values())
    budget = 1.3 * peaks[1]
    assert peaks[2] > 2 * peaks[1], "the larger batches need much more"

    run = cli(*arguments, "study.name=gated", f"budget.memory_gib={budget / 1024}", "budget.gate_verify=0")
    assert run.returncode == 0, run.stderr
    gated = results(home, "gated")
    assert gated.keys() == every.keys()
    for settings, result in every.items():
        fits = result["measurements"]["peak_memory_mib"] < budget
        assert gated[settings]["reason"] == (None if fits else "predicted_oom")
        accuracy = pytest.approx(result["measurements"]["accuracy"], abs=1e-6) if fits else None
        assert gated[settings]["measurements"]["accuracy"] == accuracy
    skipped = [r for r in gated.values() if r["reason"]]
    assert all(r["violation"] > 0 and r["measurements"]["predicted_peak_mib"] > 0 for r in skipped)
    report = (home / "results" / "gated" / "report.html").read_text()
    assert "Of 4 trials with a predicted peak, 2 were not started, since they can&#39;t fit." in report
    assert "measured = " in report
