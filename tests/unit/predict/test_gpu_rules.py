"""What a GPU does otherwise than a CPU, on fake tensors."""

import importlib
from types import SimpleNamespace

import bitsandbytes as bnb
import pytest
import torch
from torch import nn

from terrasweep.config.knobs.offload import OffloadConfig
from terrasweep.models.offload.apply import apply_offload
from terrasweep.predict.fake_tensors import fake_tensors
from terrasweep.predict.storage_watch import StorageWatch
from terrasweep.predict.trace import Kind, Phase

TOLD = f"bitsandbytes {bnb.__version__}"


@pytest.fixture
def watch():
    found = StorageWatch({}, for_gpu=True)
    found.begin(Phase.BUILD)
    found.begin(Phase.STEADY_STEP)
    return found


@pytest.fixture
def low_bit_products():
    """A private module, imported late: that it is gone is told with the version, and not while tests are collected."""
    try:
        return importlib.import_module("bitsandbytes.autograd._functions")
    except ImportError as error:
        pytest.fail(f"{TOLD}: {error}")


@pytest.fixture
def as_on_gpu(low_bit_products):
    return importlib.import_module("terrasweep.predict.gpu_rules").as_on_gpu


def test_bitsandbytes_multiplies_by_the_names_that_are_replaced(low_bit_products, monkeypatch):
    assert hasattr(low_bit_products, "MatMul8bitLt"), f"{TOLD}: it has no MatMul8bitLt"
    assert hasattr(low_bit_products, "MatMul8bitFp"), f"{TOLD}: it has no MatMul8bitFp"
    monkeypatch.setattr(low_bit_products, "MatMul8bitFp", SimpleNamespace(apply=lambda *_: "replaced"))
    state = bnb.MatmulLtState()
    state.is_training = True
    product = bnb.matmul(torch.ones(2, 3), torch.ones(3, 3), state=state)
    assert product == "replaced", f"{TOLD}: in a training on a CPU it multiplies by another name"


def test_autocast_computes_norms_in_32_bits(watch, as_on_gpu):
    def norm():
        with torch.autocast("cpu", torch.bfloat16):
            product = torch.ones(4, 4) @ torch.ones(4, 4)
            return product.dtype, nn.functional.layer_norm(product, (4,)).dtype

    with fake_tensors():
        on_cpu = norm()
        with as_on_gpu(watch):
            on_gpu = norm()
    assert on_cpu == (torch.bfloat16, torch.bfloat16)
    assert on_gpu == (torch.bfloat16, torch.float32)


def test_what_the_backward_pass_needs_waits_on_the_host(watch, as_on_gpu):
    """Two layers of 64 x 64 and a batch of 8: each keeps its input, 2 KiB, and its weight, 16 KiB."""
    with fake_tensors(), as_on_gpu(watch), watch:
        model = nn.Sequential(*(nn.Linear(64, 64, bias=False) for _ in range(2)))
        apply_offload(model, OffloadConfig(name="activations"))
        model(torch.ones(8, 64)).sum().backward()
    held = sum(watch.trace().peaks(on_host=True)[Phase.STEADY_STEP].values())
    assert held >= 4 * (2 * 8 * 64 + 64 * 64)
    assert held <= 4 * (2 * 8 * 64 + 2 * 64 * 64)


def test_everything_is_as_before_afterwards(watch, as_on_gpu, low_bit_products):
    before = low_bit_products.MatMul8bitFp
    with as_on_gpu(watch):
        assert low_bit_products.MatMul8bitFp is low_bit_products.MatMul8bitLt
    assert low_bit_products.MatMul8bitFp is before


@pytest.mark.parametrize(("module", "kept_bytes"), [(nn.Dropout(0.1), 4 + 1), (nn.Dropout(0.0), 4)])
def test_dropout_keeps_a_byte_of_each_element(watch, as_on_gpu, module, kept_bytes):
    """Beside its result, which the next layer keeps."""
    with fake_tensors(), as_on_gpu(watch), watch:
        values = torch.ones(100, 100, requires_grad=True)
        before = sum(watch.trace().peaks(on_host=False)[Phase.STEADY_STEP].values())
        made = module(values * 1.0)
        held = sum(size for name, size in watch.trace().events if size > 0) - before
        ended = sum(watch.trace().blocks[name].size for name, size in watch.trace().events if size < 0)
    assert made.shape == values.shape
    assert held - ended == pytest.approx(100 * 100 * kept_bytes, abs=1024)


def test_what_bitsandbytes_does_in_one_operator_is_several_on_a_gpu(watch, as_on_gpu):
    """Unpacked weights with four bytes each; 32-bit integers, and 16-bit numbers of them."""
    rows, inner, outer = 3, 64, 128
    with fake_tensors(), as_on_gpu(watch), watch:
        values, packed = torch.ones(rows, inner), torch.ones(inner * outer // 2, 1, dtype=torch.uint8)
        blocks = torch.ones(inner * outer // 64)
        torch.ops.bitsandbytes.gemm_4bit(values, packed, [outer, inner], blocks, 64, "nf4")
        integers = (torch.ones(size, inner, dtype=torch.int8) for size in (rows, outer))
        torch.ops.bitsandbytes.int8_scaled_mm(*integers, torch.ones(rows), torch.ones(outer), dtype=torch.float32)
    trace = watch.trace()
    ended = [name for name, size in trace.events if size < 0]
    inner_sizes = {trace.blocks[name].size for name in ended if trace.blocks[name].kind is Kind.WORKSPACES}
    assert {inner * outer * 4, rows * outer * (4 + 2)} <= inner_sizes
    assert 32 * 2**20 in [block.size for block in trace.blocks], "cuBLAS multiplies by unpacked weights"
