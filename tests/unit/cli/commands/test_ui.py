"""The UI shows this project's store, on this machine alone unless it is told otherwise."""

import pytest
from typer.testing import CliRunner

from terrasweep.cli import server_group
from terrasweep.cli.app import app
from terrasweep.results.errors import InvalidConfig


@pytest.fixture
def started(home, monkeypatch):
    """What would be started."""
    runs = []

    def serve(command, folder):
        runs.append((command, folder))
        return 3

    monkeypatch.setattr(server_group, "serve", serve)
    return runs


def test_the_project_s_own_store_is_shown_from_wherever_the_command_is_given(
    started, home, monkeypatch, tmp_path_factory
):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    finished = CliRunner().invoke(app, ["ui", "--port", "7"])
    assert finished.exit_code == 3, "the server's own status"
    ((command, folder),) = started
    assert folder == home
    options = dict(zip(command[4::2], command[5::2], strict=True))
    assert options == {
        "--backend-store-uri": f"sqlite:///{home}/mlflow.db",
        "--default-artifact-root": (home / "results" / ".mlflow").as_uri(),
        "--host": "127.0.0.1",
        "--port": "7",
    }


def test_a_store_that_can_not_be_reached_is_refused_before_a_server_is_started(started):
    finished = CliRunner().invoke(app, ["ui", "--uri", "sqlite:////nowhere/x.db"])
    assert isinstance(finished.exception, InvalidConfig)
    assert started == []
