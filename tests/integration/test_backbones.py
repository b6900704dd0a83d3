"""Every prepared backbone with every decoder and every task: shapes, numbers, a step, adapters.

Where an architecture can be told to be small, it is; TerraMind, DOFA and Clay can't. What needs the Hub is built from
its configuration with random weights.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import ViTConfig

from terrasweep.config.schema import TrialConfig
from terrasweep.models.assemble import assemble
from terrasweep.models.backbones import prepared
from terrasweep.models.backbones.feature_layout import Layout
from terrasweep.models.backbones.registry import shapes_alone
from terrasweep.models.encoder import build_encoder
from terrasweep.models.transforms.adapters import apply_tuning, split_fused, target_layers
from terrasweep.models.transforms.checkpointing import transformer_blocks
from tests.composing import ROOT, compose_trial

CLASSES = 3
DECODERS = {
    (file.stem, task)
    for file in (ROOT / "src/terrasweep/conf/decoder").glob("*.yaml")
    for task in yaml.safe_load(file.read_text())["tasks"]
}
GROUPS = [group.name for group in prepared.groups() if group.name != "any"]
SMALL = {
    **{name: ["depth=4", "embed_dim=32", "num_heads=2"] for name in GROUPS if name.startswith(("prithvi_", "timm_"))},
    "earthmind_v1": ["num_hidden_layers=4", "hidden_size=32", "num_attention_heads=2", "intermediate_size=64"],
}
"""Group to arguments of its builder that make it small."""
LAYERS = {"hf_vision": (4, 2), "earthmind_v1": (4, 2), "terramind_v1_base": (2, 3), "terramind_v1_large": (2, 3)}
"""Linear layers per block of attention and MLP, where they are not two each: three in a gated MLP."""


@dataclass
class Ready:
    name: str
    config: TrialConfig
    encoder: Any
    layout: Layout
    side: int | None


@pytest.fixture(scope="module")
def vit(tmp_path_factory) -> Path:
    """A vision transformer of transformers, as its configuration alone."""
    folder = tmp_path_factory.mktemp("vit")
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    ViTConfig(**sizes, image_size=32, patch_size=16).save_pretrained(folder)
    return folder


def overrides(name: str, vit: Path) -> list[str]:
    side = 28 if "_600" in name or "patch14" in name or name == "earthmind_v1" else 32
    small = [f"backbone.arguments.{argument}" for argument in SMALL.get(name, [])]
    source = [f"backbone.source={vit}"] if name == "hf_vision" else []
    indices = ["backbone.out_indices=[0,1,2,3]"] if small else []
    return [f"backbone={name}", f"data.tile_px={side}", *small, *source, *indices]


@pytest.fixture(scope="module", params=GROUPS)
def ready(request, vit) -> Ready:
    """A backbone with random weights; it is frozen, so that the tests can share it."""
    config = compose_trial(*overrides(request.param, vit), "tuning=lora", "tuning.rank=2")
    torch.manual_seed(0)
    encoder, layout = build_encoder(config)
    encoder.requires_grad_(False)
    return Ready(request.param, config, encoder, layout, config.data.tile_px)


@pytest.fixture(scope="module")
def heads() -> dict[tuple[str, str], TrialConfig]:
    return {(decoder, task): compose_trial(f"decoder={decoder}", f"task={task}") for decoder, task in DECODERS}


def images(side: int) -> torch.Tensor:
    return torch.randn(2, 6, side, side, generator=torch.Generator().manual_seed(1))


def step(model: torch.nn.Module, side: int) -> set[str]:
    """Names of the parameters that one optimizer step changes."""
    learning = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD(learning.values(), lr=1.0)
    torch.manual_seed(5)
    output = model.train()(images(side)).output
    # Distances from noise, since a mean of squares may have no slope at zero.
    (output - torch.randn_like(output)).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
    return {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}


@pytest.mark.slow
@pytest.mark.parametrize(("decoder", "task"), sorted(DECODERS))
def test_backbone_decoder_and_task_go_together_and_learn(ready, heads, decoder, task):
    head = heads[decoder, task]
    config = replace(ready.config, decoder=head.decoder, task=head.task)
    torch.manual_seed(1)
    model = assemble(config, CLASSES, ready.encoder, ready.layout)
    with torch.no_grad():
        output = model.eval()(images(ready.side)).output
    pixels = (ready.side, ready.side)
    shapes = {"segmentation": (2, CLASSES, *pixels), "regression": (2, *pixels)}
    assert output.shape == shapes.get(task, (2, CLASSES))
    assert output.dtype == torch.float32
    assert torch.isfinite(output).all()
    changed = step(model, ready.side)
    assert any(name.startswith(("decoder.", "head.")) for name in changed)
    assert not any(name.startswith("encoder.") for name in changed)
    if decoder in ("unet", "upernet"):
        assert any(name.startswith("neck.") for name in changed)


@pytest.mark.slow
def test_adapters_learn_and_the_backbone_stays(ready, heads):
    """The last test of a shared backbone: its adapters stay."""
    head = heads["fcn", "segmentation"]
    config = replace(ready.config, decoder=head.decoder, task=head.task)
    adapted = apply_tuning(ready.encoder, config.tuning)["adapted"]
    model = assemble(config, CLASSES, ready.encoder, ready.layout)
    changed = {name.removeprefix("encoder.") for name in step(model, ready.side) if name.startswith("encoder.")}
    # The first matrix of an adapter has no slope while the second is zero.
    assert changed <= {f"{name}.lora_B.default.weight" for name in adapted}
    seen = {name for name in adapted if f"{name}.lora_B.default.weight" in changed}
    last = ready.layout.seen[-1]
    blocks = list(transformer_blocks(ready.encoder))
    assert {name.rsplit(".", 1)[-1] for name in seen} == {name.rsplit(".", 1)[-1] for name in adapted}
    assert all(any(name.startswith(f"{block}.") for name in seen) for block in blocks[: last + 1])


@pytest.mark.parametrize("group", GROUPS)
def test_presets_touch_the_layers_that_they_name(group, vit):
    """On the architecture in its full size, from shapes alone."""
    config = compose_trial(f"backbone={group}", *([f"backbone.source={vit}"] if group == "hf_vision" else []))
    with shapes_alone():
        encoder, _ = build_encoder(config)
        blocks = transformer_blocks(encoder)
        attention, mlp = LAYERS.get(group, (2, 2))
        reached = {preset: target_layers(encoder, preset) for preset in ("attention", "mlp", "attention_mlp")}
        split = split_fused(encoder, "qv")
        reached["qv"] = target_layers(encoder, "qv")
    counts = {preset: len(names) / len(blocks) for preset, names in reached.items()}
    assert counts == {"attention": attention, "mlp": mlp, "attention_mlp": attention + mlp, "qv": 2}
    assert len(split) == (len(blocks) if attention == 2 else 0)
    assert set(reached["attention"]).isdisjoint(reached["mlp"])
    assert all(name.startswith(tuple(f"{block}." for block in blocks)) for name in reached["attention_mlp"])
    inside = [
        f"{block}.{name}"
        for block, module in blocks.items()
        for name, layer in module.named_modules()
        if isinstance(layer, torch.nn.Linear)
    ]
    whole = {name for name in inside if not name.endswith("_linear")}
    assert whole <= set(reached["attention_mlp"]), "a layer of a block is left out"


@pytest.mark.slow
def test_the_real_list_holds_what_the_groups_name(home):
    names = set(prepared.registry_names())
    named = {compose_trial(f"backbone={group}", "backbone.source=x").backbone.name for group in GROUPS}
    assert [line for name in named for line in prepared.find_unknown(name)] == []
    assert {"timm_resnet18", "ssl4eos12_resnet50_sentinel2_all_moco"} <= names
    assert prepared.cached_names() == prepared.registry_names()
