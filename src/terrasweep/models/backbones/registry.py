"""TerraTorch's registry of backbones, with terrasweep's own two: what is in it, and how a builder is called."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import timm
import torch
from huggingface_hub.errors import HfHubHTTPError
from terratorch.models.utils import TemporalWrapper
from terratorch.registry import BACKBONE_REGISTRY, TERRATORCH_BACKBONE_REGISTRY
from torch import nn
from torch.overrides import TorchFunctionMode

from terrasweep.config.schema import TrialConfig
from terrasweep.models.backbones.families import builder_arguments, family_of, known_bands, padded_px, spread
from terrasweep.models.backbones.prepared import OWN, unknown
from terrasweep.process.child import Report
from terrasweep.results.errors import InvalidConfig, first_line, raise_out_of_memory


def list_names(report: Report) -> None:
    """Report every backbone's name as ``names``, TerraTorch's own first; timm's have the prefix ``timm_``."""
    report(names=_names())


def check_known(name: str) -> None:
    """Register terrasweep's own backbones where one is asked for.

    Raises:
        InvalidConfig: No registry knows the name.
    """
    if name == "earthmind_v1":
        import terrasweep.models.backbones.earthmind
    elif name == "hf_vision":
        import terrasweep.models.backbones.hf_vision  # noqa: F401 - its import registers the backbones
    elif name not in BACKBONE_REGISTRY and not _is_tagged(name):
        raise InvalidConfig(unknown(name, _names()))


def complete_arguments(config: TrialConfig) -> dict[str, Any]:
    """All keyword arguments of the registry's builder but ``pretrained``, as plain values.

    Those of :func:`terrasweep.models.backbones.families.builder_arguments`, with what only the libraries know: what a
    builder of no known family takes, and which features and sizes a model of timm has.

    Raises:
        InvalidConfig: The bands are not known, or timm can't give the model's features.
    """
    name = config.backbone.name
    family = family_of(name)
    builder = _own_builder(name)
    if family is None and builder is not None:
        return _by_signature(config, builder) | builder_arguments(config)
    family = family or "timm"
    arguments = builder_arguments(config, family)
    return _fit_timm(config, arguments) if family == "timm" else arguments


def build_backbone(name: str, pretrained: bool, arguments: dict[str, Any]) -> nn.Module:
    """Build a backbone as TerraTorch's factory does.

    Args:
        name: Of the registry.
        pretrained: Whether with weights from the Hub.
        arguments: The builder's; ``use_temporal`` and ``temporal_*`` are TerraTorch's wrapper's for several time steps.
    """
    temporal = {key: value for key, value in arguments.items() if key.startswith(("temporal_", "use_temporal"))}
    own = {key: value for key, value in arguments.items() if key not in temporal}
    backbone: nn.Module = BACKBONE_REGISTRY.build(name, pretrained=pretrained, **own)
    if not temporal.pop("use_temporal", False):
        return backbone
    wrapped: nn.Module = TemporalWrapper(backbone, **{key.removeprefix("temporal_"): v for key, v in temporal.items()})
    return wrapped


class _ValuesOfLinspace(TorchFunctionMode):
    """timm's constructors take the numbers of a ``linspace`` (rates of stochastic depth); meta tensors have none."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return function(*args, **(kwargs or {}) | ({"device": "cpu"} if function is torch.linspace else {}))


@contextmanager
def shapes_alone() -> Iterator[None]:
    """New tensors have shapes and no memory."""
    with torch.device("meta"), _ValuesOfLinspace():
        yield


Built = TypeVar("Built")


def on_paper(build: Callable[[], Built]) -> Built:
    """What a function builds, in shapes alone; for good, on the CPU, where a backbone's own code reads values.

    Raises:
        InvalidConfig: The function does.
    """
    try:
        with shapes_alone():
            return build()
    except (RuntimeError, InvalidConfig) as error:
        if "meta" not in str(error):
            raise
    return build()


def _names() -> list[str]:
    return [*sorted({*TERRATORCH_BACKBONE_REGISTRY, *OWN}), *(f"timm_{name}" for name in timm.list_models())]


def _is_tagged(name: str) -> bool:
    """Whether a name is one of timm's with the tag of its weights, like ``vit_base_patch16_224.augreg_in21k``."""
    model, _, tag = name.removeprefix("timm_").partition(".")
    return bool(tag) and timm.is_model(model)


def _own_builder(name: str) -> Callable[..., Any] | None:
    own = name.removeprefix("terratorch_")
    if own not in TERRATORCH_BACKBONE_REGISTRY:
        return None
    builder: Callable[..., Any] = TERRATORCH_BACKBONE_REGISTRY[own]
    return builder


def _by_signature(config: TrialConfig, builder: Callable[..., Any]) -> dict[str, Any]:
    """What the parameters' names ask for."""
    derived: dict[str, Callable[[], Any]] = {
        "bands": lambda: known_bands(config),
        "model_bands": lambda: known_bands(config),
        "in_chans": lambda: len(known_bands(config)),
        "in_channels": lambda: len(known_bands(config)),
        "img_size": lambda: padded_px(config, None),
    }
    given = config.backbone.arguments
    return {
        name: derived[name]() for name in inspect.signature(builder).parameters if name in derived and name not in given
    }


def _fit_timm(config: TrialConfig, arguments: dict[str, Any]) -> dict[str, Any]:
    name = config.backbone.name.removeprefix("timm_")
    settings = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if not (settings and settings.fixed_input_size) and "img_size" not in config.backbone.arguments:
        arguments = {key: value for key, value in arguments.items() if key != "img_size"}
    if "out_indices" not in arguments:
        arguments = arguments | {"out_indices": _timm_indices(name, arguments)}
    return arguments


def _timm_indices(name: str, arguments: dict[str, Any]) -> list[int]:
    """Four evenly spread blocks, or the last four stages where the resolution falls."""

    def features() -> list[dict[str, Any]]:
        model: Any = timm.create_model(name, features_only=True, **arguments)
        return list(model.feature_info.info)

    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            try:
                with shapes_alone():
                    found = features()
            except (RuntimeError, NotImplementedError):  # Its constructor reads values.
                found = features()
    except (RuntimeError, AttributeError, TypeError) as error:
        raise_out_of_memory(error)
        raise InvalidConfig(
            f"backbone.name={name}: timm can't give its features: {first_line(error)}; use another one, or other "
            "backbone.arguments"
        ) from error
    isotropic = len({feature["reduction"] for feature in found}) == 1
    return spread(len(found)) if isotropic else list(range(len(found)))[-4:]


@contextmanager
def refusals(config: TrialConfig) -> Iterator[None]:
    """What TerraTorch, timm and the Hub raise, as one line.

    Raises:
        InvalidConfig: A builder refuses its arguments, or the weights can't be had.
    """
    try:
        yield
    except (OSError, HfHubHTTPError) as error:
        raise_out_of_memory(error)
        raise InvalidConfig(
            f"backbone.pretrained={str(config.backbone.pretrained).lower()} with backbone={config.backbone.name}: its "
            f"files can't be had ({first_line(error)}); "
            "check the network, give backbone.checkpoint=FILE, or use random weights (backbone.pretrained=false)"
        ) from error
    except (TypeError, ValueError, KeyError, AssertionError, NotImplementedError) as error:
        raise_out_of_memory(error)
        raise InvalidConfig(
            f"backbone={config.backbone.name} with decoder={config.decoder.name}: TerraTorch refuses it: "
            f"{first_line(error)}; see backbone.arguments and decoder.arguments"
        ) from error
