"""MLflow's tables: whatever stops their making, the next start works or says the way out in one line."""

import contextlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest
import sqlalchemy
from alembic import command
from mlflow import MlflowClient
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base

from terrasweep.machine.files import DRAFT_ENDING
from terrasweep.study import mlflow_store, mlflow_tables
from tests.unit.study.mlflow_files import refused


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store that holds a run, made once."""
    file = tmp_path_factory.mktemp("made") / "mlflow.db"
    mlflow_store.prepare(f"sqlite:///{file}")
    MlflowClient(f"sqlite:///{file}").create_run("0")
    return file


def names(folder):
    return sorted(path.name for path in folder.iterdir())


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


@pytest.mark.slow
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

    monkeypatch.setattr(mlflow_tables, "_upgrade", fail)
    assert "(no such column: x); it is unchanged" in refused(uri, mlflow_store.prepare)
    assert file.read_bytes() == before
    assert not list(file.parent.glob("*before*"))


def test_a_store_in_use_is_opened_without_a_lock(file, made):
    shutil.copy(made, file)
    mlflow_store.prepare(f"sqlite:///{file}")
    assert names(file.parent) == ["mlflow.db"]
