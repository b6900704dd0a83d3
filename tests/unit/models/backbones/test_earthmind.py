"""EarthMind's encoder out of a checkpoint in the release's layout is the published network, and runs no code."""

import json
import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from terratorch.models import EncoderDecoderFactory
from terratorch.registry import BACKBONE_REGISTRY
from torch import nn

from terrasweep.config.data import ModalityConfig
from terrasweep.data.open.frames import combined
from terrasweep.models.assemble import build_untransformed
from terrasweep.models.backbones.earthmind import earthmind_v1
from terrasweep.models.transforms.adapters import target_layers
from terrasweep.models.transforms.checkpointing import apply_checkpointing, transformer_blocks
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

WIDTH, DEPTH, HEADS, PATCH, SIDE = 32, 4, 4, 14, 56
SMALL = {
    "hidden_size": WIDTH,
    "intermediate_size": 48,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": HEADS,
    "image_size": SIDE,
    "patch_size": PATCH,
}
PLAIN = {"norm_type": "layer_norm", "qk_normalization": False, "qkv_bias": True}
NORMED = {"norm_type": "rms_norm", "qk_normalization": True, "qkv_bias": False, "layer_norm_eps": 1e-3}


def published_tensors(variant, seed=0):
    """An InternViT's tensors by their published names, every one of them random."""
    torch.manual_seed(seed)
    tokens = (SIDE // PATCH) ** 2 + 1
    shapes = {
        "embeddings.class_embedding": (1, 1, WIDTH),
        "embeddings.patch_embedding.weight": (WIDTH, 3, PATCH, PATCH),
        "embeddings.patch_embedding.bias": (WIDTH,),
        "embeddings.position_embedding": (1, tokens, WIDTH),
    }
    for layer in range(DEPTH):
        block = {
            "attn.qkv.weight": (3 * WIDTH, WIDTH),
            "attn.proj.weight": (WIDTH, WIDTH),
            "attn.proj.bias": (WIDTH,),
            "mlp.fc1.weight": (48, WIDTH),
            "mlp.fc1.bias": (48,),
            "mlp.fc2.weight": (WIDTH, 48),
            "mlp.fc2.bias": (WIDTH,),
            "norm1.weight": (WIDTH,),
            "norm2.weight": (WIDTH,),
            "ls1": (WIDTH,),
            "ls2": (WIDTH,),
        }
        if variant["qkv_bias"]:
            block["attn.qkv.bias"] = (3 * WIDTH,)
        if variant["qk_normalization"]:
            block |= {"attn.q_norm.weight": (WIDTH,), "attn.k_norm.weight": (WIDTH,)}
        if variant["norm_type"] == "layer_norm":
            block |= {"norm1.bias": (WIDTH,), "norm2.bias": (WIDTH,)}
        shapes |= {f"encoder.layers.{layer}.{name}": shape for name, shape in block.items()}
    return {name: torch.randn(shape) * 0.2 for name, shape in shapes.items()}


def published_forward(tensors, variant, image):
    """InternViT after its paper (Chen et al. 2023, section 3) and its published formulas, in plain torch."""
    eps = variant.get("layer_norm_eps", 1e-6)

    def norm(x, name, kind=variant["norm_type"]):
        weight = tensors[f"{name}.weight"]
        if kind == "rms_norm":
            return weight * x / (x.square().mean(-1, keepdim=True) + eps).sqrt()
        centred = x - x.mean(-1, keepdim=True)
        return weight * centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() + tensors[f"{name}.bias"]

    def linear(x, name):
        bias = tensors.get(f"{name}.bias")
        return x @ tensors[f"{name}.weight"].T + (0 if bias is None else bias)

    def attention(x, name):
        batch, length, _ = x.shape
        query, key, value = linear(x, f"{name}.qkv").split(WIDTH, dim=-1)
        if variant["qk_normalization"]:
            query, key = norm(query, f"{name}.q_norm", "rms_norm"), norm(key, f"{name}.k_norm", "rms_norm")
        heads = [part.reshape(batch, length, HEADS, -1).transpose(1, 2) for part in (query, key, value)]
        weights = (heads[0] @ heads[1].transpose(-1, -2) / math.sqrt(WIDTH // HEADS)).softmax(-1)
        return linear((weights @ heads[2]).transpose(1, 2).reshape(batch, length, WIDTH), f"{name}.proj")

    def mlp(x, name):
        hidden = linear(x, f"{name}.fc1")
        return linear(hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2))), f"{name}.fc2")

    weight, bias = tensors["embeddings.patch_embedding.weight"], tensors["embeddings.patch_embedding.bias"]
    rows, columns = image.shape[-2] // PATCH, image.shape[-1] // PATCH
    patches = image.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)
    embedded = torch.einsum("bcyxhw,dchw->byxd", patches, weight).flatten(1, 2) + bias
    positions = tensors["embeddings.position_embedding"]
    grid = positions[:, 1:].reshape(1, SIDE // PATCH, SIDE // PATCH, WIDTH).permute(0, 3, 1, 2)
    grid = nn.functional.interpolate(grid, size=(rows, columns), mode="bicubic", align_corners=False)
    table = torch.cat([positions[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)
    x = torch.cat([tensors["embeddings.class_embedding"].expand(len(image), 1, -1), embedded], dim=1) + table
    states = []
    for layer in range(DEPTH):
        block = f"encoder.layers.{layer}"
        x = x + attention(norm(x, f"{block}.norm1"), f"{block}.attn") * tensors[f"{block}.ls1"]
        x = x + mlp(norm(x, f"{block}.norm2"), f"{block}.mlp") * tensors[f"{block}.ls2"]
        states.append(x)
    return states


def write_release(folder, variant=PLAIN, part="vision_model.", layout="sharded", change=None):
    """A checkpoint as EarthMind's: three shards, of which the second one holds no tensor of the encoder."""
    tensors = published_tensors(variant)
    named = {f"{part}{name}": tensor for name, tensor in (change or dict)(tensors).items()}
    names = sorted(named)
    others = {
        "language_model.model.embed_tokens.weight": torch.ones(7, 3),
        "grounding_encoder.sam2_model.image_encoder.trunk.pos_embed": torch.ones(2, 2),
        "mlp1.0.weight": torch.ones(4),
    }
    shards = [
        {name: named[name] for name in names[::2]} | {"mlp1.0.weight": others["mlp1.0.weight"]},
        {name: others[name] for name in list(others)[:2]},
        {name: named[name] for name in names[1::2]},
    ]
    (folder / "config.json").write_text(
        json.dumps(
            {
                "architectures": ["Sa2VAChatModel"],
                "auto_map": {"AutoModel": "modeling_earthmind_chat.Sa2VAChatModel"},
                "vision_config": {**SMALL, **variant, "model_type": "intern_vit_6b"},
                "llm_config": {"hidden_size": 3},
            }
        )
    )
    if layout == "sharded":
        files = [f"model-0000{index + 1}-of-00003.safetensors" for index in range(3)]
        for file, shard in zip(files, shards, strict=True):
            save_file(shard, folder / file)
        weight_map = {name: file for file, shard in zip(files, shards, strict=True) for name in shard}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    elif layout == "single":
        save_file(shards[0] | shards[1] | shards[2], folder / "model.safetensors")
    else:
        torch.save(shards[0] | shards[1] | shards[2], folder / "pytorch_model.bin")
    return tensors


def images(*shape, seed=3):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small(seed=0, **arguments):
    torch.manual_seed(seed)
    return earthmind_v1(**{"source": None, "img_size": SIDE, **SMALL, **arguments}).eval()


def spread(encoder, seed=0):
    """Random values everywhere: fresh position embeddings are zero."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.normal_(std=0.2)
    return encoder


def assert_close(ours, theirs):
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layout", ["sharded", "single", "pickle"])
@pytest.mark.parametrize("part", ["vision_model.", "model.vision_model."])
def test_the_released_layout_gives_the_published_formula(tmp_path, layout, part):
    tensors = write_release(tmp_path, part=part, layout=layout)
    encoder = earthmind_v1(pretrained=True, source=str(tmp_path), img_size=SIDE).eval()
    image = images(2, 3, SIDE, SIDE)
    assert_close(encoder(image), published_forward(tensors, PLAIN, image))
    assert encoder.out_channels == [WIDTH] * DEPTH
    assert encoder.patch_size == PATCH


@pytest.mark.parametrize("variant", [PLAIN, NORMED], ids=["300m", "6b"])
@pytest.mark.parametrize("size", [(28, 28), (84, 84), (28, 112), (56, 42)])
def test_other_image_sizes_and_the_larger_model_s_norms_follow_the_formula_too(tmp_path, variant, size):
    tensors = write_release(tmp_path, variant)
    encoder = earthmind_v1(pretrained=True, source=str(tmp_path), img_size=28).eval()
    image = images(1, 3, *size)
    assert_close(encoder(image), published_forward(tensors, variant, image))


def test_what_a_config_leaves_out_is_the_published_default_not_transformers(tmp_path):
    tensors = write_release(tmp_path, NORMED | {"layer_norm_eps": 1e-6})
    config = json.loads((tmp_path / "config.json").read_text())
    for name in ("norm_type", "qk_normalization", "qkv_bias", "layer_norm_eps"):
        del config["vision_config"][name]
    (tmp_path / "config.json").write_text(json.dumps(config))
    image = images(1, 3, SIDE, SIDE)
    encoder = earthmind_v1(pretrained=True, source=str(tmp_path)).eval()
    assert_close(encoder(image), published_forward(tensors, NORMED | {"layer_norm_eps": 1e-6}, image))


def test_a_shard_without_the_encoder_is_never_opened_and_no_code_runs(tmp_path):
    tensors = write_release(tmp_path)
    (tmp_path / "model-00002-of-00003.safetensors").write_bytes(b"garbage")
    sentinel = tmp_path / "it-ran"
    for name in ("modeling_earthmind_chat.py", "configuration_earthmind_chat.py"):
        (tmp_path / name).write_text(f"open({str(sentinel)!r}, 'w').close()")
    encoder = earthmind_v1(pretrained=True, source=str(tmp_path)).eval()
    image = images(1, 3, SIDE, SIDE)
    assert_close(encoder(image), published_forward(tensors, PLAIN, image))
    assert not sentinel.exists()


def test_only_the_encoder_s_tensors_are_read_out_of_a_file(tmp_path, monkeypatch):
    from terrasweep.models.backbones import hub_files

    read = []

    class Watched:
        def __init__(self, *args, **kwargs):
            self.file = original(*args, **kwargs)

        def __enter__(self):
            self.inside = self.file.__enter__()
            return self

        def __exit__(self, *error):
            return self.file.__exit__(*error)

        def keys(self):
            return self.inside.keys()

        def get_tensor(self, name):
            read.append(name)
            return self.inside.get_tensor(name)

    original = hub_files.safe_open
    monkeypatch.setattr(hub_files, "safe_open", Watched)
    tensors = write_release(tmp_path, layout="single")
    earthmind_v1(pretrained=True, source=str(tmp_path))
    assert sorted(read) == sorted(f"vision_model.{name}" for name in tensors)


def test_an_id_is_asked_for_the_config_the_index_and_the_shards_that_are_needed(tmp_path, monkeypatch):
    from terrasweep.models.backbones import hub_files

    asked = []

    def download(source, file):
        asked.append((source, file))
        return str(tmp_path / file)

    tensors = write_release(tmp_path)
    monkeypatch.setattr(hub_files, "hf_hub_download", download)
    encoder = earthmind_v1(pretrained=True, source="someone/EarthMind").eval()
    image = images(1, 3, SIDE, SIDE)
    assert_close(encoder(image), published_forward(tensors, PLAIN, image))
    assert {source for source, _ in asked} == {"someone/EarthMind"}
    assert {file for _, file in asked} == {
        "config.json",
        "model.safetensors.index.json",
        "model-00001-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
    }


def without(*names):
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("encoder.layers.1.ls1", "encoder.layers.2.ls2"), r"2 missing \(first encoder\.layer\.1\.lambda_1, "),
        (lambda tensors: tensors | {"encoder.layers.9.ls1": torch.ones(WIDTH)}, r"1 unknown \(first encoder\.layer\.9"),
        (lambda tensors: tensors | {"encoder.layers.0.ls1": torch.ones(3)}, r"1 misshapen \(first encoder\.layer\.0"),
    ],
)
def test_tensors_that_do_not_match_the_config_are_counted(tmp_path, change, told):
    write_release(tmp_path, change=change)
    with pytest.raises(InvalidConfig, match=rf"source=.*: its encoder is not the one of its config\.json: {told}"):
        earthmind_v1(pretrained=True, source=str(tmp_path))


def break_release(folder, kind):
    write_release(folder)
    shard = folder / "model-00003-of-00003.safetensors"
    if kind == "no config":
        (folder / "config.json").unlink()
    elif kind == "bad config":
        (folder / "config.json").write_text("{")
    elif kind == "other config":
        (folder / "config.json").write_text('{"hidden_sizes": [1, 2]}')
    elif kind == "cut shard":
        shard.write_bytes(shard.read_bytes()[:200])
    elif kind == "no shard":
        shard.unlink()
    elif kind == "no weights":
        (folder / "model.safetensors.index.json").unlink()


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("no config", "it has no config.json"),
        ("bad config", "config.json is not JSON"),
        ("other config", "describes no vision encoder"),
        ("cut shard", "model-00003-of-00003.safetensors is truncated or no file of tensors"),
        ("no shard", "it has no model-00003-of-00003.safetensors"),
        ("no weights", "it has no model.safetensors and no model.safetensors.index.json"),
    ],
)
def test_a_broken_release_gives_one_line(tmp_path, kind, told):
    break_release(tmp_path, kind)
    with pytest.raises(InvalidConfig) as refusal:
        earthmind_v1(pretrained=True, source=str(tmp_path))
    assert str(refusal.value).startswith(f"backbone.source={tmp_path}: ")
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_id_that_cannot_be_reached_gives_one_line(tmp_path):
    with pytest.raises(InvalidConfig, match=r"it is no folder here, and the Hub doesn't give it \(.*\); check the id"):
        earthmind_v1(pretrained=True, source=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"merge_method": "sum"}, "backbone.merge=sum: earthmind_v1 knows mean, max, concat"),
        ({"img_size": 8}, "img_size=8: smaller than a patch of 14 pixels"),
        ({"out_indices": [4]}, "backbone.out_indices=\\[4\\]: the encoder has the layers 0 to 3"),
        ({"num_attention_heads": "many"}, "its vision_config is not that of an InternViT"),
        ({"wings": 2}, "backbone.arguments.wings: earthmind_v1 and its vision_config have no such field"),
    ],
)
def test_arguments_without_a_meaning_are_refused(arguments, told):
    with pytest.raises(InvalidConfig, match=told):
        small(**arguments)


def test_without_a_source_it_is_internvit_300m():
    with torch.device("meta"):
        encoder = BACKBONE_REGISTRY.build("earthmind_v1", pretrained=False)
    assert {parameter.device.type for parameter in encoder.parameters()} == {"meta"}
    assert encoder.out_channels == [1024] * 24
    assert encoder.patch_size == 14
    assert encoder.vision_model.embeddings.position_embeddings.shape == (1, 1025, 1024)
    # By hand: the patch embedding, class token and positions; per block two norms, qkv, projection, MLP, layer scale.
    block = 4 * 1024 + 3 * (1024**2 + 1024) + (1024**2 + 1024) + (2 * 1024 * 4096 + 4096 + 1024) + 2 * 1024
    expected = 3 * 14 * 14 * 1024 + 1024 + 1024 + 1025 * 1024 + 24 * block
    assert sum(parameter.numel() for parameter in encoder.parameters()) == expected


def test_a_folder_without_pretrained_gives_its_architecture_on_meta_too(tmp_path):
    write_release(tmp_path)
    with torch.device("meta"):
        encoder = earthmind_v1(source=str(tmp_path))
    assert encoder.out_channels == [WIDTH] * DEPTH


@pytest.mark.parametrize("merge", ["mean", "max"])
def test_identical_groups_give_what_one_group_gives(merge):
    one = spread(small())
    two = spread(small(bands=["a", "b", "c"] * 2, merge_method=merge))
    image = images(2, 3, SIDE, SIDE)
    assert_close(two(image.repeat(1, 2, 1, 1)), one(image))


@pytest.mark.parametrize("merge", ["mean", "max"])
def test_the_order_of_groups_changes_nothing(merge):
    encoder = spread(small(bands=list("abcdefghi"), merge_method=merge))
    image = images(2, 9, SIDE, SIDE)
    turned = torch.cat([image[:, 6:], image[:, :3], image[:, 3:6]], dim=1)
    assert_close(encoder(turned), encoder(image))
    assert not torch.allclose(encoder(image.flip(1))[0], encoder(image)[0], atol=1e-3)


def test_groups_are_merged_behind_the_encoder():
    one = spread(small())
    image = images(2, 6, SIDE, SIDE)
    parts = [one(image[:, :3]), one(image[:, 3:])]
    expected = {
        "mean": [(first + second) / 2 for first, second in zip(*parts, strict=True)],
        "max": [torch.maximum(first, second) for first, second in zip(*parts, strict=True)],
        "concat": [torch.cat([first, second], dim=2) for first, second in zip(*parts, strict=True)],
    }
    for merge, states in expected.items():
        encoder = spread(small(bands=list("abcdef"), merge_method=merge))
        assert_close(encoder(image), states)
        assert encoder.out_channels == [state.shape[-1] for state in states]


@pytest.mark.parametrize("bands", [1, 2, 4, 5])
def test_a_group_that_is_not_full_repeats_its_last_band(bands):
    encoder = spread(small(bands=["x"] * bands))
    full = spread(small(bands=["x"] * (3 * math.ceil(bands / 3))))
    image = images(1, bands, SIDE, SIDE)
    lacking = -bands % 3
    assert_close(encoder(image), full(torch.cat([image, image[:, -1:].expand(-1, lacking, -1, -1)], dim=1)))


def test_modalities_are_groups_of_their_own():
    encoder = spread(small(modalities={"S2L2A": list("abcdef"), "S1GRD": ["VV", "VH"]}, merge_method="concat"))
    one = spread(small())
    optical, radar = images(2, 6, SIDE, SIDE), images(2, 2, SIDE, SIDE, seed=4)
    padded = torch.cat([radar, radar[:, -1:]], dim=1)
    parts = [one(group) for group in (optical[:, :3], optical[:, 3:], padded)]
    expected = [torch.cat(states, dim=2) for states in zip(*parts, strict=True)]
    assert_close(encoder({"S1GRD": radar, "S2L2A": optical}), expected)
    assert encoder.out_channels == [3 * WIDTH] * DEPTH
    with pytest.raises(ValueError, match="modality S1GRD has 2 bands, and no came"):
        encoder({"S2L2A": optical})
    with pytest.raises(ValueError, match="modality S2L2A has 6 bands, and 2 came"):
        encoder({"S2L2A": radar, "S1GRD": radar})


def test_chosen_layers_are_those_of_all_layers():
    image = images(1, 3, SIDE, SIDE)
    every = spread(small())(image)
    chosen = spread(small(out_indices=[1, -1]))
    assert_close(chosen(image), [every[1], every[-1]])
    assert chosen.out_channels == [WIDTH] * 2


def test_presets_and_blocks_are_found():
    encoder = small()
    assert len(transformer_blocks(encoder)) == DEPTH
    assert [len(target_layers(encoder, preset)) for preset in ("qv", "attention", "mlp")] == [
        2 * DEPTH,
        4 * DEPTH,
        2 * DEPTH,
    ]


def test_checkpointing_changes_no_gradient():
    image = images(2, 6, SIDE, SIDE)

    def gradients(wrap):
        encoder = spread(small(bands=list("abcdef"))).train()
        if wrap:
            assert len(apply_checkpointing(encoder)) == DEPTH
        sum(state.square().mean() for state in encoder(image)).backward()
        return [parameter.grad for parameter in encoder.parameters()]

    plain, wrapped = gradients(False), gradients(True)
    assert all(gradient is not None for gradient in plain)
    assert all(torch.equal(a, b) for a, b in zip(plain, wrapped, strict=True))


def test_terratorch_builds_it_by_name_with_necks_and_padding_for_two_modalities():
    model = EncoderDecoderFactory().build_model(
        task="segmentation",
        backbone="earthmind_v1",
        backbone_source=None,
        backbone_modalities={"S2L2A": ["RED", "GREEN", "BLUE", "NIR_NARROW"], "S1GRD": ["VV", "VH"]},
        backbone_merge_method="concat",
        **{f"backbone_{name}": value for name, value in SMALL.items() if name != "patch_size"},
        necks=[
            {"name": "SelectIndices", "indices": [1, 3]},
            {"name": "ReshapeTokensToImage", "remove_cls_token": True},
        ],
        decoder="FCNDecoder",
        decoder_channels=8,
        num_classes=3,
    )
    assert model.patch_size == PATCH
    sample = {"S2L2A": images(2, 4, 50, 50), "S1GRD": images(2, 2, 50, 50)}
    output = model(sample).output
    assert output.shape == (2, 3, 50, 50)
    assert torch.isfinite(output).all()


def of_dates(folder, way, *overrides):
    (folder / "config.json").write_text(json.dumps({"vision_config": SMALL | PLAIN}))
    config = compose_trial(
        *("backbone=earthmind_v1", f"backbone.source={folder}", "decoder=linear", "data.tile_px=28"),
        "backbone.out_indices=null",
        *("data.frames=3", f"data.frames_for_one_date={way}", *overrides),
    )
    return replace(config, data=replace(config.data, name="folder", bands=["RED", "GREEN", "BLUE", "NIR"]))


@pytest.mark.parametrize("way", ["mean", "stack"])
def test_a_batch_of_several_dates_goes_through_and_back(tmp_path, way):
    """From the dates of a batch, as the data hand them over, to gradients in every part."""
    config = of_dates(tmp_path, way)
    torch.manual_seed(0)
    model = build_untransformed(config, 3)
    batch = combined(torch.randn(2, 4, 3, 28, 28), config)
    assert batch.shape == (2, 4 if way == "mean" else 12, 28, 28)
    output = model(batch).output
    assert output.shape == (2, 3, 28, 28)
    output.square().mean().backward()
    assert [name for name, part in model.encoder.named_parameters() if part.grad is None] == []


def test_modalities_of_several_dates_go_through(tmp_path):
    config = of_dates(tmp_path, "stack")
    modalities = {
        "S2": ModalityConfig(folder="a", bands=["RED", "GREEN"]),
        "DEM": ModalityConfig(folder="b", bands=["H"], frames=1),
    }
    config = replace(config, data=replace(config.data, bands=[], modalities=modalities))
    batch = combined({"S2": torch.randn(2, 2, 3, 28, 28), "DEM": torch.randn(2, 1, 28, 28)}, config)
    assert build_untransformed(config, 3)(batch).output.shape == (2, 3, 28, 28)


@pytest.mark.parametrize("merge", ["mean", "max"])
def test_groups_of_bands_hold_one_date_so_that_equal_dates_give_what_one_gives(tmp_path, merge):
    config = of_dates(tmp_path, "stack", f"backbone.merge={merge}")
    torch.manual_seed(0)
    stacked = build_untransformed(config, 3).encoder.eval()
    one = build_untransformed(replace(config, data=replace(config.data, frames=None)), 3).encoder.eval()
    one.load_state_dict(stacked.state_dict())
    image = images(2, 4, 28, 28)
    with torch.no_grad():
        assert_close(stacked(image.repeat(1, 3, 1, 1)), one(image))


def test_concatenated_groups_are_as_many_as_the_dates_have(tmp_path):
    encoder = build_untransformed(of_dates(tmp_path, "stack", "backbone.merge=concat"), 3).encoder
    assert encoder.out_channels == [3 * 2 * WIDTH] * DEPTH
    assert encoder(images(1, 12, 28, 28))[0].shape[-1] == 3 * 2 * WIDTH
