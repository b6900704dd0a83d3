"""MLflow's store: where it is, whether it can be used, and its tables, which are made beside it and moved into place.

MLflow makes and changes the tables of a SQLite file step by step. A process that is killed in between, or a second one
that starts meanwhile, would leave a file that never opens again: so one process at a time works on a draft.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlparse

import sqlalchemy

from terrasweep.machine import paths, startup
from terrasweep.machine.files import DRAFT_ENDING, draft_file
from terrasweep.machine.locks import locked
from terrasweep.results.errors import InvalidConfig, first_line
from terrasweep.results.secrets import masked

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory
    from mlflow import MlflowClient

_DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_SERVERS = ("http", "https", "databricks", "uc")
"""Stores that know a place of their own for artifacts."""
_WAY_OUT = "start the server, or use tracking.uri=sqlite:///mlflow.db"
_MOVE_AWAY = "move it away: a new one is made, and a study's trials are logged again when it is started again"
_WAIT_FOR_WRITER_S = 30.0


def absolute_uri(uri: str) -> str:
    """The tracking URI with a relative SQLite path made absolute below the project's root."""
    scheme, separator, path = uri.partition(":///")
    if scheme.startswith("sqlite") and separator and not path.startswith(("/", "file:")):
        return f"{scheme}:///{paths.home() / path}"
    return uri


def check_reachable(uri: str, *, timeout_s: float = 5.0) -> None:
    """See within seconds that a tracking store can be used, without writing to it.

    Raises:
        InvalidConfig: The scheme is unknown to MLflow, no server answers, or a SQLite file can't be made or is not one
            of MLflow's.
    """
    parsed = urlparse(absolute_uri(uri))
    scheme = _scheme(uri)
    if scheme == "sqlite":
        _check_file(uri)
    elif scheme in _DEFAULT_PORTS:
        try:
            address = (parsed.hostname or "", parsed.port or _DEFAULT_PORTS[scheme])
            socket.create_connection(address, timeout=timeout_s).close()
        except (OSError, ValueError) as error:
            raise InvalidConfig(f"{_named(uri)}: no server answers ({error}); {_WAY_OUT}") from error
        if scheme in _SERVERS:
            _check_server(uri)
        else:
            _check_database(uri, timeout_s)
    elif scheme not in _SERVERS:
        raise InvalidConfig(f"{_named(uri)}: MLflow has no store of this kind; {_WAY_OUT}")


def prepare(uri: str) -> None:
    """Make or renew the tables of a store that is a database; a server does so itself.

    Raises:
        InvalidConfig: They can't be made.
        OSError: A file can't be written.
    """
    if _scheme(uri) == "sqlite":
        _prepare_file(uri, _file(uri))
    elif _scheme(uri) not in _SERVERS:
        with locked(paths.home() / "results" / ".mlflow" / ".tables.lock"):
            try:
                _client(uri).search_experiments(max_results=1)
            except Exception as error:
                raise InvalidConfig(f"{_named(uri)}: MLflow can't use it ({_reason(error)}); {_WAY_OUT}") from error


def open_client(uri: str) -> MlflowClient:
    """A client of a store whose tables are there."""
    if _scheme(uri) == "sqlite":
        prepare(uri)
    return _client(uri)


def open_experiment(client: MlflowClient, name: str, uri: str) -> str:
    """The id of an experiment, which is made, or taken back from MLflow's bin."""
    existing = client.get_experiment_by_name(name)
    if existing is not None:
        if existing.lifecycle_stage == "deleted":
            client.restore_experiment(existing.experiment_id)
        return str(existing.experiment_id)
    # MLflow would put a database's artifacts into ./mlruns of the working directory; a server knows its own place.
    folder = paths.home() / "results" / ".mlflow" / name
    return str(client.create_experiment(name, artifact_location=None if _scheme(uri) in _SERVERS else folder.as_uri()))


def _scheme(uri: str) -> str:
    return urlparse(uri).scheme.split("+")[0]


def _named(uri: str) -> str:
    """The setting as an error shows it, and where it comes from if not from the command line."""
    origin = " (from MLFLOW_TRACKING_URI)" if os.environ.get("MLFLOW_TRACKING_URI") == uri else ""
    return f"tracking.uri={masked(uri)}{origin}"


def _reason(error: BaseException) -> str:
    return masked(first_line(error))


def _client(uri: str) -> MlflowClient:
    startup.quiet_mlflow()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=absolute_uri(uri))


def _check_server(uri: str) -> None:
    """See that what listens there is an MLflow server."""
    try:
        with startup.ask_mlflow_once():
            _client(uri).search_experiments(max_results=1)
    except Exception as error:
        raise InvalidConfig(f"{_named(uri)}: it is no MLflow server ({_reason(error)}); {_WAY_OUT}") from error


def _check_database(uri: str, timeout_s: float) -> None:
    """See that a database lets us in; MLflow itself would try for minutes."""
    limit = {} if _scheme(uri) == "mssql" else {"connect_args": {"connect_timeout": int(timeout_s)}}
    try:
        engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool, **limit)
        engine.connect().close()
    except ImportError as error:
        extra = "pip install -e '.[postgres]'" if _scheme(uri) == "postgresql" else "install it"
        raise InvalidConfig(f"{_named(uri)}: its driver is missing ({_reason(error)}); {extra}") from error
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise InvalidConfig(f"{_named(uri)}: it can't be opened ({_reason(error)}); {_WAY_OUT}") from error


def _file(uri: str) -> Path:
    return Path(absolute_uri(uri).partition(":///")[2].split("?")[0])


def _check_file(uri: str) -> None:
    path = _file(uri)
    folder = path.parent
    if folder == paths.home() and not folder.exists():
        folder = folder.parent  # The study makes its root.
    if not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK) or path.is_dir():
        raise InvalidConfig(f"{_named(uri)}: {path} can't be written; use a file in an existing folder")
    if path.exists():
        _revision(uri, path)


def _revision(uri: str, path: Path) -> str:
    """Which version of MLflow's tables a file holds, by MLflow's name of it; empty: from before it had names.

    Raises:
        InvalidConfig: It holds something else, or what an interrupted change of tables left.
    """
    if not path.stat().st_size:
        raise InvalidConfig(f"{_named(uri)}: {path} is empty; {_MOVE_AWAY}")
    try:
        with closing(sqlite3.connect(_uri_of(path), uri=True, timeout=_WAIT_FOR_WRITER_S)) as opened:
            tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            runs = "runs" in tables and opened.execute("SELECT count(*) FROM runs").fetchone()[0]
            versions = opened.execute("SELECT version_num FROM alembic_version") if "alembic_version" in tables else ()
            found = [version for (version,) in versions]
    except sqlite3.Error as error:
        raise InvalidConfig(
            f"{_named(uri)}: {path} can't be read ({error}); where it was cut, put a copy back, else {_MOVE_AWAY}"
        ) from error
    if any(name.startswith("_alembic_tmp_") for name in tables):
        what = (
            f"it holds {runs} runs; put a copy back, else {_MOVE_AWAY}" if runs else f"it holds no runs; {_MOVE_AWAY}"
        )
        raise InvalidConfig(f"{_named(uri)}: MLflow was stopped while it made the tables of {path}: {what}")
    if "experiments" not in tables:
        raise InvalidConfig(f"{_named(uri)}: {path} is another program's database; use another file")
    return found[0] if found else ""


def _uri_of(path: Path) -> str:
    return f"file:{quote(str(path))}?mode=rw"


def _prepare_file(uri: str, path: Path) -> None:
    if path.exists() and _revision(uri, path) == _tables().get_current_head():
        return
    lock = path.with_name(f".{path.name}.lock")
    with locked(lock):
        _remove_left_drafts(path)
        if not path.exists():
            _make(path)
        elif (revision := _revision(uri, path)) != _tables().get_current_head():
            _renew(uri, path, revision)
        # Whoever waits for this very file finds the work done, and so does who makes another one.
        lock.unlink(missing_ok=True)


@cache
def _tables() -> ScriptDirectory:
    """The steps by which MLflow's tables became what they are."""
    startup.quiet_mlflow()
    import mlflow
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))


def _make(path: Path) -> None:
    for rest in ("-journal", "-wal", "-shm"):
        # Of a file that is gone: SQLite would play it back into the new one.
        path.with_name(path.name + rest).unlink(missing_ok=True)
    with draft_file(path) as draft:
        _client(f"sqlite:///{draft}").search_experiments(max_results=1)


def _renew(uri: str, path: Path, revision: str) -> None:
    """Bring the tables to what this MLflow wants, on a copy; the file as it was stays beside it."""
    kept = path.with_name(f"{path.name}.before-{revision or 'renewal'}")
    try:
        with closing(sqlite3.connect(_uri_of(path), uri=True, timeout=_WAIT_FOR_WRITER_S)) as old:
            old.execute("PRAGMA journal_mode=DELETE")  # A write-ahead log would be played into the new file.
            old.execute("BEGIN IMMEDIATE")  # Nobody writes until the copy has taken its place.
            with draft_file(path) as draft:
                with closing(sqlite3.connect(path)) as read, closing(sqlite3.connect(draft)) as copy:
                    read.backup(copy)  # From the connection that holds the lock it would wait for itself.
                _upgrade(draft)
                with contextlib.suppress(FileExistsError):
                    os.link(path, kept)
    except (sqlite3.Error, subprocess.CalledProcessError) as error:
        said = error.stderr.strip().splitlines()[-1:] if isinstance(error, subprocess.CalledProcessError) else [error]
        raise InvalidConfig(
            f"{_named(uri)}: the tables of {path} are of another MLflow version ({revision or 'an old one'}) and can't "
            f"be renewed ({''.join(map(str, said))}); it is unchanged; use that version, else {_MOVE_AWAY}"
        ) from error
    print(f"{path}: its tables are now those of this MLflow; as it was before, it is in {kept}", file=sys.stderr)


def _upgrade(draft: Path) -> None:
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", f"sqlite:///{draft}"]
    subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - a list, and no shell reads it


def _remove_left_drafts(path: Path) -> None:
    """What killed processes left: under the lock nobody else has one."""
    draft = re.compile(rf"\.{re.escape(path.name)}\.{DRAFT_ENDING}(-journal|-wal|-shm)?")
    for file in path.parent.iterdir():
        if draft.fullmatch(file.name):
            file.unlink(missing_ok=True)
