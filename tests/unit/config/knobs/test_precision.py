"""A precision of products is one that torch knows, and another is one line with its key."""

import pytest
import torch

from terrasweep.config.knobs.precision import MATMUL_PRECISIONS, find_bad_values
from tests.composing import ROOT, compose_trial

OPTIONS = sorted(file.stem for file in (ROOT / "src" / "terrasweep" / "conf" / "precision").glob("*.yaml"))


@pytest.fixture
def _as_before():
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("precision.matmul=higest", "precision.matmul=higest: unknown; did you mean highest?"),
        ("precision.matmul=tf32", "precision.matmul=tf32: unknown; there are: high, highest, medium"),
    ],
)
def test_a_bad_value_is_one_line_that_begins_with_its_key(override, told):
    assert list(find_bad_values(compose_trial(override).precision)) == [told]


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("matmul", MATMUL_PRECISIONS)
@pytest.mark.usefixtures("_as_before")
def test_what_is_shipped_is_allowed_with_each_precision_that_torch_knows(option, matmul):
    precision = compose_trial(f"precision={option}", f"precision.matmul={matmul}").precision
    assert list(find_bad_values(precision)) == []
    assert precision.name == option
    torch.set_float32_matmul_precision(precision.matmul)
    assert torch.get_float32_matmul_precision() == matmul
