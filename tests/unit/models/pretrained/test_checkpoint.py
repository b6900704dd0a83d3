"""Weights from a file: the same as TerraTorch loads, from every format, for other bands and sizes, or refused."""

import copy
import pickle

import pytest
import torch
from safetensors.torch import save_file
from terratorch.models.backbones.prithvi_vit import _create_prithvi
from terratorch.registry import BACKBONE_REGISTRY
from torch import nn

from terrasweep.models.pretrained import checkpoint
from terrasweep.models.pretrained.checkpoint import MAX_LOST, fit_checkpoint, load_checkpoint
from terrasweep.models.pretrained.input_layers import resize_positions
from terrasweep.results.errors import InvalidConfig
from tests.unit.models.memory_faults import PLAIN, assert_comes_through, exhausted, raising

pytestmark = pytest.mark.usefixtures("products_in_32_bits")

HLS = ["BLUE", "GREEN", "RED", "NIR_NARROW", "SWIR_1", "SWIR_2"]


def prithvi(bands=HLS, seed=1, **arguments):
    torch.manual_seed(seed)
    return BACKBONE_REGISTRY.build("prithvi_eo_tiny", bands=bands, **{"num_frames": 1, "img_size": 32, **arguments})


def terramind(bands, seed=1, **arguments):
    torch.manual_seed(seed)
    return BACKBONE_REGISTRY.build("terramind_v1_tiny", modalities=list(bands), bands=bands, img_size=32, **arguments)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A masked autoencoder's checkpoint, as Prithvi's are released: ``encoder.*`` and ``decoder.*``."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("prithvi") / "Prithvi.pt"
    torch.save(_create_prithvi("prithvi_eo_tiny", encoder_only=False, img_size=64).state_dict(), file)
    return file


class Tiny(nn.Module):
    """A transformer in names and shapes alone."""

    def __init__(self, channels=4, tokens=10, width=8):
        super().__init__()
        self.patch_embed = nn.Conv2d(channels, width, 4, 4)
        self.pos_embed = nn.Parameter(torch.randn(1, tokens, width))
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.blocks = nn.ModuleList([nn.Linear(width, 4 * width) for _ in range(8)])
        self.norm = nn.BatchNorm1d(width)


def tiny(seed, **arguments):
    torch.manual_seed(seed)
    return Tiny(**arguments)


def load(encoder, file, bands=(), checkpoint_bands=None):
    return load_checkpoint(encoder, file, bands=list(bands), checkpoint_bands=checkpoint_bands)


def assert_equal(encoder, other):
    assert encoder.keys() == other.keys()
    assert [name for name in encoder if not torch.equal(encoder[name], other[name])] == []


@pytest.mark.parametrize(
    "arguments",
    [{}, {"bands": ["RED", "SWIR_2", "BLUE"]}, {"bands": HLS[::-1]}, {"img_size": 96}, {"num_frames": 3}],
    ids=str,
)
def test_prithvi_gets_the_same_tensors_as_from_terratorch(released, arguments):
    expected = prithvi(**arguments, pretrained=True, ckpt_path=str(released)).state_dict()
    encoder = prithvi(**arguments, seed=2)
    found = load(encoder, released, arguments.get("bands", HLS))
    assert_equal(encoder.state_dict(), expected)
    assert found["missing"] == found["misshapen"] == []
    assert found["kept"] == ["pos_embed"]
    assert found["adapted_input"] == (["patch_embed.proj.weight"] if "bands" in arguments else [])
    assert found["unexpected"]
    # The encoder's position table is not loaded, and is neither missing nor unexpected: it is computed.
    assert all(name.startswith("decoder.") or "mask_token" in name for name in found["unexpected"])


@pytest.mark.parametrize(
    "bands", [{"S2L2A": ["RED", "NIR_BROAD"]}, {"S2L2A": ["GREEN", "SWIR_1", "BLUE"], "S1GRD": ["VH", "VV"]}], ids=str
)
def test_terramind_gets_the_same_tensors_as_from_terratorch(tmp_path, bands):
    torch.manual_seed(0)
    every = BACKBONE_REGISTRY.build("terramind_v1_tiny", modalities=["DEM", "S1GRD", "S2L2A"], img_size=32)
    torch.save(every.state_dict(), tmp_path / "terramind.pt")
    expected = terramind(bands, ckpt_path=str(tmp_path / "terramind.pt")).state_dict()
    encoder = terramind(bands, seed=2)
    found = load(encoder, tmp_path / "terramind.pt", [band for names in bands.values() for band in names])
    assert_equal(encoder.state_dict(), expected)
    assert len(found["adapted_input"]) == len(bands)
    assert all("dem" in name or "sen1" in name for name in found["unexpected"])


def test_a_timm_model_s_own_checkpoint_fits_terratorch_s_wrapper_of_it(tmp_path):
    import timm

    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", img_size=64, num_classes=7)
    save_file(model.state_dict(), tmp_path / "timm.safetensors")
    encoder = BACKBONE_REGISTRY.build("timm_vit_tiny_patch16_224", pretrained=False, img_size=96, in_chans=3)
    found = load(encoder, tmp_path / "timm.safetensors")
    (positions,) = found["resized"]
    assert positions.endswith("pos_embed")
    expected = resize_positions(model.pos_embed.data, 37)
    assert torch.equal(encoder.state_dict()[positions], expected)
    assert {"head.weight", "head.bias"} <= set(found["unexpected"])
    assert found["missing"] == []


def nested(state):
    optimizer = {"state": {0: {"exp_avg": torch.ones(3), "step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1}]}
    prefixed = {f"model.encoder.{name}": value for name, value in state.items()}
    return {
        "plain.pt": state,
        "lightning.ckpt": {"epoch": 1, "state_dict": prefixed | {"model.head.weight": torch.ones(2)}},
        "model.pth": {"model": {f"backbone.{name}": value for name, value in state.items()}, "optimizer": optimizer},
        "parallel.pt": {"optimizer": optimizer, "model_state_dict": {f"module.{k}": v for k, v in state.items()}},
        "compiled.bin": {"last": {"weights": {f"_orig_mod.{name}": value for name, value in state.items()}}},
    }


@pytest.mark.parametrize("name", [*nested({}), "plain.safetensors", "safetensors.bin", "old.pt"])
def test_what_was_saved_is_loaded_from_every_format_and_nesting(tmp_path, name):
    saved = tiny(0)
    state = saved.state_dict()
    if "safetensors" in name:
        save_file(state, tmp_path / name)
    elif name == "old.pt":
        torch.save(state, tmp_path / name, _use_new_zipfile_serialization=False)
    else:
        torch.save(nested(state)[name], tmp_path / name)
    encoder = tiny(1)
    found = load(encoder, tmp_path / name)
    assert_equal(encoder.state_dict(), state)
    assert sorted(found["loaded"]) == sorted(state)
    assert not any(found[kind] for kind in ("missing", "misshapen", "resized", "adapted_input", "kept"))
    assert found["unexpected"] == (["model.head.weight"] if name == "lightning.ckpt" else [])


def test_an_encoder_inside_a_wrapper_takes_the_inner_model_s_names(tmp_path):
    saved = tiny(0)
    torch.save({f"net.{name}": value for name, value in saved.state_dict().items()}, tmp_path / "inner.pt")
    encoder = nn.ModuleDict({"wrapped": nn.ModuleDict({"model": tiny(1)})})
    load(encoder, tmp_path / "inner.pt")
    assert_equal(encoder["wrapped"]["model"].state_dict(), saved.state_dict())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_weights_are_loaded_into_an_encoder_in_full_precision(tmp_path, dtype):
    saved = tiny(0).to(dtype)
    torch.save(saved.state_dict(), tmp_path / "half.pt")
    encoder = tiny(1)
    load(encoder, tmp_path / "half.pt")
    assert encoder.cls_token.dtype == torch.float32
    assert torch.equal(encoder.cls_token, saved.cls_token.float())


def test_an_unknown_band_of_prithvi_is_the_mean_of_the_pretrained_ones(released):
    encoder = prithvi(bands=["RED", "THERMAL_INFRARED_1"])
    found = load(encoder, released, ["RED", "THERMAL_INFRARED_1"])
    weight = torch.load(released, weights_only=True)["encoder.patch_embed.proj.weight"]
    adapted = encoder.patch_embed.proj.weight.detach()
    assert torch.equal(adapted[:, 0], weight[:, 2])
    torch.testing.assert_close(adapted[:, 1], weight.mean(dim=1))
    assert found["adapted_input"] == ["patch_embed.proj.weight"]


def test_given_bands_of_a_checkpoint_go_before_those_of_its_family(tmp_path):
    saved = prithvi(bands=HLS[::-1], seed=3)
    torch.save(saved.state_dict(), tmp_path / "own.pt")
    encoder = prithvi(bands=HLS, seed=4)
    load(encoder, tmp_path / "own.pt", HLS, checkpoint_bands=HLS[::-1])
    image = torch.randn(1, 6, 32, 32)
    for ours, theirs in zip(encoder(image), saved(image.flip(1)), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_dates_of_each_modality_share_the_weights_of_one(tmp_path):
    torch.save(terramind({"S2L2A": ["RED", "GREEN"], "S1GRD": ["VV"]}).state_dict(), tmp_path / "file.pt")
    own = {"S2L2A": ["GREEN", "RED"] * 3, "S1GRD": ["VV"]}
    encoder = terramind(own, seed=2)
    names = {"bands": own["S2L2A"] + own["S1GRD"], "checkpoint_bands": ["RED", "GREEN", "VV"]}
    found = load_checkpoint(encoder, tmp_path / "file.pt", **names, dates=[3, 1])
    one = terramind({"S2L2A": ["GREEN", "RED"], "S1GRD": ["VV"]}, seed=3)
    load_checkpoint(one, tmp_path / "file.pt", bands=["GREEN", "RED", "VV"], checkpoint_bands=["RED", "GREEN", "VV"])
    assert len(found["adapted_input"]) == 1
    optical, radar = torch.randn(1, 2, 32, 32), torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        stacked = encoder.eval()({"S2L2A": optical.repeat(1, 3, 1, 1), "S1GRD": radar})
        expected = one.eval()({"S2L2A": optical, "S1GRD": radar})
    for ours, theirs in zip(stacked, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_bands_of_another_number_than_the_checkpoint_s_are_refused(released):
    with pytest.raises(
        InvalidConfig, match=r"checkpoint_bands=RED,BLUE: these are 2 bands, and .* has 6; name as many"
    ):
        load(prithvi(), released, HLS, checkpoint_bands=["RED", "BLUE"])


def without(state, *names):
    return {name: value for name, value in state.items() if not name.startswith(names)}


def test_a_few_missing_parameters_are_reported_and_stay_as_they_were(tmp_path):
    saved, encoder = tiny(0), tiny(1)
    before = encoder.cls_token.detach().clone()
    torch.save(without(saved.state_dict(), "cls_token"), tmp_path / "few.pt")
    found = load(encoder, tmp_path / "few.pt")
    assert found["missing"] == ["cls_token"]
    assert torch.equal(encoder.cls_token, before)
    assert torch.equal(encoder.blocks[7].weight, saved.blocks[7].weight)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: without(state, "blocks.3"), r"9\.8 % .*2 missing \(first blocks\.3\.weight, blocks\.3\.bias\)"),
        (lambda state: state | {"blocks.0.weight": torch.ones(3, 3)}, r"1 misshapen \(first blocks\.0\.weight\)"),
        (
            lambda state: {"something.else": torch.ones(2)},
            r"100\.0 % .*\d+ missing .*1 unexpected \(first something\.else\)",
        ),
        (lambda state: {"epoch": 3}, r"100\.0 % .*\d+ missing"),
    ],
)
def test_too_much_missing_or_misshapen_is_refused_and_nothing_is_loaded(tmp_path, change, told):
    encoder = tiny(1)
    before = copy.deepcopy(encoder.state_dict())
    torch.save(change(tiny(0).state_dict()), tmp_path / "wrong.pt")
    with pytest.raises(InvalidConfig, match=rf"wrong\.pt: it does not fit .*{told}.*; name the backbone") as refusal:
        load(encoder, tmp_path / "wrong.pt")
    assert "\n" not in str(refusal.value)
    assert_equal(encoder.state_dict(), before)


def test_an_input_layer_of_another_patch_size_is_refused_however_small_it_is(tmp_path):
    encoder = tiny(1, width=64)
    encoder.patch_embed = nn.Conv2d(1, 64, 2, 2)
    saved = tiny(0, width=64, channels=1)
    share = encoder.patch_embed.weight.numel() / sum(p.numel() for p in encoder.parameters())
    assert share < MAX_LOST
    torch.save(saved.state_dict(), tmp_path / "patch.pt")
    with pytest.raises(InvalidConfig, match="no input layer fits"):
        load(encoder, tmp_path / "patch.pt")


class Code:
    """A pickle that, when it is read as one, makes a file."""

    def __init__(self, sentinel):
        self.sentinel = sentinel

    def __reduce__(self):
        return open, (self.sentinel, "w")


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_pickle_is_refused_and_does_not_run(tmp_path, legacy):
    sentinel = tmp_path / "it-ran"
    content = {"state_dict": tiny(0).state_dict(), "extra": Code(str(sentinel))}
    torch.save(content, tmp_path / "evil.pt", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InvalidConfig, match=r"evil\.pt: it holds more than tensors \(_?io\.open\).*save the model's"):
        load(tiny(1), tmp_path / "evil.pt")
    assert not sentinel.exists()
    # The sentinel would have told: the same pickle without the guard does run.
    pickle.loads(pickle.dumps(Code(str(sentinel)))).close()
    assert sentinel.exists()


@pytest.mark.parametrize("name", ["cut.safetensors", "cut.pt", "old.pt", "text.pt", "text.safetensors", "empty.pt"])
def test_what_is_no_whole_checkpoint_gives_one_line(tmp_path, name):
    file = tmp_path / name
    state = tiny(0).state_dict()
    if name == "cut.safetensors":
        save_file(state, file)
    elif name in ("cut.pt", "old.pt"):
        torch.save(state, file, _use_new_zipfile_serialization=name == "cut.pt")
    else:
        file.write_text("" if name == "empty.pt" else "no weights at all, but a page that says 404\n" * 20)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(InvalidConfig, match=r"it is truncated, or neither safetensors nor a PyTorch pickle") as refusal:
        load(tiny(1), file)
    assert str(refusal.value).startswith(f"backbone.checkpoint={file}: ")
    assert "\n" not in str(refusal.value)


def test_no_file_gives_one_line(tmp_path):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(InvalidConfig, match="there is no such file"):
            load(tiny(1), path)


@exhausted
def test_memory_that_is_exhausted_while_reading_is_no_broken_file(tmp_path, monkeypatch, fault, known):
    (tmp_path / "weights.bin").write_bytes(b"0123456789")
    monkeypatch.setattr(torch, "load", raising(fault))
    assert_comes_through(lambda: checkpoint._read(tmp_path / "weights.bin", shapes_alone=False), fault, known)


def test_a_file_whose_reading_fails_otherwise_is_refused(tmp_path, monkeypatch):
    (tmp_path / "weights.bin").write_bytes(b"0123456789")
    monkeypatch.setattr(torch, "load", raising(PLAIN))
    with pytest.raises(InvalidConfig, match="of another shape"):
        checkpoint._read(tmp_path / "weights.bin", shapes_alone=False)


def test_what_would_be_loaded_is_known_from_names_and_shapes_alone(tmp_path):
    save_file(tiny(1, channels=3).state_dict(), tmp_path / "w.safetensors")
    torch.save(tiny(1, channels=3).state_dict(), tmp_path / "w.pt")
    known = {"bands": ["A", "B", "C", "D"], "checkpoint_bands": ["A", "B", "C"]}
    expected, report = fit_checkpoint(tiny(2), tmp_path / "w.pt", **known)
    for name in ("w.safetensors", "w.pt"):
        state, told = fit_checkpoint(tiny(2), tmp_path / name, **known, shapes_alone=True)
        assert told == report
        assert {key: value.shape for key, value in state.items()} == {k: v.shape for k, v in expected.items()}
        assert {value.device.type for value in state.values()} == {"meta"}
