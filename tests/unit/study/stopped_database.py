"""A process that ends in the middle of what it writes to a database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import sqlalchemy


@contextlib.contextmanager
def stopped_at(statement: int) -> Iterator[None]:
    """Within the block, which has to end by it, the process is interrupted before a statement, counted from 0."""
    left = [statement]

    def stop(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", stop)
