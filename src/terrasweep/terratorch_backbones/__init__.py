"""Registers terrasweep's own backbones in TerraTorch: the ``custom_modules_path`` of exported configurations."""

from terrasweep.models.backbones import earthmind, hf_vision

__all__ = ["earthmind", "hf_vision"]
