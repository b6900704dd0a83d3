"""MLflow's store: one that can't be used is refused in a line, and what it holds lies where it belongs."""

import contextlib
import http.server
import os
import threading
from types import SimpleNamespace

import pytest

from terrasweep.config import compose
from terrasweep.study import mlflow_store
from tests.unit.study.mlflow_files import refused


@pytest.mark.parametrize(
    "uri", ["postgresql://u:p@host/db", "mysql+pymysql://host/db", "mssql://host/db", "sqlite:///x"]
)
def test_the_artifacts_of_a_database_lie_in_the_project(uri, file):
    class Client:
        def get_experiment_by_name(self, _name):
            return None

        def create_experiment(self, name, artifact_location):
            self.made = name, artifact_location
            return "1"

    client = Client()
    mlflow_store.open_experiment(client, "fields", uri)
    assert client.made == ("fields", (file.parent / "results" / ".mlflow" / "fields").as_uri())
    mlflow_store.open_experiment(client, "fields", "https://host")
    assert client.made == ("fields", None)


def test_a_relative_store_lies_in_the_project(file):
    assert mlflow_store.absolute_uri("sqlite:///mlflow.db") == f"sqlite:///{file}"
    assert mlflow_store.absolute_uri("sqlite:////a/b.db") == "sqlite:////a/b.db"
    assert mlflow_store.absolute_uri("http://host:5000") == "http://host:5000"


def test_a_server_of_another_kind_is_refused(file):
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert "no MLflow server" in refused(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.mark.parametrize(
    "bad", ["http://127.0.0.1:9", "postgresql://u:hidden@127.0.0.1:9/db", "sqlite:////no/x.db", "ftp://x"]
)
def test_an_unreachable_store_is_refused_in_one_line(bad, file):
    assert "hidden" not in refused(bad)
    mlflow_store.check_reachable(f"sqlite:///{file}")


def test_the_user_s_own_mlflow_is_the_default(file, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hidden@host:5000")
    config = compose.compose([])
    assert config.tracking.uri == "http://me:hidden@host:5000"
    assert "hidden" not in str(compose.public_dict(config))
    assert compose.compose(["tracking.uri=sqlite:///mine.db"]).tracking.uri == "sqlite:///mine.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert compose.compose([]).tracking.uri == "sqlite:///mlflow.db"
    assert "MLFLOW_TRACKING_URI" not in os.environ
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:/tmp/mlruns")
    assert "(from MLFLOW_TRACKING_URI): MLflow has no store of this kind" in refused(compose.compose([]).tracking.uri)


def test_an_experiment_in_the_bin_is_taken_back():
    taken = []

    class Client:
        def get_experiment_by_name(self, name):
            return SimpleNamespace(experiment_id=7, lifecycle_stage={"kept": "active", "binned": "deleted"}[name])

        def restore_experiment(self, number):
            taken.append(number)

    assert mlflow_store.open_experiment(Client(), "kept", "https://host") == "7"
    assert taken == []
    assert mlflow_store.open_experiment(Client(), "binned", "https://host") == "7"
    assert taken == [7]


def test_a_file_below_a_root_that_the_study_will_make_can_be_used(file, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(file.parent / "new"))
    mlflow_store.check_reachable("sqlite:///mlflow.db")
    assert not (file.parent / "new").exists()
    assert "can't be written" in refused("sqlite:///below/mlflow.db")


@pytest.mark.parametrize(
    ("uri", "way_out"),
    [("postgresql://me:hidden@127.0.0.1/db", "pip install -e '.[postgres]'"), ("mysql://127.0.0.1/db", "install it")],
)
def test_a_database_without_its_driver_says_what_to_install(file, monkeypatch, uri, way_out):
    def absent(*_, **__):
        raise ModuleNotFoundError("No module named 'the_driver'")

    monkeypatch.setattr(mlflow_store.sqlalchemy, "create_engine", absent)
    line = refused(uri, check=lambda uri: mlflow_store._check_database(uri, 1.0))
    assert line.endswith(f"its driver is missing (No module named 'the_driver'); {way_out}")
    assert "hidden" not in line


def test_a_database_whose_tables_can_t_be_made_is_refused_in_one_line(file, monkeypatch):
    def broken(uri):
        raise RuntimeError("no rights for me:hidden@host\nand more")

    monkeypatch.setattr(mlflow_store, "tables_made_alone", lambda uri: contextlib.nullcontext())
    monkeypatch.setattr(mlflow_store, "_client", broken)
    line = refused("postgresql://me:hidden@127.0.0.1/db", check=mlflow_store.prepare)
    assert line.startswith("tracking.uri=postgresql://me:***@127.0.0.1/db: MLflow can't use it (no rights")
