"""Ctrl-C in the middle of making MLflow's tables costs nothing."""

import pytest
import sqlalchemy
from mlflow import MlflowClient

from terrasweep.study import mlflow_store


@pytest.mark.parametrize("statement", [0, 40, 160])
def test_ctrl_c_while_the_tables_are_made_leaves_nothing_and_the_next_start_makes_them(home, statement):
    file, left = home / "store" / "mlflow.db", [statement]
    file.parent.mkdir()

    def stop(*_):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            mlflow_store.prepare(f"sqlite:///{file}")
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", stop)
    assert not file.exists()
    mlflow_store.prepare(f"sqlite:///{file}")
    assert MlflowClient(f"sqlite:///{file}").search_runs(["0"]) == []
    assert [path.name for path in file.parent.iterdir()] == ["mlflow.db"]
