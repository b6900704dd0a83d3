"""MLflow's store: where it is, whether it can be used, and its tables made ready."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

import sqlalchemy

from terrasweep.machine import paths, startup
from terrasweep.results.errors import InvalidConfig, first_line
from terrasweep.results.secrets import masked
from terrasweep.study import mlflow_tables
from terrasweep.study.database_lock import tables_made_alone

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
_SERVERS = ("http", "https", "databricks", "uc")
"""Stores that know a place of their own for artifacts."""
_WAY_OUT = "start the server, or use tracking.uri=sqlite:///mlflow.db"


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
        mlflow_tables.prepare_file(_file(uri), _named(uri))
    elif _scheme(uri) not in _SERVERS:
        try:
            with tables_made_alone(uri):
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
        mlflow_tables.find_revision(path, _named(uri))
