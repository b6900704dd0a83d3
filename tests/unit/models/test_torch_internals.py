"""What terrasweep takes of torch by a private name still is there, and does what it did."""

import importlib
import operator

import pytest
import torch
from torch import nn

TOLD = f"torch {torch.__version__}"
NAMES = {
    "torch.distributed.algorithms._checkpoint.checkpoint_wrapper": [
        *("CheckpointImpl", "CheckpointWrapper", "apply_activation_checkpointing", "checkpoint_wrapper"),
    ],
    "torch._subclasses": ["FakeTensor", "FakeTensorMode"],
    "torch.utils._python_dispatch": ["TorchDispatchMode"],
    "torch": [
        *("_C._dispatch_has_kernel_for_dispatch_key", "UntypedStorage._cdata"),
        *("ops.aten._local_scalar_dense.default", "ops.aten._unique2.default"),
    ],
}


@pytest.fixture
def internals():
    """Imported late, so that a name that is gone is told by its test, and not while tests are collected."""
    return importlib.import_module("terrasweep.models.torch_internals")


class Counted(nn.Linear):
    calls = 0

    def forward(self, rows):
        Counted.calls += 1
        return super().forward(rows)


def wrapped(internals):
    torch.manual_seed(0)
    plain = nn.Sequential(Counted(3, 3), nn.ReLU(), Counted(3, 3))
    names = dict(plain.named_parameters())
    internals.wrap_modules(plain, [plain[2]])
    return plain, names


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_the_names_are_there(module, name):
    try:
        operator.attrgetter(name)(importlib.import_module(module))
    except (AttributeError, ImportError) as error:
        pytest.fail(f"{TOLD}: {error}")


def test_the_chosen_modules_alone_run_again_in_the_backward_pass_with_their_hooks(internals):
    model, _ = wrapped(internals)
    hooked = []
    model.get_submodule("2._checkpoint_wrapped_module").register_forward_pre_hook(lambda *_: hooked.append(1))
    Counted.calls = 0
    model(torch.ones(2, 3)).sum().backward()
    assert (Counted.calls, len(hooked)) == (3, 2), f"{TOLD}: its checkpoint wrapper recomputes other modules"


def test_parameters_gain_the_prefix_and_a_state_has_plain_names(internals):
    model, names = wrapped(internals)
    stripped = {name.replace(internals.WRAPPER_PREFIX, "") for name, _ in model.named_parameters()}
    assert stripped == names.keys(), f"{TOLD}: its checkpoint wrapper names parameters {list(model.state_dict())}"
    assert model.state_dict().keys() == names.keys(), f"{TOLD}: a wrapped module's state has other names"
    assert type(internals.unwrapped(model[2])) is Counted, f"{TOLD}: its checkpoint wrapper holds the module elsewhere"
    assert internals.unwrapped(model[0]) is model[0]


def test_fake_tensors_have_shapes_and_no_memory(internals):
    with internals.FakeTensorMode():
        made = torch.ones(2, 3) @ torch.ones(3, 2**40)
    assert isinstance(made, internals.FakeTensor), f"{TOLD}: its FakeTensorMode makes {type(made)}"
    assert made.shape == (2, 2**40)


def test_an_address_tells_storages_apart_also_fake_ones(internals):
    with internals.FakeTensorMode():
        for first, other in ((torch.ones(4), torch.ones(4)), (torch.ones(0), torch.ones(0))):
            address = internals.storage_address(first.untyped_storage())
            assert internals.storage_address(first[:2].untyped_storage()) == address, f"{TOLD}: a view has another"
            assert internals.storage_address(other.untyped_storage()) != address, f"{TOLD}: two storages have one"


def test_a_dispatch_mode_sees_the_operators_that_ask_for_values(internals):
    class Seen(internals.TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.operators = []

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.operators.append(func)
            return func(*args, **(kwargs or {}))

    with Seen() as seen:
        assert torch.ones(()).item() == 1
        assert torch.unique(torch.ones(3)).tolist() == [1]
    assert internals.NUMBER_OF in seen.operators, f"{TOLD}: Tensor.item calls {seen.operators}"
    assert internals.UNIQUE in seen.operators, f"{TOLD}: torch.unique calls {seen.operators}"


def test_a_product_of_any_shapes_consists_of_others_and_a_sum_does_not(internals):
    consists = internals.consists_of_others
    assert consists(torch.ops.aten.matmul.default), f"{TOLD}: aten.matmul is an operator of its own"
    assert not consists(torch.ops.aten.add.Tensor), f"{TOLD}: aten.add consists of others"


def test_what_is_put_into_a_module_s_tables_is_its_own(internals):
    layer = nn.BatchNorm1d(3)
    parameters, buffers = internals.tables_of_tensors(layer)
    assert parameters.keys() == dict(layer.named_parameters()).keys(), f"{TOLD}: parameters are kept elsewhere"
    assert buffers.keys() == dict(layer.named_buffers()).keys(), f"{TOLD}: buffers are kept elsewhere"
    parameters["weight"] = buffers["running_mean"] = torch.full((3,), 7.0)  # Assignment would refuse it.
    assert layer.weight is layer.running_mean is parameters["weight"], f"{TOLD}: a module reads its tensors elsewhere"
