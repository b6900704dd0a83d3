"""The database that Optuna's studies lie in: how it is opened, waited for, and what its failures are."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage

from terrasweep.results.errors import InvalidConfig, first_line
from terrasweep.results.secrets import masked
from terrasweep.study.database_engine import server_settings, wait_for_server
from terrasweep.study.database_lock import tables_made_alone

STORAGE_ERRORS = (StorageInternalError, sqlalchemy.exc.SQLAlchemyError)
"""What a database's failure is raised as."""
LOCKED_S = 300
"""How long a write waits for another process that has locked an SQLite database; Optuna tries some of them again."""


def open_storage(url: str) -> RDBStorage:
    """Open Optuna's storage; SQLite with a write-ahead log, which a killed process can't corrupt.

    Raises:
        InvalidConfig: The URL can't be read, or its database can't be opened or is of another version.
    """
    local = url.startswith("sqlite")
    settings = {"connect_args": {"timeout": LOCKED_S, "factory": _LoggedConnection}} if local else server_settings()
    try:
        with tables_made_alone(url):
            storage = RDBStorage(url, engine_kwargs=settings)
    except RuntimeError as error:  # All that Optuna raises for a schema that is not its own.
        raise InvalidConfig(
            f"study.storage={url}: its tables are of another version of Optuna; "
            f"run optuna storage upgrade --storage '{masked(url)}', or use another database"
        ) from error
    except (sqlalchemy.exc.SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InvalidConfig(f"study.storage={url}: {reason}; {_way_out(url)}") from error
    if not local:
        wait_for_server(storage.engine)
    return storage


@contextlib.contextmanager
def usable(url: str) -> Iterator[None]:
    """Before a study starts, a storage that can't be used is bad input.

    Raises:
        InvalidConfig: It can't; nothing of it was changed.
    """
    try:
        yield
    except STORAGE_ERRORS as error:
        raise InvalidConfig(f"study.storage={masked(url)}: {storage_reason(error)}; {_way_out(url)}") from error


def _way_out(url: str) -> str:
    if url.startswith("sqlite"):
        return "if the file is damaged, move it away: a new one is told what the study's folder holds"
    return "give a database URL that SQLAlchemy opens"


def storage_reason(error: Exception) -> str:
    """What the database said, without what Optuna and SQLAlchemy make of it."""
    return first_line(error.__cause__ if isinstance(error.__cause__, sqlalchemy.exc.SQLAlchemyError) else error)


class _LoggedConnection(sqlite3.Connection):
    """SQLite with a write-ahead log: a commit is one write, and neither a kill nor a power cut takes it back."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=FULL")
