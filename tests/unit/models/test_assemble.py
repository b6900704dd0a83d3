"""What was requested is what was built: names, gradients, outputs, bytes."""

import bitsandbytes as bnb
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file

from terrasweep.models.assemble import build_encoder, build_model, build_plain, necks
from terrasweep.models.transforms.adapters import target_layers
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial

CPU = torch.device("cpu")
BACKBONES = ["prithvi_eo_tiny", "prithvi_eo_v2_tiny_tl", "terramind_v1_tiny", "timm_vit_tiny_patch16_224"]
BLOCKS = dict(zip(BACKBONES, (4, 12, 12, 12), strict=True))
MODELS = [("segmentation", d) for d in ("unet", "upernet", "fcn", "linear")] + [("classification", "identity")]
CLASSES = 3


def built(*overrides, seed=0):
    torch.manual_seed(seed)
    return build_model(compose_trial(*overrides), CLASSES, CPU)


def images(batch=2):
    return torch.randn(batch, 6, 64, 64, generator=torch.Generator().manual_seed(1))


def loss_and_gradients(model):
    torch.manual_seed(5)
    model.module.train()
    for module in model.module.modules():  # Statistics of a batch, not of the run: the forward pass is repeated.
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.0
    loss = model.module(images()).output.square().mean()
    loss.backward()
    gradients = [p.grad for p in model.module.parameters() if p.requires_grad]
    assert all(g is not None for g in gradients)
    return loss.detach(), gradients


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(("task", "decoder"), MODELS)
def test_every_backbone_fits_every_decoder(backbone, task, decoder):
    model = built(f"backbone={backbone}", f"decoder={decoder}", f"task={task}")
    output = model.module(images()).output
    assert output.shape == ((2, CLASSES, 64, 64) if task == "segmentation" else (2, CLASSES))
    assert output.dtype == torch.float32
    assert torch.isfinite(output).all()


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize(("preset", "per_block"), [("attention", 2), ("mlp", 2), ("attention_mlp", 4)])
def test_presets_adapt_the_layers_they_name_and_nothing_else_learns(backbone, preset, per_block):
    model = built(f"backbone={backbone}", "decoder=linear", "tuning.rank=2", f"tuning.targets={preset}")
    adapted = model.touched["adapted"]
    assert len(adapted) == per_block * BLOCKS[backbone]
    assert all(("attn" in name and "attention" in preset) or ("mlp" in name and "mlp" in preset) for name in adapted)
    learning = [n for n, p in model.module.named_parameters() if p.requires_grad and n.startswith("encoder.")]
    assert learning
    assert all("lora_" in name for name in learning)


@pytest.mark.parametrize("flags", [[], ["tuning.use_rslora=true"]])
@pytest.mark.parametrize("quantization", ["none", "int8", "fp4", "nf4", "nf4_double"])
def test_lora_at_its_start_leaves_the_features_as_they_were(quantization, flags):
    """Bit by bit: the second matrix of an adapter starts at zero."""
    common = ["decoder=linear", f"quantization={quantization}"]
    plain, adapted = built("tuning=frozen", *common), built("tuning.rank=4", *common, *flags)
    before, after = (model.module.encoder.eval()(images()) for model in (plain, adapted))
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_dora_at_its_start_leaves_the_features_but_for_rounding(quantization):
    common = ["decoder=linear", f"quantization={quantization}"]
    plain, adapted = built("tuning=frozen", *common), built("tuning.use_dora=true", *common)
    before, after = (model.module.encoder.eval()(images())[-1].detach() for model in (plain, adapted))
    assert float((after - before).norm() / before.norm()) < 1e-5


@pytest.mark.parametrize("quantization", ["none", "int8", "nf4"])
@pytest.mark.parametrize("knob", ["checkpointing=blocks", "offload=activations"])
def test_what_saves_memory_leaves_loss_and_gradients_as_they_were(quantization, knob):
    common = [f"quantization={quantization}", "tuning.rank=2", "decoder=linear"]
    plain, changed = built(*common), built(*common, knob)
    loss, gradients = loss_and_gradients(plain)
    changed_loss, changed_gradients = loss_and_gradients(changed)
    assert torch.equal(loss, changed_loss)
    assert all(torch.equal(a, b) for a, b in zip(gradients, changed_gradients, strict=True))


def test_checkpointing_wraps_every_block_and_saves_activations():
    model = built("checkpointing=blocks", "backbone=terramind_v1_tiny", "decoder=linear")
    assert len(model.touched["checkpointed"]) == 12
    kept = {}
    for knob in ("none", "blocks"):
        kept[knob] = 0

        def count(tensor, knob=knob):
            kept[knob] += tensor.numel()
            return tensor

        one = built(f"checkpointing={knob}", "backbone=terramind_v1_tiny", "decoder=linear")
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            one.module(images())
    assert kept["blocks"] < 0.5 * kept["none"]


@pytest.mark.parametrize("quantization", ["int8", "fp4", "nf4", "nf4_double"])
def test_every_linear_of_the_backbone_is_quantized_and_stays_near(quantization):
    plain = built("tuning=frozen", "decoder=linear")
    model = built("tuning=frozen", "decoder=linear", f"quantization={quantization}")
    names = [n for n, m in plain.module.encoder.named_modules() if type(m) is torch.nn.Linear]
    assert model.touched["quantized"] == names
    assert model.total_parameters == plain.total_parameters
    reference, output = (m.module.encoder.eval()(images())[-1] for m in (plain, model))
    error = float((output - reference).norm() / reference.norm())
    assert 0 < error < (0.05 if quantization == "int8" else 0.5)
    # An evaluation must not change the weights in place: the next training step would fail or differ.
    assert torch.equal(model.module.encoder.eval()(images())[-1], output)


def test_bytes_fall_with_the_bits():
    sizes = {q: built("tuning=frozen", f"quantization={q}").weight_bytes for q in ("none", "int8", "nf4", "nf4_double")}
    assert sizes["nf4_double"] < sizes["nf4"] < sizes["int8"] < sizes["none"]
    plain = built("tuning=frozen")
    exact = sum(t.numel() * t.element_size() for t in (*plain.module.parameters(), *plain.module.buffers()))
    assert sizes["none"] == exact


def test_skipped_layers_stay_in_full_precision():
    model = built("tuning=frozen", "quantization=nf4", "quantization.skip=[blocks.1,mlp.fc2]")
    assert not any(".1." in name or "fc2" in name for name in model.touched["quantized"])
    assert len(model.touched["quantized"]) == 4 * 4 - 4 - 3


def test_bf16_unpacks_four_bit_weights_to_bf16():
    model = built("quantization=nf4", "precision=bf16")
    layers = [m for m in model.module.modules() if type(m) is bnb.nn.Linear4bit]
    assert {m.compute_dtype for m in layers} == {torch.bfloat16}


def test_a_transformation_that_touches_nothing_is_an_error():
    with pytest.raises(InvalidConfig, match=r"tuning\.targets=no_such_layer"):
        built("tuning.targets=[no_such_layer]")
    with pytest.raises(InvalidConfig, match="no linear layer to quantize"):
        built("quantization=nf4", "quantization.skip=[blocks]")


def test_a_bare_name_does_not_reach_the_patch_embedding():
    encoder = build_plain(compose_trial(), CLASSES).encoder
    assert all("blocks." in name for name in target_layers(encoder, ["proj"]))


def test_unknown_names_are_refused_with_the_field():
    with pytest.raises(InvalidConfig, match=r"backbone\.name=nope"):
        built("backbone.name=nope")


def test_what_becomes_of_a_checkpoint_is_told(tmp_path):
    """What the file lacks is named, and the rest is loaded; how is proven in test_checkpoint.py."""
    source = build_plain(compose_trial("decoder=linear"), CLASSES).encoder
    state = {name: tensor.clone() for name, tensor in source.state_dict().items()}
    del state["norm.weight"]
    save_file(state | {"stranger": torch.ones(1)}, tmp_path / "file.safetensors")
    model = built("decoder=linear", f"backbone.checkpoint={tmp_path}/file.safetensors", seed=1)
    assert model.touched["checkpoint_missing"] == ["norm.weight"]
    assert model.touched["checkpoint_unexpected"] == ["stranger"]
    assert "checkpoint_loaded" not in model.touched
    loaded = {name.replace(".base_layer", ""): tensor for name, tensor in model.module.encoder.state_dict().items()}
    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def test_given_necks_win_over_derived_ones():
    def names(*overrides):
        config = compose_trial(*overrides)
        return [neck["name"] for neck in necks(config, build_encoder(config)[1])]

    derived = ["SelectIndices", "ReshapeTokensToImage", "LearnedInterpolateToPyramidal"]
    assert names("decoder=unet") == derived
    assert names("decoder=fcn") == derived[:2]
    assert names("decoder=unet", "neck.modules=[{name: SelectIndices, indices: [3]}]") == ["SelectIndices"]


def test_weights_that_the_hub_does_not_give_are_one_line(monkeypatch):
    def offline(*_, **__):
        raise LocalEntryNotFoundError("we cannot find the requested files\nin the local cache")

    monkeypatch.setattr("terrasweep.models.assemble._get_backbone", offline)
    with pytest.raises(InvalidConfig, match=r"files can't be had \(we cannot .* backbone\.checkpoint=FILE") as told:
        build_plain(compose_trial("backbone=prithvi_eo_v2_300", "backbone.pretrained=true"), 2)
    assert "\n" not in str(told.value)
