"""A trained trial in Python: ``load_trial`` and ``load_backbone``. See docs/export.md."""

from terrasweep.models.trained_weights import load_backbone, load_trial

__all__ = ["load_backbone", "load_trial"]
