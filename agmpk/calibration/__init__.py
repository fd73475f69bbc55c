"""Is the prior like reality?  Simulated trials and cohorts beside published and real ones.

The hyper-ranges of the preset ``calibrated`` are fitted here to the bioequivalence literature and
changed for the development cohorts.  The 20 compounds of the benchmark take no part.
"""

from agmpk.calibration.changes import CHANGES, changed
from agmpk.calibration.cohorts import cohort_table, edge_table, rank_table, simulated_table
from agmpk.calibration.compare import band_table, distance_table, quantile_table, trial_summaries
from agmpk.calibration.curves import FEATURES, curve_features
from agmpk.calibration.designs import DESIGN_FEATURES, design_features
from agmpk.calibration.fit import FitResult, fit
from agmpk.calibration.literature import literature
from agmpk.calibration.summaries import QUANTITIES, summarize
from agmpk.calibration.tables import calibration_tables, range_table

__all__ = [
    "CHANGES",
    "DESIGN_FEATURES",
    "FEATURES",
    "QUANTITIES",
    "FitResult",
    "band_table",
    "calibration_tables",
    "changed",
    "cohort_table",
    "curve_features",
    "design_features",
    "distance_table",
    "edge_table",
    "fit",
    "literature",
    "quantile_table",
    "range_table",
    "rank_table",
    "simulated_table",
    "summarize",
    "trial_summaries",
]
