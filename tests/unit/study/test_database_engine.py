"""A database server that is away for a while is waited for, and not for ever."""

import sqlite3

import pytest
import sqlalchemy

from terrasweep.study import database_engine


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """An engine whose server can be taken away: it answers after so many attempts."""
    made = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'a.db'}", poolclass=sqlalchemy.NullPool)
    made.away = 0
    made.attempts = 0
    connect = made.dialect.connect

    def perhaps(*arguments, **keywords):
        made.attempts += 1
        if made.attempts <= made.away:
            raise sqlite3.OperationalError("connection refused")
        return connect(*arguments, **keywords)

    monkeypatch.setattr(made.dialect, "connect", perhaps)
    now = [0.0]
    monkeypatch.setattr(database_engine.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(database_engine.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return made


def test_a_server_that_comes_back_is_waited_for(engine):
    database_engine.wait_for_server(engine)
    engine.away = 7
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
    assert engine.attempts == 8


def test_one_that_stays_away_is_given_up_after_the_bound(engine):
    database_engine.wait_for_server(engine, wait_s=100.0)
    engine.away = 10**9
    with pytest.raises(sqlalchemy.exc.OperationalError, match="refused"):
        engine.connect()
    assert 20 <= engine.attempts <= 40
    assert database_engine.time.monotonic() <= 100.0
