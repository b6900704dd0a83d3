"""What is put right, or refused, by what files say of themselves: one rule per module, in the order of RULES."""

from __future__ import annotations

from collections.abc import Callable

from terrasweep.data.views.file_set import FileSet
from terrasweep.data.views.rules.alpha import take_alpha_as_validity
from terrasweep.data.views.rules.bands import choose_bands
from terrasweep.data.views.rules.ground import lay_over_each_other
from terrasweep.data.views.rules.labels import read_labels
from terrasweep.data.views.rules.orientation import turn_upright
from terrasweep.data.views.rules.pixel_sizes import compare_pixel_sizes
from terrasweep.data.views.rules.scales import apply_scales

RULES: tuple[Callable[[FileSet], FileSet], ...] = (
    turn_upright,
    read_labels,
    take_alpha_as_validity,
    choose_bands,
    apply_scales,
    lay_over_each_other,
    compare_pixel_sizes,
)
"""Each takes all files, and gives them back as it wants them to be read, with its remarks."""
