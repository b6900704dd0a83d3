"""A step is the one that the papers give, of what learns alone."""

import pytest
import torch

from terrasweep.config.knobs.optimizer import OptimizerConfig
from terrasweep.config.train import TrainConfig
from terrasweep.models.torch_internals import WRAPPER_PREFIX, wrap_modules
from terrasweep.results.errors import InvalidConfig
from terrasweep.training.optimizers import build_optimizer, describe_idle_decay, parameter_groups


def parameters(*sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    made = [torch.nn.Parameter(torch.randn(size, generator=generator)) for size in sizes]
    for parameter in made:
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    return made


def settings(name="adamw", **changes):
    return OptimizerConfig(name=name, **changes)


def adamw_by_hand(start, gradients, lr, betas, decay):
    """Loshchilov and Hutter 2019, algorithm 2, in float64."""
    value, first, second = start.double(), 0.0, 0.0
    for step, gradient in enumerate(gradients, 1):
        first = betas[0] * first + (1 - betas[0]) * gradient.double()
        second = betas[1] * second + (1 - betas[1]) * gradient.double().square()
        corrected = first / (1 - betas[0] ** step) / ((second / (1 - betas[1] ** step)).sqrt() + 1e-8)
        value = value - lr * decay * value - lr * corrected
    return value


@pytest.mark.parametrize("implementation", ["fused", "foreach", "loop"])
def test_steps_are_those_of_the_paper_in_every_implementation(implementation):
    (parameter,) = parameters(50)
    start = parameter.detach().clone()
    gradients = [torch.randn(50, generator=torch.Generator().manual_seed(step)) for step in range(3)]
    given = settings(implementation=implementation, betas=[0.8, 0.95], weight_decay=0.3)
    optimizer = build_optimizer([parameter], given, lr=0.1)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    expected = adamw_by_hand(start, gradients, 0.1, (0.8, 0.95), 0.3)
    torch.testing.assert_close(parameter.detach().double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["adamw", "adamw8bit", "paged_adamw8bit"])
def test_what_is_frozen_is_not_moved_and_has_no_state(name):
    learning, frozen = parameters(5000, 5000)
    frozen.requires_grad_(False)
    before = frozen.detach().clone()
    given = settings(name, min_8bit_size=None if name == "adamw" else 4096)
    optimizer = build_optimizer([learning, frozen], given, lr=0.1)
    optimizer.step()
    assert torch.equal(frozen, before)
    assert list(optimizer.state) == [learning]


@pytest.mark.parametrize("name", ["adamw8bit", "paged_adamw8bit"])
def test_an_8_bit_state_steps_nearly_as_32_bits_do_and_small_tensors_exactly(name):
    ours, theirs = parameters(8192, 64), parameters(8192, 64)
    given = settings(name, min_8bit_size=4096, weight_decay=0.1)
    optimizer, exact = build_optimizer(ours, given, 1e-2), build_optimizer(theirs, settings(weight_decay=0.1), 1e-2)
    for _ in range(3):
        optimizer.step()
        exact.step()
    moved = [a.detach() - b.detach() for a, b in zip(theirs, parameters(8192, 64), strict=True)]
    errors = [((a - b).norm() / m.norm()).item() for a, b, m in zip(ours, theirs, moved, strict=True)]
    assert 1e-5 < errors[0] < 0.1
    assert errors[1] < 1e-5
    assert [optimizer.state[p]["state1"].dtype for p in ours] == [torch.uint8, torch.float32]


def test_the_size_from_which_the_state_has_8_bits_is_the_user_s():
    (parameter,) = parameters(512)
    for size, dtype in ((512, torch.uint8), (513, torch.float32)):
        optimizer = build_optimizer([parameter], settings("adamw8bit", min_8bit_size=size), 1e-2)
        optimizer.step()
        assert optimizer.state[parameter]["state1"].dtype is dtype


class Task(torch.nn.Module):
    """A backbone with an adapter, and a head, under the names that TerraTorch's tasks and PEFT give them."""

    def __init__(self):
        super().__init__()
        self.model = torch.nn.Module()
        self.model.encoder = torch.nn.Module()
        self.model.encoder.layer = torch.nn.Linear(4, 4)
        self.model.encoder.norm = torch.nn.LayerNorm(4)
        self.model.encoder.lora_A = torch.nn.Linear(4, 2, bias=False)
        self.model.head = torch.nn.Linear(4, 3)


def settings_by_name(task, groups):
    names = {id(parameter): name for name, parameter in task.named_parameters()}
    return {names[id(p)]: (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}


def test_what_is_pretrained_learns_slowly_and_norms_and_biases_do_not_decay():
    task, train = Task(), TrainConfig(lr=0.1, backbone_lr_ratio=0.5)
    task.model.encoder.layer.bias.requires_grad_(False)
    assert settings_by_name(task, parameter_groups(task, settings(weight_decay=0.2), train)) == {
        "model.encoder.layer.weight": (0.05, 0.2),
        "model.encoder.norm.weight": (0.05, 0.0),
        "model.encoder.norm.bias": (0.05, 0.0),
        "model.encoder.lora_A.weight": (0.1, 0.2),
        "model.head.weight": (0.1, 0.2),
        "model.head.bias": (0.1, 0.0),
    }


def test_all_decay_where_that_is_wanted():
    task = Task()
    groups = parameter_groups(task, settings(weight_decay=0.2, decay_all=True), TrainConfig(lr=0.1))
    assert set(settings_by_name(task, groups).values()) == {(0.1, 0.2)}


class Deep(torch.nn.Module):
    """A backbone of three blocks, the middle one of which is wrapped as checkpointing does it."""

    def __init__(self):
        super().__init__()
        self.model = torch.nn.Module()
        self.model.encoder = torch.nn.Module()
        self.model.encoder.cls_token = torch.nn.Parameter(torch.zeros(1, 1, 4))
        self.model.encoder.patch_embed = torch.nn.Linear(4, 4, bias=False)
        blocks = [torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False)) for _ in range(3)]
        self.model.encoder.blocks = torch.nn.ModuleList(blocks)
        self.model.encoder.norm = torch.nn.LayerNorm(4)
        self.model.head = torch.nn.Linear(4, 3, bias=False)


@pytest.mark.parametrize("checkpointed", [False, True])
def test_each_block_learns_slower_than_the_one_after_it(checkpointed):
    task = Deep()
    if checkpointed:
        wrap_modules(task.model.encoder, {task.model.encoder.blocks[1]})
    train = TrainConfig(lr=0.1, backbone_lr_ratio=0.5, layer_decay=0.5)
    rates = {
        name: rate for name, (rate, _) in settings_by_name(task, parameter_groups(task, settings(), train)).items()
    }
    by_place = {name.replace(WRAPPER_PREFIX, "").removeprefix("model."): rate for name, rate in rates.items()}
    assert by_place == pytest.approx(
        {
            "encoder.cls_token": 0.05 * 0.5**3,
            "encoder.patch_embed.weight": 0.05 * 0.5**3,
            "encoder.blocks.0.0.weight": 0.05 * 0.5**2,
            "encoder.blocks.1.0.weight": 0.05 * 0.5,
            "encoder.blocks.2.0.weight": 0.05,
            "encoder.norm.weight": 0.05,
            "encoder.norm.bias": 0.05,
            "head.weight": 0.1,
        }
    )


@pytest.mark.parametrize(
    ("decay", "learning", "said"),
    [
        (0.5, (), True),
        (0.5, ("lora_A", "head"), True),
        (0.5, ("lora_A", "head", "encoder.norm.bias"), False),
        (1.0, ("lora_A", "head"), False),
    ],
)
def test_a_decay_over_blocks_that_do_not_learn_is_said_to_change_nothing(decay, learning, said):
    model = Task().model
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(part in name for part in learning))
    line = describe_idle_decay(model, TrainConfig(layer_decay=decay))
    assert (line is not None) == said
    assert line is None or line.startswith("train.layer_decay=0.5: it changes nothing here")


def test_without_blocks_there_is_no_layer_decay():
    with pytest.raises(InvalidConfig, match=r"train\.layer_decay=0\.5: the backbone has no stack of blocks; use 1"):
        parameter_groups(Task(), settings(), TrainConfig(layer_decay=0.5))
