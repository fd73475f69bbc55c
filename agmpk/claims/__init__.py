"""The published claims, what we found, and a verdict that follows from the numbers.

found = {one.measure: one for one in [...]}   # Evidence, computed from the chapters' results
judged(load_claims(), found)                  # one row a claim
"""

from agmpk.claims.claim import Claim, load_claims
from agmpk.claims.evidence import Evidence, from_table
from agmpk.claims.page import claims_html, judged
from agmpk.claims.verdict import VERDICTS, verdict

__all__ = [
    "VERDICTS",
    "Claim",
    "Evidence",
    "claims_html",
    "from_table",
    "judged",
    "load_claims",
    "verdict",
]
