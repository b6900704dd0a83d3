"""Which objectives have a learning curve."""

import pytest

from terrasweep.measure.learning_curves import VAL_ACCURACY, VAL_LOSS, curve_of


@pytest.mark.parametrize(
    ("objective", "curve"),
    [
        ("accuracy", VAL_ACCURACY),
        ("val_loss", VAL_LOSS),
        ("val_F1_Score", "val_F1_Score"),
        ("peak_memory_mib", None),
        ("test_accuracy", None),
    ],
)
def test_a_validation_metric_has_a_curve(objective, curve):
    assert curve_of(objective) == curve
