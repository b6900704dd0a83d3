"""An error with a known reason is a line and a status."""

import os

import pytest
from hydra.errors import HydraException
from typer.testing import CliRunner

from terrasweep.cli import app
from terrasweep.cli.commands import COMMANDS
from terrasweep.models.backbones import prepared
from terrasweep.results.errors import Crashed, DataError, InvalidConfig
from tests.composing import ROOT


@pytest.fixture
def ended(monkeypatch, capsys):
    """Run the command with something in its place that raises; the status, and both streams."""

    def run(error):
        def raising():
            raise error

        monkeypatch.setattr(app, "app", raising)
        with pytest.raises(SystemExit) as end:
            app.main()
        return end.value.code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (InvalidConfig("a=1: wrong; use 2\nb=3: wrong; use 4"), 2, "a=1: wrong; use 2\nb=3: wrong; use 4\n"),
        (Crashed("the child was killed"), 1, "the child was killed\n"),
        (DataError("no such tile"), 1, "no such tile\n"),
        (HydraException("no key at http://me:geheim7@host"), 2, "no key at http://me:***@host\n"),
        (OSError(28, "No space left on device", "/results"), 1, "/results: No space left on device\n"),
        (OSError("no answer from http://me:geheim7@host"), 1, "file system: no answer from http://me:***@host\n"),
    ],
)
def test_an_error_with_a_known_reason_is_its_line_and_a_status(home, ended, error, status, told):
    assert ended(error) == (status, "", told)


def test_ctrl_c_in_a_command_ends_with_the_shell_s_status_for_it(home, monkeypatch, capsys):
    def interrupted(pattern):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepared, "listing", interrupted)
    monkeypatch.setattr("sys.argv", ["terrasweep", "models"])
    with pytest.raises(SystemExit) as end:
        app.main()
    assert end.value.code == 130
    assert "Traceback" not in capsys.readouterr().err


def test_every_command_has_its_name_and_says_what_it_does():
    text = " ".join(CliRunner().invoke(app.app, ["--help"]).stdout.split())
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        assert f" {name} " in text
        helped = CliRunner().invoke(app.app, [name, "--help"])
        assert module.command.__doc__.split(".")[0].split()[0] in helped.stdout


def test_the_command_finds_the_checkout_from_anywhere(monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", "set, so that it is restored")
    monkeypatch.delenv("TERRASWEEP_HOME")
    monkeypatch.chdir("/")
    monkeypatch.setattr(app, "app", lambda: None)
    app.main()
    assert os.environ["TERRASWEEP_HOME"] == str(ROOT)
