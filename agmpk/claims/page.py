"""The table of claims: as data, and as HTML with links to where each is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from agmpk.claims.claim import Claim
from agmpk.claims.evidence import Evidence
from agmpk.claims.verdict import verdict
from agmpk.companion.tables import table_html


def judged(claims: Sequence[Claim], found: Mapping[str, Evidence]) -> pd.DataFrame:
    """One row a claim: id, sentence, published, ours (text), value, low, high, n, verdict, reason,
    chapter, anchor."""
    rows = []
    for claim in claims:
        evidence = found.get(claim.measure)
        word, reason = verdict(claim, evidence)
        rows.append(
            {
                "id": claim.id,
                "sentence": claim.sentence,
                "published": claim.published,
                "ours": ours(evidence),
                "value": evidence.value if evidence else float("nan"),
                "low": evidence.low if evidence else float("nan"),
                "high": evidence.high if evidence else float("nan"),
                "n": evidence.n if evidence else 0,
                "verdict": word,
                "reason": reason,
                "chapter": claim.chapter,
                "anchor": claim.anchor,
            }
        )
    return pd.DataFrame(rows)


def ours(found: Evidence | None) -> str:
    """A value with its interval in three significant digits; a count as it is; "" for nothing."""
    if found is None or pd.isna(found.value):
        return ""
    if found.low == found.high:
        return f"{found.value:.0f} of {found.n}" if found.count else _short(found.value)
    return f"{_short(found.value)} ({_short(found.low)} to {_short(found.high)})"


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.3g}"


def claims_html(table: pd.DataFrame, titles: Mapping[str, str], caption: str) -> str:
    """HTML of :func:`judged`; ``titles`` are the chapters' names for the links."""
    shown = pd.DataFrame(
        {
            "Claim": table.sentence,
            "Published": table.published,
            "Here": table.ours,
            "Verdict": [
                f"{word}: {why}" if why else word
                for word, why in zip(table.verdict, table.reason, strict=True)
            ],
            "Shown in": [f"@@{c}#{a}@@" for c, a in zip(table.chapter, table.anchor, strict=True)],
        }
    )

    def link(match: re.Match[str]) -> str:
        chapter, anchor = match.groups()
        title = escape(titles.get(chapter, chapter))
        target = f"{chapter}.html#{anchor}" if anchor else f"{chapter}.html"
        return f'<a href="{target}">{title}</a>'

    html = table_html(shown, caption, index=False)
    return re.sub(r"@@([\w-]+)#([\w-]*)@@", link, html)
