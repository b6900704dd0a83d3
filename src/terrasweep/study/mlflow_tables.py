"""The tables of a SQLite file for MLflow: made and renewed beside it, and moved into place.

MLflow makes and changes them step by step. A process that is killed in between, or a second one that starts meanwhile,
would leave a file that never opens again: so one process at a time works on a draft.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from terrasweep.machine import startup
from terrasweep.machine.files import DRAFT_ENDING, draft_file
from terrasweep.machine.locks import locked
from terrasweep.results.errors import InvalidConfig

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

MOVE_AWAY = "move it away: a new one is made, and a study's trials are logged again when it is started again"
_WAIT_FOR_WRITER_S = 30.0


def find_revision(path: Path, setting: str) -> str:
    """Which version of MLflow's tables a file holds, by MLflow's name of it; empty: from before it had names.

    Args:
        path: The SQLite file.
        setting: ``tracking.uri=...`` as an error names it.

    Raises:
        InvalidConfig: It holds something else, or what an interrupted change of tables left.
    """
    if not path.stat().st_size:
        raise InvalidConfig(f"{setting}: {path} is empty; {MOVE_AWAY}")
    try:
        with closing(sqlite3.connect(_uri_of(path), uri=True, timeout=_WAIT_FOR_WRITER_S)) as opened:
            tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            runs = "runs" in tables and opened.execute("SELECT count(*) FROM runs").fetchone()[0]
            versions = opened.execute("SELECT version_num FROM alembic_version") if "alembic_version" in tables else ()
            found = [version for (version,) in versions]
    except sqlite3.Error as error:
        raise InvalidConfig(
            f"{setting}: {path} can't be read ({error}); where it was cut, put a copy back, else {MOVE_AWAY}"
        ) from error
    if any(name.startswith("_alembic_tmp_") for name in tables):
        what = f"it holds {runs} runs; put a copy back, else {MOVE_AWAY}" if runs else f"it holds no runs; {MOVE_AWAY}"
        raise InvalidConfig(f"{setting}: MLflow was stopped while it made the tables of {path}: {what}")
    if "experiments" not in tables:
        raise InvalidConfig(f"{setting}: {path} is another program's database; use another file")
    return found[0] if found else ""


def _uri_of(path: Path) -> str:
    return f"file:{quote(str(path))}?mode=rw"


def prepare_file(path: Path, setting: str) -> None:
    """Make the file with its tables, or renew them, where that is to do.

    Raises:
        InvalidConfig: It can't be renewed, or holds something else.
        OSError: A file can't be written.
    """
    if path.exists() and find_revision(path, setting) == _tables().get_current_head():
        return
    lock = path.with_name(f".{path.name}.lock")
    with locked(lock):
        _remove_left_drafts(path)
        if not path.exists():
            _make(path)
        elif (revision := find_revision(path, setting)) != _tables().get_current_head():
            _renew(path, setting, revision)
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
        startup.quiet_mlflow()
        from mlflow import MlflowClient

        MlflowClient(tracking_uri=f"sqlite:///{draft}").search_experiments(max_results=1)


def _renew(path: Path, setting: str, revision: str) -> None:
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
            f"{setting}: the tables of {path} are of another MLflow version ({revision or 'an old one'}) and can't "
            f"be renewed ({''.join(map(str, said))}); it is unchanged; use that version, else {MOVE_AWAY}"
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
