"""A real PostgreSQL server for Optuna and MLflow, by the documented URL, restarted in between."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from mlflow import MlflowClient

from terrasweep.results.errors import InvalidConfig
from terrasweep.results.states import State
from terrasweep.results.study_record import Objective
from terrasweep.results.trial_result import TrialResult
from terrasweep.study import mlflow_store
from terrasweep.study.database_lock import tables_made_alone
from terrasweep.study.mlflow_runs import StudyTracker
from terrasweep.study.optuna_study import StoredStudy
from tests.studies import study_record

pytestmark = pytest.mark.slow

OBJECTIVES = [Objective(name="accuracy", direction="maximize")]


class Server:
    """A cluster in a temporary folder; PostgreSQL refuses to run as root."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        if os.getuid() == 0:
            shutil.chown(folder, "postgres")
        self.run("initdb", "-D", str(folder / "data"), "-U", "terra", "--auth=trust", "--no-sync")
        self.start()
        for name in ("studies", "tracking"):
            self.new(name)

    def new(self, database):
        """Make a database; its URL."""
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "terra")
        self.run("psql", *where, "-c", f"CREATE DATABASE {database}", "postgres")
        return self.url(database)

    def run(self, program, *arguments):
        command = [str(self.programs / program), *arguments]
        user = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **user)

    def control(self, *what):
        log = ("-l", str(self.folder / "log"), "-o", f"-p {self.port} -k {self.folder} -h 127.0.0.1")
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", *log, *what)

    def start(self):
        self.control("start")

    def stop(self):
        self.control("stop", "-m", "immediate")

    def url(self, database):
        return f"postgresql://terra@127.0.0.1:{self.port}/{database}"


@pytest.fixture(scope="module")
def server():
    found = [Path(name).resolve().parent for name in [shutil.which("initdb")] if name]
    found += [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found:
        pytest.skip("there is no initdb; apt-get install postgresql")
    pytest.importorskip("psycopg", reason="pip install -e '.[postgres]'")
    with tempfile.TemporaryDirectory() as folder:
        started = Server(found[-1], Path(folder))
        yield started
        started.stop()


def result(number):
    return TrialResult(number=number, state=State.COMPLETE, measurements={"accuracy": 0.5})


def test_a_study_goes_on_over_a_restart_of_its_server(server, tmp_path):
    stored = StoredStudy("study", server.url("studies"), OBJECTIVES, tmp_path)
    (trial,) = stored.ask(1, 2)
    server.stop()  # At once, as a crash: the open connections are dead.
    back = threading.Thread(target=server.start)
    back.start()
    stored.tell(trial, result(trial.number))
    back.join()
    (second,) = stored.ask(5, 2)
    stored.tell(second, result(second.number))
    assert [t.state.name for t in stored.study.get_trials()] == ["COMPLETE", "COMPLETE"]


def test_mlflow_keeps_runs_there_and_artifacts_in_the_project(server, tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASWEEP_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    uri = server.url("tracking")
    mlflow_store.check_reachable(uri)
    mlflow_store.prepare(uri)
    tracker = StudyTracker(study_record(), uri)
    tracker.log(result(0))
    server.stop()
    server.start()
    tracker.log(result(1))
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("study").experiment_id], "tags.trial_number != ''")
    assert sorted(run.data.tags["trial_number"] for run in runs) == ["0", "1"]
    assert len(list((tmp_path / "results" / ".mlflow" / "study").glob("*/artifacts/config.yaml"))) == 2
    assert not (tmp_path / "mlruns").exists()


TOGETHER = """
import os
import sys
from pathlib import Path
from terrasweep.results.study_record import Objective
from terrasweep.study import mlflow_store
from terrasweep.study.optuna_study import StoredStudy
folder, studies, tracking = Path(sys.argv[1]), *sys.argv[2:]
mlflow_store.check_reachable(tracking)
sys.stdin.readline()
StoredStudy(folder.name, studies, [Objective(name="accuracy", direction="maximize")], folder).ask(1, 9)
mlflow_store.prepare(tracking)
mlflow_store.open_experiment(mlflow_store.open_client(tracking), folder.name, tracking)
"""


def test_processes_of_several_homes_that_start_together_make_the_tables_once(server, tmp_path):
    """Each has file locks of its own; the server alone can keep them apart."""
    urls = server.new("fresh_studies"), server.new("fresh_tracking")
    homes = [tmp_path / f"home{number}" for number in range(3)]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", TOGETHER, str(home), *urls],
            env={**os.environ, "TERRASWEEP_HOME": str(home)},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for home in homes
    ]
    told = [process.communicate("go\n", timeout=300)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], told
    names = [home.name for home in homes]
    assert sorted(optuna.get_all_study_names(urls[0])) == names
    assert {e.name for e in MlflowClient(urls[1]).search_experiments()} == {"Default", *names}


MAKERS = {
    "optuna": lambda url, folder: StoredStudy("s", url, OBJECTIVES, folder),
    "mlflow": lambda url, _: mlflow_store.prepare(url),
}


@pytest.mark.parametrize("whose", MAKERS)
def test_whoever_makes_tables_waits_until_nobody_else_does(server, tmp_path, whose):
    url = server.new(f"locked_{whose}")
    engine = sqlalchemy.create_engine(url)
    making = threading.Thread(target=MAKERS[whose], args=(url, tmp_path))
    waiting = sqlalchemy.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with tables_made_alone(url), engine.connect() as watching:
        making.start()
        while making.is_alive() and not watching.execute(waiting).scalar():
            watching.rollback()
        assert making.is_alive(), "it made them at the same time"
        assert sqlalchemy.inspect(engine).get_table_names() == []
    making.join()
    assert sqlalchemy.inspect(engine).has_table({"optuna": "studies", "mlflow": "experiments"}[whose])


def test_a_database_that_is_not_there_is_refused_at_once(server):
    with pytest.raises(InvalidConfig, match=r"can't be opened .*\"nowhere\" does not exist"):
        mlflow_store.check_reachable(server.url("nowhere"))
