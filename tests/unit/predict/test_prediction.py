"""Which of the numbers is the one that is measured, and the way to JSON and back."""

import json

from terrasweep.predict.prediction import Prediction, as_json, from_json
from terrasweep.predict.trace import Kind, Phase, Work

BUILT = {Kind.WEIGHTS: 900.0}
STEP = {Kind.WEIGHTS: 300.0, Kind.ACTIVATIONS: 400.0}
EVALUATED = {Kind.WEIGHTS: 300.0, Kind.ACTIVATIONS: 100.0}
ON_CPU = Prediction(device="cpu", on_host={Phase.BUILD: BUILT, Phase.STEADY_STEP: STEP, Phase.EVALUATION: EVALUATED})
ON_GPU = Prediction(
    device="cuda",
    on_device={Phase.BUILD: {Kind.WEIGHTS: 300.0}, Phase.STEADY_STEP: STEP},
    on_host={Phase.BUILD: BUILT, Phase.STEADY_STEP: {Kind.ACTIVATIONS: 50.0}},
    reserved={Phase.BUILD: 320.0, Phase.STEADY_STEP: 760.0},
    step=Work(flops=1e9, moved_bytes=5, kernels=3),
    notes=["something was assumed."],
)


def test_on_a_cpu_the_host_s_memory_limits():
    assert (ON_CPU.peak_memory_mib, ON_CPU.peak_build_mib, ON_CPU.peak_host_mib) == (700.0, 900.0, 900.0)


def test_on_a_gpu_what_is_reserved_limits():
    assert (ON_GPU.peak_memory_mib, ON_GPU.peak_build_mib) == (760.0, 320.0)
    assert (ON_GPU.peak_allocated_mib, ON_GPU.peak_host_mib) == (700.0, 900.0)


def test_json_and_back():
    for prediction in (ON_CPU, ON_GPU):
        assert from_json(json.loads(json.dumps(as_json(prediction)))) == prediction
