"""Only an error changes the exit status of a check."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from terrasweep.cli.app import app
from terrasweep.data.inspect.pictures import draw
from terrasweep.data.inspect.pictures.draw import DataPictures
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


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_page_is_written_where_it_is_asked_for(looked_at, tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(draw, "draw", lambda config, seen, findings: DataPictures(findings=[]))
    plain = CliRunner().invoke(app, ["check", *form, *FITTING])
    assert list(tmp_path.glob("*.html")) == []
    told = CliRunner().invoke(app, ["check", "--html", *form, *FITTING])
    assert told.exit_code == 0
    assert f"Page: {tmp_path / 'data_check.html'}" in (told.stderr if form else told.stdout)
    assert told.stdout.startswith(plain.stdout)
    CliRunner().invoke(app, ["check", "--html", "--output", "other.html", *FITTING])
    assert sorted(page.name for page in tmp_path.glob("*.html")) == ["data_check.html", "other.html"]
