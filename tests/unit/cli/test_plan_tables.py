"""A plan is printed on 80 columns, with what fits and what is left out."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from terrasweep.cli.plan_tables import show
from tests.composing import compose_trial
from tests.unit.cli.plans import found


def printed(config, answer, width=80):
    stream = io.StringIO()
    show(config, answer, Console(file=stream, width=width, highlight=False))
    return stream.getvalue()


def test_the_page_fits_80_columns_and_says_what_is_left_out():
    config = compose_trial("quantization=nf4", "offload=nvme", "budget.memory_gib=24")
    text = printed(config, found(), width=200)
    assert max(map(len, text.splitlines())) <= 80
    prose = " ".join(text.split())
    for part in ("activations", "buffers of temporary gathers", "CUDA context", "fragmentation", "A note."):
        assert part in prose
    assert "…" not in text
    assert "disk" in text
    assert "19.0 GiB of the GPU are left" in prose
    assert sum(line.split()[:1] == ["fits"] for line in text.splitlines()) == 5


@pytest.mark.parametrize(("dtype", "bits"), [("fp32", 32), ("bf16", 16)])
def test_frozen_weights_are_named_by_their_bits(dtype, bits):
    answer = found()
    answer = replace(answer, counts=replace(answer.counts, frozen_parameters=10, frozen_bytes=10 * bits // 8))
    assert f"frozen weights, in {bits} bits" in printed(compose_trial(f"tuning.frozen_dtype={dtype}"), answer)


def test_what_is_too_much_is_told():
    text = " ".join(printed(compose_trial("budget.memory_gib=1"), found()).split())
    assert "4.12 GiB too much" in text
    assert "the model states fit with no offload." in text
