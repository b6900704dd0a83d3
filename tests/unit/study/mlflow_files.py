"""How tests of MLflow's store see it refused."""

import pytest

from terrasweep.results.errors import InvalidConfig
from terrasweep.study import mlflow_store


def refused(uri, check=mlflow_store.check_reachable):
    with pytest.raises(InvalidConfig) as error:
        check(uri)
    assert "\n" not in str(error.value)
    return str(error.value)
