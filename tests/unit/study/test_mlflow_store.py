"""MLflow's store: whatever stops the making of its tables, the next start works or says the way out in one line."""

import contextlib
import http.server
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
import sqlalchemy
from alembic import command
from mlflow import MlflowClient
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base

from terrasweep.config import compose
from terrasweep.machine.files import DRAFT_ENDING
from terrasweep.results.errors import InvalidConfig
from terrasweep.study import mlflow_store


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store that holds a run, made once."""
    file = tmp_path_factory.mktemp("made") / "mlflow.db"
    mlflow_store.prepare(f"sqlite:///{file}")
    MlflowClient(f"sqlite:///{file}").create_run("0")
    return file


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    return tmp_path / "mlflow.db"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def refused(uri, check=mlflow_store.check_reachable):
    with pytest.raises(InvalidConfig) as error:
        check(uri)
    assert "\n" not in str(error.value)
    return str(error.value)


KILL = """
import os, signal, sys, sqlalchemy
from mlflow import MlflowClient
from terrasweep.study import mlflow_store
copied = []
def stop(_connection, _cursor, statement, *_):
    if copied and "DROP TABLE" in statement:
        os.kill(os.getpid(), signal.SIGKILL)
    if "INSERT INTO _alembic_tmp_" in statement:
        copied.append(statement)
sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", stop)
"""
"""A process that is killed between two steps of MLflow's first migration."""


def killed(code):
    ended = subprocess.run([sys.executable, "-c", KILL + code], check=False, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def test_a_kill_while_the_tables_are_made_leaves_no_store_and_the_next_start_makes_it(file):
    killed(f"mlflow_store.prepare('sqlite:///{file}')")
    assert not file.exists()
    left = [name for name in names(file.parent) if re.match(rf"\.mlflow\.db\.{DRAFT_ENDING}", name)]
    assert left, "the draft"
    file.with_name("mlflow.db-journal").write_bytes(b"of a file that is gone")
    mlflow_store.check_reachable(f"sqlite:///{file}")
    mlflow_store.prepare(f"sqlite:///{file}")
    assert names(file.parent) == ["mlflow.db"]
    assert MlflowClient(f"sqlite:///{file}").search_runs(["0"]) == []


def test_what_a_kill_left_in_place_is_said_in_one_line_and_stays(file):
    killed(f"MlflowClient('sqlite:///{file}').search_experiments(max_results=1)")
    # SQLite rolls the transaction back that was open.
    with contextlib.closing(sqlite3.connect(file)) as opened:
        opened.execute("SELECT count(*) FROM sqlite_master").fetchone()
    left = file.read_bytes()
    assert re.search(r"stopped while it made the tables.*no runs.*move it away", refused(f"sqlite:///{file}"))
    assert file.read_bytes() == left


def test_processes_that_start_together_make_one_store(file):
    code = f"from terrasweep.study import mlflow_store as m; m.open_client('sqlite:///{file}').create_run('0')"
    started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(process.communicate()[1], process.returncode) for process in started] == [("", 0)] * 3
    assert len(MlflowClient(f"sqlite:///{file}").search_runs(["0"])) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda _: b"", "is empty; move it away"),
        (lambda whole: whole[:10], "can't be read"),
        (lambda whole: whole[: len(whole) // 2], "malformed.*put a copy back"),
        (lambda whole: whole[:-4096], "malformed"),
        (lambda _: b"number,state\n" * 1000, "not a database"),
    ],
)
def test_a_file_that_is_empty_cut_or_not_a_database_is_refused_and_stays(content, said, file, made):
    before = content(made.read_bytes())
    file.write_bytes(before)
    assert re.search(said, refused(f"sqlite:///{file}"))
    assert re.search(said, refused(f"sqlite:///{file}", mlflow_store.prepare))
    assert file.read_bytes() == before


def test_another_program_s_database_is_refused_and_stays(file):
    with contextlib.closing(sqlite3.connect(file)) as opened:
        opened.execute("CREATE TABLE cities (name)")
    before = file.read_bytes()
    assert "another program's" in refused(f"sqlite:///{file}")
    assert file.read_bytes() == before


def make_old(file):
    """A store as MLflow 2.0 made it, with an experiment in it."""
    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    config = _get_alembic_config(f"sqlite:///{file}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "7f2a7d5fae7d")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("INSERT INTO experiments (name, lifecycle_stage) VALUES ('old', 'active')"))
    engine.dispose()
    return f"sqlite:///{file}"


def test_the_tables_of_an_older_mlflow_are_renewed_on_a_copy(file, capsys):
    uri = make_old(file)
    before = file.read_bytes()
    mlflow_store.check_reachable(uri)
    mlflow_store.prepare(uri)
    kept = file.with_name("mlflow.db.before-7f2a7d5fae7d")
    assert capsys.readouterr().err.count("\n") == 1
    assert names(file.parent) == [file.name, kept.name]
    assert kept.read_bytes() == before
    assert MlflowClient(uri).get_experiment_by_name("old") is not None
    mlflow_store.prepare(uri)
    assert capsys.readouterr().err == "", "it is done once"


def test_a_store_that_can_t_be_renewed_is_unchanged(file, monkeypatch):
    uri = make_old(file)
    before = file.read_bytes()

    def fail(_draft):
        raise subprocess.CalledProcessError(1, [], stderr="Traceback\nno such column: x\n")

    monkeypatch.setattr(mlflow_store, "_upgrade", fail)
    assert "(no such column: x); it is unchanged" in refused(uri, mlflow_store.prepare)
    assert file.read_bytes() == before
    assert not list(file.parent.glob("*before*"))


def test_a_store_in_use_is_opened_without_a_lock(file, made):
    shutil.copy(made, file)
    mlflow_store.prepare(f"sqlite:///{file}")
    assert names(file.parent) == ["mlflow.db"]


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
