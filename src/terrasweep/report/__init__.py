"""What a study leaves in its folder: tables, figures, recommendations and the page.

Importing this package is cheap; Plotly, matplotlib, Jinja2 and Optuna are loaded when :func:`write_report` runs.
"""

from __future__ import annotations

from terrasweep.report.baseline_comparison import baseline_lines, lines_beside
from terrasweep.report.recommendations import recommend, recommended
from terrasweep.report.recommended_configurations import recommended_yaml
from terrasweep.report.tables import write_tables
from terrasweep.report.write import write_report

__all__ = [
    "baseline_lines",
    "lines_beside",
    "recommend",
    "recommended",
    "recommended_yaml",
    "write_report",
    "write_tables",
]
