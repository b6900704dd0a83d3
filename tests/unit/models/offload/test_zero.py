"""What Lightning and DeepSpeed leave to terrasweep: sizes, places, and compiling once."""

import fcntl
import sys
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn
from torchmetrics.classification import MulticlassAccuracy

from terrasweep.models.offload import extensions, zero
from terrasweep.models.offload.deepspeed_settings import Sizes
from terrasweep.models.offload.zero import assign, place_unpartitioned, read_each_once, whole, zero_strategy
from tests.composing import compose_trial

CPU = torch.device("cpu")


class QuantState:
    def __init__(self):
        self.devices = []

    def to(self, device):
        self.devices.append(device)


def test_buffers_and_metrics_go_to_the_device():
    """Meta stands for a GPU; buffers of modules inside one another, and states that a metric keeps out of sight."""
    model = nn.ModuleDict({"norm": nn.BatchNorm1d(3, affine=False), "accuracy": MulticlassAccuracy(3)})
    place_unpartitioned(model, torch.device("meta"))
    assert {buffer.device.type for buffer in model.buffers()} == {"meta"}
    assert str(model["accuracy"].device) == "meta"


def test_constants_of_low_bit_weights_go_with_them_and_a_parameter_stays_the_object_that_others_hold():
    model, state = nn.Linear(3, 3), QuantState()
    weight = model.weight
    weight.quant_state = state
    place_unpartitioned(model, CPU)
    assert state.devices == [CPU]
    assert model.weight is weight


def test_a_tensor_that_is_not_partitioned_is_whole_already():
    tensor = torch.ones(3)
    assert whole(tensor) is tensor


def test_values_are_written_while_a_partitioned_parameter_is_gathered_by_the_rank_that_hands_it_out(monkeypatch):
    """DeepSpeed drops what is written at another time, or by a rank that modifies nothing."""
    gathered = []

    @contextmanager
    def gather(tensors, modifier_rank=None):
        (tensor,) = tensors
        before = tensor.clone()
        yield
        gathered.append((modifier_rank, before.tolist(), tensor.tolist()))

    monkeypatch.setitem(sys.modules, "deepspeed", SimpleNamespace(zero=SimpleNamespace(GatheredParameters=gather)))
    plain, parted = torch.zeros(2), torch.zeros(2)
    parted.ds_id = 7
    for tensor in (plain, parted):
        assign(tensor, torch.ones(2))
        assert tensor.tolist() == [1, 1]
    assert gathered == [(0, [0, 0], [1, 1])]


class Reader:
    """As DeepSpeed's of parameters on a disk, which fails where one is read that has a buffer."""

    def __init__(self):
        self.read = []

    def swap_in(self, params, async_op=True, swap_in_buffers=None):
        self.read.append(([param.ds_id for param in params], async_op, swap_in_buffers))


def test_a_parameter_is_read_from_the_disk_once_where_it_is_asked_for_twice():
    model, reader = nn.Linear(2, 2), Reader()
    for number, parameter in enumerate(model.parameters()):
        parameter.ds_id, parameter.nvme_swapper = number, reader
    read_each_once(model)
    weight, bias = model.parameters()
    weight.nvme_swapper.swap_in([bias, weight, bias])
    bias.nvme_swapper.swap_in([weight], async_op=False, swap_in_buffers=["its buffer"])
    assert reader.read == [([1, 0], True, None), ([0], False, ["its buffer"])]
    read_each_once(nn.Linear(2, 2))


def test_buffers_are_sized_by_what_learns_and_by_the_largest_parameter(monkeypatch, tmp_path):
    seen = {}

    def settings(config, sizes, *, pin_memory):
        seen.update(sizes=sizes, pinned=pin_memory)
        return {}

    monkeypatch.setattr(zero, "deepspeed_config", settings)
    monkeypatch.setattr(zero, "ZeroStrategy", lambda *arguments: arguments)
    model = nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 2))
    model[0].requires_grad_(False)
    _, device, folder, _ = zero_strategy(compose_trial("offload=optimizer"), model, CPU, tmp_path)
    assert seen == {"sizes": Sizes(trainable=7 * 2 + 2, largest=35), "pinned": False}
    assert (device, folder) == (torch.device("cpu", 0), tmp_path)


def test_what_is_compiled_is_marked_under_the_lock_and_a_failure_is_not(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv(extensions.EXTENSIONS, str(tmp_path))
    monkeypatch.setattr(zero, "remove_stale_locks", lambda device: [tmp_path / device / "lock"])
    held, builder = [], ModuleType("deepspeed.ops.op_builder")

    class Builder:
        def load(self):
            with (tmp_path / ".terrasweep.lock").open() as lock, pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.append(True)
            if len(held) == 1:
                raise RuntimeError("the compiler was killed")

    builder.AsyncIOBuilder = Builder
    monkeypatch.setattr(zero, "import_deepspeed", lambda device: None)
    monkeypatch.setitem(sys.modules, "deepspeed.ops.op_builder", builder)
    for package in ("deepspeed", "deepspeed.ops"):
        monkeypatch.setitem(sys.modules, package, module_from_spec(ModuleSpec(package, loader=None)))
    with pytest.raises(RuntimeError, match="killed"):
        zero.compile_extensions(CPU)
    assert not extensions.are_compiled("cpu")
    zero.compile_extensions(CPU)
    assert extensions.are_compiled("cpu")
    assert len(held) == 2
    assert capsys.readouterr().out == 2 * f"removed the stale lock of a build that was killed: {tmp_path}/cpu/lock\n"
