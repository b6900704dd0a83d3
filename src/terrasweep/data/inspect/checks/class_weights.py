"""Class weights by the frequency of the classes in the training split. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping

from terrasweep.data.inspect.checks.case import Case
from terrasweep.results.errors import InvalidConfig

UNSEEN = 1.0
"""The weight of a class that never occurs in train: the mean of all others. No label of train is weighed by it."""


def weights_by_frequency(case: Case) -> list[float]:
    """A weight per class: the inverse square root of how often it occurs in train, as far as that was read.

    For one class per pixel or per image, pixels or images are counted, ignored labels left out; for several labels per
    image, the images that have the label.

    Raises:
        InvalidConfig: Nobody knows how many classes there are.
    """
    if case.num_classes is None:
        raise InvalidConfig("task.class_weights=auto: the number of classes is not known; set data.num_classes")
    return inverse_square_roots(case.class_counts("train"), case.num_classes)


def inverse_square_roots(counts: Mapping[int, int], num_classes: int) -> list[float]:
    """The inverse square root of each class's count, scaled so that the mean over the classes that occur is 1.

    The root is that of Mahajan et al. 2018 (arXiv 1805.00932), the scale, a sum of weights equal to the number of
    classes, that of Cui et al. 2019 (arXiv 1901.05555, section 4), who compare both.

    Args:
        counts: Class to how often it occurs, above 0; classes that never do are left out.
        num_classes: Of all classes.
    """
    roots = {label: 1 / math.sqrt(count) for label, count in counts.items()}
    scale = len(roots) / sum(roots.values()) if roots else 1.0
    return [roots[label] * scale if label in roots else UNSEEN for label in range(num_classes)]
