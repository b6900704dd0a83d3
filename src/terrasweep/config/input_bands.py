"""What goes into a backbone: bands of one image, or of several modalities. Imports no torch."""

from __future__ import annotations

from terrasweep.config.schema import TrialConfig


def input_bands(config: TrialConfig) -> list[str]:
    """The bands of a single image, by the backbone's names, in order."""
    return config.backbone.bands or config.data.bands


def input_modalities(config: TrialConfig) -> dict[str, list[str]]:
    """The bands of each modality, in order; empty where a sample is a single image."""
    return {name: modality.bands for name, modality in config.data.modalities.items()}
