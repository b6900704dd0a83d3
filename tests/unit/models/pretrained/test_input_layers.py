"""Pretrained first layers see other bands and other sizes as the pretrained ones see the same image."""

import pytest
import torch
from terratorch.models.backbones.terramind.model.terramind_register import PRETRAINED_BANDS
from torch import nn

from terrasweep.models.pretrained.input_layers import (
    adapt_input,
    by_channel,
    copy_per_date,
    input_layers,
    name_bands,
    resize_positions,
)
from terrasweep.results.errors import InvalidConfig

pytestmark = pytest.mark.usefixtures("products_in_32_bits")


@pytest.mark.parametrize("prefix", [0, 1])
def test_positions_of_the_same_size_stay_and_constant_ones_stay_constant(prefix):
    table = torch.randn(1, prefix + 36, 5)
    assert torch.equal(resize_positions(table, prefix + 36), table)
    constant = torch.cat([table[:, :prefix], torch.full((1, 36, 5), 0.3)], dim=1)
    for side in (3, 7, 14):
        resized = resize_positions(constant, prefix + side * side)
        assert resized.shape == (1, prefix + side * side, 5)
        assert torch.equal(resized[:, :prefix], table[:, :prefix])
        torch.testing.assert_close(resized[:, prefix:], torch.full((1, side * side, 5), 0.3))


def test_positions_keep_their_orientation():
    rows = torch.arange(6.0).repeat_interleave(6).view(1, 36, 1)
    resized = resize_positions(rows, 144).view(12, 12)
    assert (resized.diff(dim=0) > -1e-5).all()
    torch.testing.assert_close(resized, resized[:, :1].expand(12, 12))


def test_positions_of_no_square_grid_are_not_resized():
    assert resize_positions(torch.randn(1, 36, 5), 50) is None
    assert resize_positions(torch.randn(1, 40, 5), 36) is None


def convolve(weight, image):
    function = nn.functional.conv3d if weight.ndim == 5 else nn.functional.conv2d
    return function(image, weight)


@pytest.mark.parametrize("kernel", [(2, 2), (1, 2, 2)], ids=["conv2d", "conv3d"])
def test_bands_keep_their_weights_and_others_see_the_mean(kernel):
    known = ["BLUE", "GREEN", "RED", "NIR"]
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(8, 4, *kernel, generator=generator)
    image = torch.randn(2, 4, *([1] if len(kernel) == 3 else []), 6, 6, generator=generator)
    # Another order: the same image in that order gives the same.
    order = ["NIR", "RED", "BLUE", "GREEN"]
    turned = image[:, [known.index(band) for band in order]]
    torch.testing.assert_close(convolve(adapt_input(weight, order, known, 4), turned), convolve(weight, image))
    # Fewer bands: as an image whose other bands are zero.
    fewer = adapt_input(weight, ["RED", "BLUE"], known, 2)
    zeroed = image.clone()
    zeroed[:, [1, 3]] = 0
    torch.testing.assert_close(convolve(fewer, image[:, [2, 0]]), convolve(weight, zeroed))
    # More bands: as an image whose every band is raised by a fourth of their sum.
    more = adapt_input(weight, [*known, "VV", "VH"], known, 6)
    others = torch.randn(2, 2, *image.shape[2:], generator=generator)
    raised = image + others.sum(dim=1, keepdim=True) / 4
    torch.testing.assert_close(
        convolve(more, torch.cat([image, others], dim=1)), convolve(weight, raised), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(("bands", "known"), [(None, None), (["VV"] * 6, ["RED", "GREEN", "BLUE"])])
def test_channels_without_names_are_repeated_and_rescaled(bands, known):
    weight = torch.randn(8, 3, 2, 2)
    image = torch.randn(2, 3, 6, 6)
    twice = adapt_input(weight, bands, known, 6)
    torch.testing.assert_close(convolve(twice, image.repeat(1, 2, 1, 1)), convolve(weight, image))
    grey = adapt_input(weight, None, known, 1)
    torch.testing.assert_close(convolve(grey, image[:, :1]), convolve(weight, image[:, :1].expand(-1, 3, -1, -1)))
    assert adapt_input(weight, None, known, 3) is not None
    assert torch.equal(adapt_input(weight, None, None, 3), weight)


ONE_DATE = {
    "the known bands": (["GREEN", "RED"], ["RED", "GREEN", "BLUE"]),
    "other bands beside them": (["RED", "VV"], ["RED", "GREEN", "BLUE"]),
    "channels without names": (None, None),
    "more bands than channels": (["A", "B", "C", "D"], ["RED", "GREEN", "BLUE"]),
    "a single band": (["A"], ["RED", "GREEN", "BLUE"]),
}


@pytest.mark.parametrize("case", ONE_DATE)
@pytest.mark.parametrize("dates", [2, 3])
def test_equal_dates_are_seen_as_one_of_them(case, dates):
    bands, known = ONE_DATE[case]
    count = 5 if bands is None else len(bands)
    weight, image = torch.randn(8, 3, 2, 2), torch.randn(2, count, 6, 6)
    one = adapt_input(weight, bands, known, count)
    stacked = adapt_input(weight, bands and bands * dates, known, count * dates, dates)
    assert stacked.shape == (8, count * dates, 2, 2)
    expected = convolve(one, image)
    torch.testing.assert_close(convolve(stacked, image.repeat(1, dates, 1, 1)), expected, atol=1e-5, rtol=1e-5)
    # And of dates that differ the mean is seen.
    images = torch.randn(2, dates, count, 6, 6)
    mean = convolve(one, images.mean(dim=1))
    torch.testing.assert_close(convolve(stacked, images.flatten(1, 2)), mean, atol=1e-5, rtol=1e-5)


def test_weights_of_a_stack_stay_as_they_are():
    weight, bands = torch.randn(8, 6, 2, 2), ["RED", "NIR"] * 3
    assert torch.equal(adapt_input(weight, bands, bands, 6, dates=3), weight)
    assert torch.equal(adapt_input(weight, bands, None, 6, dates=3), weight)
    six = ["BLUE", "GREEN", "RED", "NIR", "SWIR_1", "SWIR_2"]  # As many, and of one date.
    torch.testing.assert_close(adapt_input(weight, bands, six, 6, dates=3), weight[:, [2, 3]].repeat(1, 3, 1, 1) / 3)


def test_an_encoder_of_one_date_gives_each_date_its_weights():
    one, stacked = several(optical=2, radar=1), several(optical=6, radar=1)
    copy_per_date(one, stacked)
    patches = torch.randn(4, 4, 2)  # (patches, pixels, bands): a pixel's bands of all dates lie side by side.
    repeated = patches.repeat(1, 1, 3).flatten(1)
    torch.testing.assert_close(stacked["optical"].proj(repeated), one["optical"].proj(patches.flatten(1)))
    assert torch.equal(stacked["radar"].proj.weight, one["radar"].proj.weight)
    with pytest.raises(ValueError, match="no input layer with a weight per band of each date"):
        copy_per_date(one, several(optical=2, radar=1))
    with pytest.raises(ValueError, match="no input layer"):
        copy_per_date(nn.Linear(2, 2), nn.Linear(2, 2))


class LinearPatches(nn.Module):
    """Patch embeddings as TerraMind's: a linear layer over the pixels of a patch, their channels side by side."""

    def __init__(self, channels, side=2, width=5):
        super().__init__()
        self.patch_size, self.dim_tokens = (side, side), width
        self.proj = nn.Linear(side * side * channels, width)


def several(**channels):
    return nn.ModuleDict({name: LinearPatches(count) for name, count in channels.items()})


def test_the_first_convolution_is_the_input_layer_and_of_linear_ones_each():
    convolutions = nn.Sequential(nn.Conv2d(3, 4, 2), nn.Conv2d(4, 5, 2))
    assert input_layers(convolutions) == {"0.weight": 0}
    assert input_layers(several(optical=6, radar=2)) == {"optical.proj.weight": 4, "radar.proj.weight": 4}
    assert input_layers(nn.Linear(2, 2)) == {}


def test_a_linear_layer_by_channel_is_the_convolution_that_it_stands_for():
    layer = LinearPatches(3)
    image = torch.randn(2, 3, 6, 6)
    patches = image.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 4, 5, 1).reshape(2, 9, -1)
    expected = (layer.proj(patches) - layer.proj.bias).transpose(1, 2).reshape(2, 5, 3, 3)
    weight = by_channel(layer.proj.weight, 4)
    convolved = nn.functional.conv2d(image, weight.reshape(5, 3, 2, 2), stride=2)
    torch.testing.assert_close(convolved, expected, atol=1e-5, rtol=1e-5)
    assert by_channel(weight, 0) is weight


def test_bands_go_to_the_modalities_in_order():
    encoder = several(optical=3, radar=2)
    inputs, tensors = input_layers(encoder), several(optical=2, radar=2).state_dict()
    given = name_bands(encoder, inputs, tensors, ["R", "G", "B", "VV", "VH"], ["R", "N", "VV", "VH"])
    assert given == {
        "optical.proj.weight": (["R", "G", "B"], ["R", "N"]),
        "radar.proj.weight": (["VV", "VH"], ["VV", "VH"]),
    }
    unknown = name_bands(encoder, inputs, tensors, ["R"], None)
    assert set(unknown.values()) == {(None, None)}
    with pytest.raises(InvalidConfig, match="these are 1 bands, and the checkpoint's input layer has 4; name as many"):
        name_bands(encoder, inputs, tensors, ["R", "G", "B", "VV", "VH"], ["R"])


def test_the_bands_of_released_weights_are_known_by_the_modality_s_name():
    modality = "untok_sen2l2a@224"
    encoder = several(**{modality: 12})
    (bands,) = name_bands(encoder, input_layers(encoder), encoder.state_dict(), ["x"] * 12, None).values()
    assert bands == (["x"] * 12, [str(getattr(b, "value", b)) for b in PRETRAINED_BANDS[modality]])
