"""Is a generated cohort right?  Visual and numerical predictive checks, two-sample tests,
exposure; each compares individuals nobody showed the model with curves generated for them.

questions = left_out(benchmark_studies())
result = evaluate_cohorts(load_forecaster("flow"), questions)
"""

from agmpk.cohorts.bins import time_bins
from agmpk.cohorts.blocks import as_blocks
from agmpk.cohorts.classifier import classifier_auc, default_classifiers
from agmpk.cohorts.evaluate import CohortEvaluation, evaluate_cohorts
from agmpk.cohorts.exposure import compare_exposures, exposures
from agmpk.cohorts.features import context_frame, curve_features
from agmpk.cohorts.measures import Settings
from agmpk.cohorts.npde import npde, npde_tests
from agmpk.cohorts.questions import left_out, oracle, oracle_cases
from agmpk.cohorts.shares import outside_table
from agmpk.cohorts.signature import Discrepancy, paths, signature_mmd
from agmpk.cohorts.vpc import points_outside, prediction_correct, vpc

__all__ = [
    "CohortEvaluation",
    "Discrepancy",
    "Settings",
    "as_blocks",
    "classifier_auc",
    "compare_exposures",
    "context_frame",
    "curve_features",
    "default_classifiers",
    "evaluate_cohorts",
    "exposures",
    "left_out",
    "npde",
    "npde_tests",
    "oracle",
    "oracle_cases",
    "outside_table",
    "paths",
    "points_outside",
    "prediction_correct",
    "signature_mmd",
    "time_bins",
    "vpc",
]
