"""What an export says can be copied: nothing else is on the standard output."""

from pathlib import Path
from types import SimpleNamespace

from typer.testing import CliRunner

from terrasweep.cli.app import app
from terrasweep.export import parent


def test_the_trial_is_found_exported_and_described_on_the_standard_output(monkeypatch, tmp_path):
    trial = SimpleNamespace(title="trial 3 of mine")
    calls = []
    monkeypatch.setattr(parent, "find_trial", lambda study, number: calls.append((study, number)) or trial)
    monkeypatch.setattr(parent, "export", lambda trial, output: calls.append((trial, output)) or "exported")
    monkeypatch.setattr(parent, "describe", lambda trial, exported: f"{trial.title}: {exported}")
    for arguments, number, output in ((["mine", "3", "--output", "there"], 3, Path("there")), (["folder"], None, None)):
        calls.clear()
        finished = CliRunner().invoke(app, ["export", *arguments])
        assert calls == [(arguments[0], number), (trial, output)]
        assert finished.stdout == "trial 3 of mine: exported\n"
        assert "Exporting trial 3 of mine" in finished.stderr
