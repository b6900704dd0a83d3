"""Data of three dates per place, as they are understood and read."""

import rasterio

from terrasweep.data.find.dates import DATES
from terrasweep.data.find.frame_files import gather_dates
from terrasweep.data.find.sample_list import find_samples
from terrasweep.data.inspect.survey import IMAGE
from terrasweep.data.views.understand import understand
from tests.composing import compose_trial


def understood(root, *overrides):
    config = compose_trial(
        "data=segmentation_folder", f"data.root={root}", "data.split.by=fraction", "data.frames=3", *overrides
    )
    return understand(gather_dates(find_samples(config, root), config), config, root.parent / "kept")


def read(listing, place):
    with rasterio.open(listing.file("all", place, IMAGE)) as image:
        return image.read(), image.tags().get(DATES), image.descriptions
