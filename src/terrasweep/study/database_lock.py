"""One process at a time makes the tables of a database, whatever machine or folder it was started in.

Optuna and MLflow look for their tables and make what is missing: two that do so at once make them twice, and the later
one fails.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy

from terrasweep.machine.locks import locked

_KEY = 0x7465727261  # "terra"
_NAME = "terrasweep_tables"
_WAIT_S = 600
_LOCK = {
    "postgresql": sqlalchemy.text(f"SELECT pg_advisory_lock({_KEY})"),
    "mysql": sqlalchemy.text(f"SELECT GET_LOCK('{_NAME}', {_WAIT_S})"),
    "mariadb": sqlalchemy.text(f"SELECT GET_LOCK('{_NAME}', {_WAIT_S})"),
}
"""What takes a lock that goes with its connection."""


@contextlib.contextmanager
def tables_made_alone(url: str) -> Iterator[None]:
    """Keep other processes from making tables in a database meanwhile.

    Raises:
        SQLAlchemyError, ImportError: The database can't be opened.
    """
    parsed = sqlalchemy.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with _beside(Path(parsed.database or "")):
            yield
    elif parsed.get_backend_name() in _LOCK:
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            connection.execute(_LOCK[parsed.get_backend_name()])
            yield
    else:
        yield


@contextlib.contextmanager
def _beside(file: Path) -> Iterator[None]:
    """Hold a lock beside a file; none where there can't be one, as for a database in memory."""
    if not file.is_absolute() or not file.parent.is_dir():
        yield
        return
    lock = file.with_name(f".{file.name}.lock")
    with locked(lock):
        yield
        # Whoever waits for this very lock finds the tables made, and so does who makes another one.
        lock.unlink(missing_ok=True)
