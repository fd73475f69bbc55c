"""How good a forecaster is: protocol, metrics, tables."""

from agmpk.evaluation.compare import Difference, against_each, paired_difference
from agmpk.evaluation.evaluate import Evaluation, evaluate
from agmpk.evaluation.leave_one_out import Case, Scored, cases, leave_one_out, score, score_points
from agmpk.evaluation.studies import benchmark_studies, development_studies
from agmpk.evaluation.tables import by_compound, published_table, wins

__all__ = [
    "Case",
    "Difference",
    "Evaluation",
    "Scored",
    "against_each",
    "benchmark_studies",
    "by_compound",
    "cases",
    "development_studies",
    "evaluate",
    "leave_one_out",
    "paired_difference",
    "published_table",
    "score",
    "score_points",
    "wins",
]
