"""How Optuna's storage talks to its database: one that is restarted meanwhile is waited for, for a bounded time."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy

WAIT_FOR_SERVER_S = 120.0
"""How long a database server may be away before the sweep ends."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0


def server_settings() -> dict[str, Any]:
    """Arguments of ``create_engine``: a connection is tried before it is used, so that a lost one is replaced."""
    return {"pool_pre_ping": True}


def wait_for_server(engine: sqlalchemy.Engine, *, wait_s: float = WAIT_FOR_SERVER_S) -> None:
    """Let an engine try again where a server does not take a connection, with growing pauses.

    Args:
        engine: Opened before: a server that has never answered is a mistake in its URL.
        wait_s: After so many seconds the driver's own error is raised.
    """

    @sqlalchemy.event.listens_for(engine, "do_connect")
    def connect(dialect: Any, _record: Any, arguments: Any, keywords: Any) -> Any:
        deadline, pause_s = time.monotonic() + wait_s, _FIRST_PAUSE_S
        while True:
            try:
                return dialect.connect(*arguments, **keywords)
            except dialect.loaded_dbapi.OperationalError:
                if time.monotonic() + pause_s > deadline:
                    raise
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
