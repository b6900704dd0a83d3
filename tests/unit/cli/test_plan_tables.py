"""A plan is printed on 80 columns, with what fits and what is left out."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from terrasweep.cli.plan_tables import show
from terrasweep.predict.prediction import Prediction
from terrasweep.predict.trace import Kind, Phase
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


def test_the_predicted_peak_is_told_with_its_parts():
    """The build is another measurement, and what takes nothing is not named."""
    prediction = Prediction(
        device="cuda",
        on_device={
            Phase.BUILD: {Kind.WEIGHTS: 9000.0},
            Phase.STEADY_STEP: {Kind.WEIGHTS: 300.0, Kind.ACTIVATIONS: 2048.0, Kind.GRADIENTS: 0.0},
            Phase.EVALUATION: {Kind.WEIGHTS: 300.0, Kind.ACTIVATIONS: 100.0},
        },
        reserved={Phase.BUILD: 9100.0, Phase.STEADY_STEP: 2560.0, Phase.EVALUATION: 500.0},
    )

    def prose(*overrides):
        return " ".join(printed(compose_trial(*overrides), found(prediction=prediction)).split())

    assert "Predicted peak on one GPU without ZeRO: 2.50 GiB reserved by torch's allocator." in prose()
    assert "in the steady step: 300 MiB of weights, 2.00 GiB of activations." in prose()
    assert "allocator, within budget.memory_gib=3." in prose("budget.memory_gib=3")
    assert "allocator, 1.50 GiB more than budget.memory_gib=1." in prose("budget.memory_gib=1")
    assert "The tables do not count: activations" in prose(), "the prediction counts them"
    without = printed(compose_trial(), found())
    assert "Predicted peak" not in without
    assert "Not counted: activations" in without


@pytest.mark.parametrize(("dtype", "bits"), [("fp32", 32), ("bf16", 16)])
def test_frozen_weights_are_named_by_their_bits(dtype, bits):
    answer = found()
    answer = replace(answer, counts=replace(answer.counts, frozen_parameters=10, frozen_bytes=10 * bits // 8))
    assert f"frozen weights, in {bits} bits" in printed(compose_trial(f"tuning.frozen_dtype={dtype}"), answer)


def test_what_is_too_much_is_told():
    text = " ".join(printed(compose_trial("budget.memory_gib=1"), found()).split())
    assert "4.12 GiB too much" in text
    assert "the model states fit with no offload." in text
