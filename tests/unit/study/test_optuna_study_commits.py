"""What the default storage has committed, neither a kill nor a power cut takes back."""

import sqlalchemy

from terrasweep.results.study_record import Objective
from terrasweep.study.optuna_study import StoredStudy


def test_each_connection_flushes_its_commits_to_the_disk(tmp_path):
    """SQLite's manual: a write-ahead log loses no commit to a power cut with FULL (2), and may with NORMAL (1)."""
    seen = []

    def look(connection, _):
        if connection is not None:
            seen.append(
                [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
            )

    sqlalchemy.event.listen(sqlalchemy.pool.Pool, "checkin", look)
    try:
        url = f"sqlite:///{tmp_path / 'optuna.db'}"
        StoredStudy("s", url, [Objective(name="accuracy", direction="maximize")], tmp_path).ask(1, 1)
    finally:
        sqlalchemy.event.remove(sqlalchemy.pool.Pool, "checkin", look)
    assert seen
    assert all(pragmas == ["wal", 2] for pragmas in seen)
