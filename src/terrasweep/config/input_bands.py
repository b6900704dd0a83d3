"""What goes into a backbone: bands of one image, or of several modalities. Imports no torch."""

from __future__ import annotations

from terrasweep.config.band_choice import are_numbers
from terrasweep.config.input_frames import is_stacked
from terrasweep.config.schema import TrialConfig


def input_bands(config: TrialConfig) -> list[str]:
    """The bands of a single image, by the backbone's names, in order; once per date where dates are stacked."""
    return (config.backbone.bands or _named(config.data.bands)) * _times(config, "")


def input_modalities(config: TrialConfig) -> dict[str, list[str]]:
    """The bands of each modality, in order, likewise; empty where a sample is a single image."""
    return {name: _named(modality.bands) * _times(config, name) for name, modality in config.data.modalities.items()}


def _named(bands: list[str]) -> list[str]:
    """Bands that are given by their numbers, as files without names call them."""
    return [f"B{number}" for number in bands] if are_numbers(bands) else bands


def _times(config: TrialConfig, modality: str) -> int:
    return config.data.frames_of(modality) if is_stacked(config) else 1
