"""Optuna's database: tables that were not finished are, and what can't be used is a line with the way out."""

import contextlib
import sqlite3

import pytest
import sqlalchemy

from terrasweep.results.errors import InvalidConfig
from terrasweep.results.study_record import Objective
from terrasweep.study.folder import StudyFolder
from terrasweep.study.optuna_storage import open_storage, usable
from terrasweep.study.optuna_study import StoredStudy
from tests.unit.study.stopped_database import stopped_at

OBJECTIVES = [Objective(name="accuracy", direction="maximize")]


@pytest.mark.parametrize("statement", range(0, 60, 6))
def test_first_tables_whose_making_was_stopped_are_completed(statement, tmp_path):
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    with stopped_at(statement):
        StoredStudy("s", url, OBJECTIVES, tmp_path)
    stored = StoredStudy("s", url, OBJECTIVES, tmp_path)
    stored.study.tell(stored.ask(1, 1)[0], [0.5])
    assert [trial.values for trial in stored.trials()] == [[0.5]]


def test_a_database_of_another_optuna_is_refused_with_the_way_out(tmp_path):
    file = tmp_path / "old.db"
    open_storage(f"sqlite:///{file}").engine.dispose()
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'v1.3.0.a'")
    folder = StudyFolder(tmp_path / "results" / "mine")
    with pytest.raises(InvalidConfig) as refused, folder.taken_up():
        StoredStudy("mine", f"sqlite:///{file}", OBJECTIVES, folder.path)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"study.storage=sqlite:///{file}: ")
    assert f"optuna storage upgrade --storage 'sqlite:///{file}'" in line
    assert not folder.path.exists(), "no lock is left"


def test_a_storage_that_fails_before_a_study_starts_is_bad_input_without_its_password():
    url = "postgresql://me:geheim7@host/db"
    said = sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("the server is going away"))
    with pytest.raises(InvalidConfig) as refused, usable(url):
        raise said
    (line,) = str(refused.value).splitlines()
    assert line.startswith("study.storage=postgresql://me:***@host/db: ")
    assert "the server is going away" in line
    assert line.endswith("; give a database URL that SQLAlchemy opens")
    with pytest.raises(ZeroDivisionError), usable(url):
        raise ZeroDivisionError
