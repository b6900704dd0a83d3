"""Keeping the layers that the calibration ranks first in full precision is better than keeping any others."""

import random

import pytest
import torch

from terrasweep.data.open.folders import open_data
from terrasweep.data.prepare import prepare_data
from terrasweep.models.assemble import build_model
from terrasweep.models.transforms.quantize import quantizable, quantized
from terrasweep.models.transforms.sensitivity import rank_layers
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

CPU = torch.device("cpu")
DRAWS = 5


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A 12-block backbone with a decoder, trained for a hundred steps on synthetic tiles, and the tiles."""
    patch = pytest.MonkeyPatch()
    patch.setenv("TERRASWEEP_HOME", str(tmp_path_factory.mktemp("home")))
    sizes = ["data.synthetic.train=96", "data.synthetic.val=48", "data.synthetic.test=0", "train.batch_size=16"]
    config = compose_trial("backbone=terramind_v1_tiny", "decoder=linear", "tuning=full", *sizes)
    prepare_data(config)
    data = open_data(config)
    torch.manual_seed(0)
    model = build_model(config, data.num_classes, CPU).module
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    losses = []
    for _, batch in zip(range(100), endless(data.module.train_dataloader), strict=False):
        batch = data.module.on_after_batch_transfer(batch, 0)
        loss = torch.nn.functional.cross_entropy(model(batch["image"]).output, batch["mask"], ignore_index=-1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0], "it learnt something"
    patch.undo()
    return model.eval(), data


def endless(loader):
    while True:
        yield from loader()


def batches(data, split):
    return [data.module.on_after_batch_transfer(b, 0) for b in getattr(data.module, f"{split}_dataloader")()]


@torch.no_grad()
def judge(model, data, names, quantization):
    """What quantizing the named layers does on the validation tiles.

    Returns:
        The outputs' relative change, and the share of pixels that are given another class. (Not the change of mIoU,
        which is 0.0003 here and as often up as down.)
    """
    originals = {name: model.encoder.get_submodule(name) for name in names}
    validation = batches(data, "val")
    exact = [model(batch["image"]).output for batch in validation]
    for name, linear in originals.items():
        model.encoder.set_submodule(name, quantized(linear, quantization, torch.float32, CPU))
    changed = [model(batch["image"]).output for batch in validation]
    for name, linear in originals.items():
        model.encoder.set_submodule(name, linear)
    before, after = torch.cat(exact), torch.cat(changed)
    other_class = before.argmax(1) != after.argmax(1)
    return float((after - before).norm() / before.norm()), float(other_class.float().mean())


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["nf4", "fp4"])
def test_the_most_sensitive_tenth_is_worth_more_than_any_random_tenth(trained, quantization):
    model, data = trained
    settings = compose_trial(f"quantization={quantization}").quantization
    names = quantizable(model.encoder, settings)
    count = round(0.1 * len(names))
    assert count == 5
    images = batches(data, "train")[0]["image"]
    ranking = rank_layers(model, names, quantization, torch.float32, CPU, images)
    assert sorted(ranking) == sorted(names)
    assert list(ranking.values()) == sorted(ranking.values(), reverse=True)
    kept = list(ranking)[:count]
    change, other_class = judge(model, data, [n for n in names if n not in kept], quantization)
    draws = [random.Random(seed).sample(names, count) for seed in range(DRAWS)]
    others = [judge(model, data, [n for n in names if n not in draw], quantization) for draw in draws]
    assert all(change < other for other, _ in others), (change, others)
    assert all(other_class < other for _, other in others), (other_class, others)


@pytest.mark.slow
def test_ranking_leaves_the_model_as_it_was(trained):
    model, data = trained
    images = batches(data, "train")[0]["image"][:4]
    with torch.no_grad():
        before = model(images).output
        ranking = rank_layers(model, ["encoder.0.attn.qkv", "encoder.1.mlp.fc1"], "int8", torch.float32, CPU, images)
        assert torch.equal(model(images).output, before)
    assert not model.training
    assert all(0 < error < 0.2 for error in ranking.values())


@pytest.mark.slow
def test_more_bits_change_less(trained):
    model, data = trained
    images = batches(data, "train")[0]["image"][:4]
    names = quantizable(model.encoder, compose_trial("quantization=nf4").quantization)
    total = {q: sum(rank_layers(model, names, q, torch.float32, CPU, images).values()) for q in ("int8", "nf4", "fp4")}
    assert total["int8"] < total["nf4"] < total["fp4"], total


def test_a_built_model_keeps_the_ranked_layers_and_names_the_rest():
    images = torch.randn(4, 6, 64, 64, generator=torch.Generator().manual_seed(0))
    config = compose_trial("quantization=nf4", "quantization.skip=auto", "quantization.skip_count=3")
    torch.manual_seed(0)
    built = build_model(config, 3, CPU, images)
    assert len(built.sensitivity) == 16
    assert len(built.touched["quantized"]) == 13
    assert set(built.touched["quantized"]) == set(list(built.sensitivity)[3:])


def test_a_count_that_leaves_nothing_to_quantize_is_refused():
    config = compose_trial("quantization=nf4", "quantization.skip=auto", "quantization.skip_count=16")
    with pytest.raises(InvalidConfig, match="the backbone has 16 linear layers"):
        build_model(config, 3, CPU, torch.randn(1, 6, 64, 64))
