"""How good a forecaster is: the questions, the scores, and what follows from them.

result = evaluate([load_forecaster("flow")], benchmark_studies())
by_compound(result.results, strict=True)

Names are loaded when they are first used: who needs a score alone does not pay for the rest.  A
function that bears its module's name is found in the module (``agmpk.evaluation.vpc.vpc``).
"""

from importlib import import_module
from typing import Any

_NAMES = {
    "calibration": "calibrate calibration_table coverage_by_chance ecdf_envelope learning_curves "
    "learning_table outside_table pit_histogram rank_truths sbc_table",
    "cohorts": "CohortEvaluation CohortSettings evaluate_cohorts left_out oracle study_below "
    "study_exposures study_points study_vpc",
    "compare": "Evaluation by_compound evaluate evaluate_cases published_table score score_points "
    "wins",
    "exposure": "compare_exposures curve_spread exposures nca",
    "failures": "readings",
    "intervals": "Difference against_each cluster_mean paired_difference people",
    "protocol": "PROTOCOLS Case Scored answer benchmark_studies cases development_studies "
    "question studies_in",
    "scores": "covered crps log_rmse mean_scores pit",
    "two_sample": "classifier_auc coherence signature_mmd",
    "vpc": "npde npde_tests prediction_correct time_bins",
}
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
