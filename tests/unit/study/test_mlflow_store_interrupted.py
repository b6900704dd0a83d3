"""Ctrl-C in the middle of making MLflow's tables costs nothing."""

import pytest
from mlflow import MlflowClient

from terrasweep.study import mlflow_store
from tests.unit.study.stopped_database import stopped_at


@pytest.mark.parametrize("statement", [0, 40, 160])
def test_ctrl_c_while_the_tables_are_made_leaves_nothing_and_the_next_start_makes_them(home, statement):
    file = home / "store" / "mlflow.db"
    file.parent.mkdir()
    with stopped_at(statement):
        mlflow_store.prepare(f"sqlite:///{file}")
    assert not file.exists()
    mlflow_store.prepare(f"sqlite:///{file}")
    assert MlflowClient(f"sqlite:///{file}").search_runs(["0"]) == []
    assert [path.name for path in file.parent.iterdir()] == ["mlflow.db"]
