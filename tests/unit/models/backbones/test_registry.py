"""What the registry knows, and with which arguments a builder is called that no family is known of."""

from types import SimpleNamespace

import pytest
import torch
from terratorch.registry import BACKBONE_REGISTRY, TERRATORCH_BACKBONE_REGISTRY

from terrasweep.models.backbones import registry
from terrasweep.models.backbones.registry import complete_arguments
from terrasweep.results.errors import InvalidConfig
from tests.composing import compose_trial
from tests.unit.models.memory_faults import assert_comes_through, exhausted


def arguments(*overrides):
    return complete_arguments(compose_trial(*overrides))


def test_a_known_name_is_accepted_and_another_refused_with_what_is_near():
    for name in ("prithvi_eo_tiny", "timm_resnet18", "vit_tiny_patch16_224.augreg_in21k", "earthmind_v1", "hf_vision"):
        registry.check_known(name)
    with pytest.raises(InvalidConfig, match=r"backbone\.name=prithvi_eo_tinny: .*did you mean prithvi_eo_tiny"):
        registry.check_known("prithvi_eo_tinny")
    with pytest.raises(InvalidConfig, match="vit_tiny_patch16_225"):
        registry.check_known("vit_tiny_patch16_225.augreg_in21k")


def test_own_backbones_are_in_the_registry_after_they_were_asked_for():
    registry.check_known("hf_vision")
    registry.check_known("earthmind_v1")
    assert all(name in BACKBONE_REGISTRY for name in ("hf_vision", "earthmind_v1"))


def test_names_are_reported_with_terratorch_s_own_first():
    reported = {}
    registry.list_names(lambda **values: reported.update(values))
    names = reported["names"]
    first_of_timm = next(place for place, name in enumerate(names) if name.startswith("timm_"))
    assert "prithvi_eo_v2_300" in names[:first_of_timm]
    assert {"hf_vision", "earthmind_v1"} <= set(names[:first_of_timm])
    assert all(name.startswith("timm_") for name in names[first_of_timm:])
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "indices"),
    [("timm_vit_tiny_patch16_224", [2, 5, 8, 11]), ("timm_resnet18", [1, 2, 3, 4])],
)
def test_features_of_timm_are_blocks_spread_evenly_or_the_last_stages(name, indices):
    assert arguments("backbone=any", f"backbone.name={name}")["out_indices"] == indices


def test_a_size_is_given_to_models_of_a_fixed_size_alone():
    sizes = {
        name: arguments("backbone=any", f"backbone.name=timm_{name}").get("img_size")
        for name in ("vit_tiny_patch16_224", "resnet18")
    }
    assert sizes == {"vit_tiny_patch16_224": 64, "resnet18": None}
    given = arguments("backbone=any", "backbone.name=timm_vit_tiny_patch16_224", "backbone.arguments.img_size=32")
    assert given["img_size"] == 32


def test_a_builder_of_no_known_family_gets_what_its_parameters_are_called_after():
    @TERRATORCH_BACKBONE_REGISTRY.register
    def homemade(in_chans, img_size, bands=None, width=3):
        return None

    try:
        given = arguments("backbone=any", "backbone.name=homemade", "backbone.arguments.in_chans=9")
    finally:
        del TERRATORCH_BACKBONE_REGISTRY._registry["homemade"]
    bands = compose_trial().data.bands
    assert given == {"in_chans": 9, "img_size": 64, "bands": bands}


def test_a_model_of_shapes_alone_takes_no_memory_and_keeps_its_rates():
    with registry.shapes_alone():
        weight, rates = torch.empty(2**30, 2**20), torch.linspace(0, 1, 3).tolist()
    assert weight.device.type == "meta"
    assert rates == [0.0, 0.5, 1.0]
    assert torch.empty(1).device.type == "cpu"


@pytest.mark.parametrize("error", [TypeError("no such argument"), KeyError("x"), AssertionError("x"), OSError("x")])
def test_what_libraries_refuse_is_one_line_with_a_way_out(error):
    with pytest.raises(InvalidConfig) as refused, registry.refusals(compose_trial()):
        raise error
    assert "\n" not in str(refused.value)
    assert ";" in str(refused.value)
    assert refused.value.__cause__ is error


def test_an_argument_that_timm_does_not_know_is_one_line():
    with pytest.raises(
        InvalidConfig, match=r"resnet18: .*'wings'; use another one, or other backbone\.arguments"
    ) as told:
        arguments("backbone=any", "backbone.name=timm_resnet18", "backbone.arguments.wings=2")
    assert "\n" not in str(told.value)


@exhausted
def test_memory_that_is_exhausted_while_building_is_no_refusal(fault, known):
    def build():
        with registry.refusals(compose_trial()):
            raise fault

    assert_comes_through(build, fault, known)


def test_a_model_whose_constructor_reads_values_is_built_with_values(monkeypatch):
    devices = []

    def create(name, **arguments):
        values = torch.zeros(1)
        devices.append(values.device.type)
        values.item()
        return SimpleNamespace(feature_info=SimpleNamespace(info=[{"reduction": r} for r in (2, 4, 8, 16, 32)]))

    monkeypatch.setattr(registry.timm, "create_model", create)
    assert arguments("backbone=any", "backbone.name=timm_resnet18")["out_indices"] == [1, 2, 3, 4]
    assert devices == ["meta", "cpu"]
