"""Precision, recall and F1 of every field against hand-read truth."""

from agmpk.literature.score.fields import same
from agmpk.literature.score.gold import load_gold
from agmpk.literature.score.table import score_records

__all__ = ["load_gold", "same", "score_records"]
