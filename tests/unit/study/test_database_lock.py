"""Tables are made by one process at a time, from whatever folder it was started. Servers: tests/integration."""

import subprocess
import sys

import optuna
import pytest
import sqlalchemy

from terrasweep.machine.locks import Lease
from terrasweep.study.database_lock import tables_made_alone

MAKE = """
import sys
from pathlib import Path
from terrasweep.results.study_record import Objective
from terrasweep.study.optuna_study import StoredStudy
sys.stdin.readline()
folder = Path(sys.argv[2])
StoredStudy(folder.name, sys.argv[1], [Objective(name="accuracy", direction="maximize")], folder).ask(1, 9)
"""


@pytest.mark.slow
def test_studies_that_start_together_make_the_tables_of_their_file_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE, url, str(tmp_path / f"s{number}")],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    said = [process.communicate("go\n", timeout=60)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    assert sorted(optuna.get_all_study_names(url)) == ["s0", "s1", "s2"]
    assert {path.name for path in tmp_path.glob("*shared*")} - {"shared.db-wal", "shared.db-shm"} == {"shared.db"}


def test_a_file_is_locked_meanwhile_and_nothing_is_left(tmp_path):
    lock = tmp_path / ".optuna.db.lock"
    with tables_made_alone(f"sqlite:///{tmp_path / 'optuna.db'}"):
        assert not Lease(lock).take()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///no/folder/of/mine.db", "oracle://host/db"])
def test_what_has_no_lock_is_left_to_whoever_opens_it(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tables_made_alone(url):
        assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_is_said_by_its_driver():
    pytest.importorskip("psycopg", reason="pip install -e '.[postgres]'")
    with pytest.raises(sqlalchemy.exc.OperationalError), tables_made_alone("postgresql://u@127.0.0.1:9/db"):
        raise AssertionError("nothing was locked")
