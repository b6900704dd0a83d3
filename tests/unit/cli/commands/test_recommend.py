"""Limits narrow the recommendation down, and nothing within them is an error."""

import pytest
import yaml
from typer.testing import CliRunner

from terrasweep import report
from terrasweep.cli.app import app
from terrasweep.results.errors import InvalidConfig
from terrasweep.results.trial_result import TrialResult

LIMITS = {"--memory-gib": "memory_gib", "--min-throughput": "min_throughput", "--min-accuracy": "min_accuracy"}


def run(stored, *arguments):
    return CliRunner().invoke(app, ["recommend", stored.name, *arguments])


@pytest.mark.parametrize("option", LIMITS)
def test_each_limit_reaches_the_recommendation(stored, monkeypatch, option):
    asked = []
    monkeypatch.setattr(report, "recommend", lambda known, results, folder, **limits: asked.append(limits))
    finished = run(stored, option, "0.5")
    assert asked == [{name: 0.5 if name == LIMITS[option] else None for name in LIMITS.values()}]
    assert isinstance(finished.exception, InvalidConfig)
    assert "loosen one of them" in str(finished.exception)


def test_what_is_printed_is_the_most_accurate_trial_s_configuration(stored):
    finished = run(stored)
    assert finished.exit_code == 0
    chosen = yaml.safe_load(finished.stdout)
    results = [TrialResult.from_json(file.read_text()) for file in stored.glob("trials/*/result.json")]
    best = max((r for r in results if r.state == "complete"), key=lambda r: r.value("accuracy"))
    assert chosen == {"defaults": ["base", "_self_"]} | {k: v for k, v in best.config.items() if k != "trial"}
    assert "--config-name best" in finished.stdout
