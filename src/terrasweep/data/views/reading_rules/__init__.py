"""What is put right, or refused, by what files say of themselves: one rule per module, in this order."""

from __future__ import annotations

from collections.abc import Callable

from terrasweep.data.views.file_set import FileSet
from terrasweep.data.views.reading_rules.alpha import take_alpha_as_validity
from terrasweep.data.views.reading_rules.bands import choose_bands
from terrasweep.data.views.reading_rules.ground import lay_over_each_other
from terrasweep.data.views.reading_rules.labels import read_labels
from terrasweep.data.views.reading_rules.mask_no_data import keep_no_data_of_masks
from terrasweep.data.views.reading_rules.no_data import mark_no_data
from terrasweep.data.views.reading_rules.no_data_in_headers import compare_no_data
from terrasweep.data.views.reading_rules.orientation import turn_upright
from terrasweep.data.views.reading_rules.pixel_sizes import compare_pixel_sizes
from terrasweep.data.views.reading_rules.resampling import read_at_one_pixel_size
from terrasweep.data.views.reading_rules.scales import apply_scales

READING_RULES: tuple[Callable[[FileSet], FileSet], ...] = (
    turn_upright,
    keep_no_data_of_masks,
    compare_no_data,
    read_labels,
    take_alpha_as_validity,
    choose_bands,
    apply_scales,
    lay_over_each_other,
    compare_pixel_sizes,
    mark_no_data,  # Late, since it may need a view of the view.
    read_at_one_pixel_size,  # Last: values are mixed, and no-data left out of that.
)
"""Each takes all files, and gives them back as it wants them to be read, with its remarks."""
