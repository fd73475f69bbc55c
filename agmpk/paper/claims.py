"""The published claims, what we found, and a verdict that follows from the numbers.

In use::

    found = {one.measure: one for one in [...]}   # Evidence, computed from the chapters' results
    judged(load_claims(), found)                  # one row a claim
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from html import escape
from importlib import resources

import pandas as pd
import yaml

from agmpk.book.tables import table_html
from agmpk.errors import AgmpkError
from agmpk.evaluation.tables import by_compound

DIRECTIONS = ("lower", "higher", "target", "within", "holds", "none")


@dataclass(frozen=True)
class Claim:
    """One claim.

    id, sentence: the claim in our words.  published: its figure as text.  measure: the evidence it
    is judged by.  chapter, anchor: where that is shown.  source: where it was published.

    direction: what counts as good.  ``lower`` or ``higher`` than ``figure`` (published, with its
    ``spread``); ``target``: nearer to ``ideal`` than ``figure`` is; ``within``: inside ``range``
    (nothing was published to compare with); ``holds``: the whole interval is above 0; ``none``:
    not comparable, for the reason in ``why``.

    needs: the smallest n (of ``unit``) of the evidence for a verdict; fewer is a rehearsal.
    """

    id: str
    sentence: str
    published: str
    measure: str
    chapter: str
    anchor: str
    source: str
    direction: str
    figure: float | None = None
    spread: float = 0.0
    ideal: float | None = None
    range: tuple[float, float] | None = None
    needs: int = 1
    unit: str = ""
    why: str = ""

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise AgmpkError(
                f"Claim {self.id!r} has the direction {self.direction!r}: use one of "
                f"{', '.join(DIRECTIONS)}."
            )
        wanted = {"lower": "figure", "higher": "figure", "target": "ideal", "within": "range"}
        lacking = [name for name in (wanted.get(self.direction),) if name and self[name] is None]
        if self.direction == "target" and self.figure is None:
            lacking.append("figure")
        if self.direction == "none" and not self.why:
            lacking.append("why")
        if lacking:
            raise AgmpkError(
                f"Claim {self.id!r} of direction {self.direction!r} lacks {', '.join(lacking)}."
            )

    def __getitem__(self, name: str) -> object:
        return getattr(self, name)


def load_claims(text: str | None = None) -> tuple[Claim, ...]:
    """The claims of ``claims.yaml``, or of YAML ``text`` of the same form.

    Raises:
        AgmpkError: an entry lacks something, has something unknown, or repeats an id.
    """
    if text is None:
        text = (resources.files("agmpk.paper") / "claims.yaml").read_text("utf-8")
    known = {f.name for f in fields(Claim)}
    found: list[Claim] = []
    for entry in yaml.safe_load(text):
        name = entry.get("id", "without an id")
        unknown = sorted(set(entry) - known)
        if unknown:
            raise AgmpkError(f"Claim {name!r} has the unknown entries {', '.join(unknown)}.")
        try:
            claim = Claim(**entry)
        except TypeError as error:
            raise AgmpkError(f"Claim {name!r} is incomplete: {error}.") from None
        if claim.id in {one.id for one in found}:
            raise AgmpkError(f"There are two claims with the id {claim.id!r}.")
        found.append(claim)
    return tuple(found)


REPRODUCED, BETTER, FAILED, OPEN = "reproduced", "better", "not reproduced", "not checkable"
ROUNDING = 1e-9  # figures are decimal, so a difference of two of them may be off by this
VERDICTS = (BETTER, REPRODUCED, FAILED, OPEN)


def verdict(claim: Claim, found: Evidence | None) -> tuple[str, str]:
    """The verdict, and the reason where it is "not checkable" (else "").

    With the loss l (``lower``: the value; ``higher``: minus the value; ``target``: its distance
    from the ideal), the published loss p and its spread s:

    * better: all of our interval has l < p - s;
    * reproduced: some of our interval has l <= p + s;
    * not reproduced: otherwise.

    Without a published figure, ``within`` is reproduced where our value is inside the range, and
    ``holds`` where our whole interval is above 0.  Without evidence, with too little of it, or
    where the numbers do not compare: not checkable.
    """
    if claim.direction == "none":
        return OPEN, claim.why
    if found is None or not math.isfinite(found.value):
        return OPEN, (found.note if found and found.note else "no such result in this run")
    if found.n < claim.needs:
        return OPEN, f"rests on {found.n} of the {claim.needs} {claim.unit} it needs".replace(
            "  ", " "
        )
    if claim.direction == "within":
        low, high = claim.range
        return (REPRODUCED if low <= found.value <= high else FAILED), ""
    if claim.direction == "holds":
        return (REPRODUCED if found.low > 0 else FAILED), ""
    best, worst = _losses(claim, found.low, found.high)
    published = _losses(claim, claim.figure, claim.figure)[0]
    if worst < published - claim.spread - ROUNDING:
        return BETTER, ""
    reached = best <= published + claim.spread + ROUNDING
    return (REPRODUCED if reached else FAILED), ""


def _losses(claim: Claim, low: float, high: float) -> tuple[float, float]:
    """Smallest and largest loss of an interval."""
    if claim.direction == "lower":
        return low, high
    if claim.direction == "higher":
        return -high, -low
    ends = sorted((abs(low - claim.ideal), abs(high - claim.ideal)))
    return (0.0 if low <= claim.ideal <= high else ends[0]), ends[1]


#: The columns in which the chapters store what the claims need.
COLUMNS = ["measure", "value", "low", "high", "n"]


@dataclass(frozen=True)
class Evidence:
    """measure: its name.  value with its interval (by default the value itself, as for a count).
    n: how much it rests on, in the claim's unit.  note: why there is no value (NaN).  count: the
    value counts how many of n."""

    measure: str
    value: float
    low: float = math.nan
    high: float = math.nan
    n: int = 1
    note: str = ""
    count: bool = False

    def __post_init__(self) -> None:
        for end in ("low", "high"):
            if not math.isfinite(getattr(self, end)):
                object.__setattr__(self, end, self.value)


def from_table(table: pd.DataFrame) -> dict[str, Evidence]:
    """Evidence by measure from a stored table with ``COLUMNS``."""
    return {
        row.measure: Evidence(row.measure, row.value, row.low, row.high, int(row.n))
        for row in table[COLUMNS].itertuples()
    }


def most_wins(
    results: pd.DataFrame, family: Sequence[str], rivals: Sequence[str], measure: str
) -> Evidence:
    """On how many compounds a model of ``family`` has the lowest mean log-RMSE.

    ``results`` as of :func:`agmpk.evaluation.evaluate`.  n: compounds.  A rival without a value on
    a compound does not compete there; NaN where a model is missing altogether.
    """
    missing = _missing(results, [*family, *rivals])
    if missing:
        return Evidence(measure, math.nan, n=0, note=missing)
    table = by_compound(results)[[*family, *rivals]]
    won = table.idxmin(axis=1).isin(list(family))
    return Evidence(measure, int(won.sum()), n=len(table), count=True)


def beats(
    results: pd.DataFrame,
    family: Sequence[str],
    rival: str,
    measure: str,
    compounds: Sequence[str] | None = None,
) -> Evidence:
    """On how many compounds (of ``compounds``) the best of ``family`` is below ``rival``."""
    missing = _missing(results, [*family, rival])
    if missing:
        return Evidence(measure, math.nan, n=0, note=missing)
    table = by_compound(results)
    if compounds is not None:
        table = table.loc[[name for name in table.index if name in set(compounds)]]
    table = table.dropna(subset=[rival])
    won = table[list(family)].min(axis=1) < table[rival]
    return Evidence(measure, int(won.sum()), n=len(table), count=True)


def mean_error(results: pd.DataFrame, model: str, measure: str) -> Evidence:
    """Mean over compounds of the mean log-RMSE of a model.  n: compounds.

    Without an interval: the published figure is a mean over the same individuals, whose own errors
    are not available.
    """
    missing = _missing(results, [model])
    if missing:
        return Evidence(measure, math.nan, n=0, note=missing)
    table = by_compound(results)[model].dropna()
    return Evidence(measure, float(table.mean()), n=len(table))


def _missing(results: pd.DataFrame, models: Sequence[str]) -> str:
    absent = [name for name in models if name not in set(results.model)]
    return f"the benchmark was not run for {', '.join(absent)}" if absent else ""


def ablation_gain(
    table: pd.DataFrame, variant: str, helps: bool, studies: str, score: str, measure: str
) -> Evidence:
    """What a design choice gains in ``score`` (less is better), from the table of ablations.

    ``helps`` True: the variant adds the choice, and gains the base's score minus its own; False:
    the variant lacks it.  The lower end is lowered to the gain minus the margin of training seeds,
    if that is less: a gain counts when it is beyond both.  n: individuals.
    """
    rows = table[(table.variant == variant) & (table.studies == studies) & (table.measure == score)]
    if not len(rows) or not math.isfinite(rows.iloc[0].difference):
        return Evidence(measure, math.nan, n=0, note="this ablation was not trained")
    row = rows.iloc[0]
    sign = -1.0 if helps else 1.0
    low, high = sorted((sign * row.low, sign * row.high))
    gain = sign * row.difference
    if not math.isfinite(row.margin):
        return Evidence(measure, math.nan, n=0, note="too few training seeds to judge by")
    return Evidence(measure, gain, min(low, gain - row.margin), high, int(row.n))


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
