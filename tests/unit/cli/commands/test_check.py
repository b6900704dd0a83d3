"""Only an error changes the exit status of a check."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from terrasweep.cli.app import app
from tests.unit.cli.plans import FITTING


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_only_errors_change_the_exit_status(looked_at, form):
    runs = {"nothing": [], "warning": ["train.batch_size=41"], "error": ["data.num_classes=2"]}
    ended = {}
    for name, overrides in runs.items():
        looked_at.seen = replace(looked_at.seen, num_classes=3)
        ended[name] = CliRunner().invoke(app, ["check", *form, *FITTING, *overrides])
    assert {name: result.exit_code for name, result in ended.items()} == {"nothing": 0, "warning": 0, "error": 2}
    assert "train.batch_size=41" in ended["warning"].stdout
    if form:
        (finding,) = json.loads(ended["error"].stdout)["findings"]
        assert (finding["rule"], finding["level"]) == ("label-range", "error")
