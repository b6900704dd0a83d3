"""The list of backbones goes to the standard output."""

from typer.testing import CliRunner

from terrasweep.cli.app import app
from terrasweep.models.backbones import prepared


def test_the_command_prints_the_list_that_fits_a_pattern(monkeypatch):
    asked = []
    monkeypatch.setattr(prepared, "listing", lambda pattern: asked.append(pattern) or f"those like {pattern}")
    for arguments in (["models"], ["models", "dofa*"]):
        found = CliRunner().invoke(app, arguments)
        assert found.exit_code == 0
        assert found.stdout == f"those like {asked[-1]}\n"
    assert asked == [None, "dofa*"]
