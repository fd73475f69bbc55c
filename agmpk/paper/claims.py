"""The published claims, what we found, and a verdict that follows from the numbers.

In use::

    found = {one.measure: one for one in [...]}   # Evidence, computed from the chapters' results
    judged(load_claims(), found)                  # one row a claim
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import pandas as pd

from agmpk.book.tables import table_html
from agmpk.config import load_yaml, parse_yaml, read_config
from agmpk.errors import AgmpkError
from agmpk.evaluation.compare import by_compound
from agmpk.files import data_path
from agmpk.paper.ablations.results import first_version

NEEDED = {
    "lower": ("figure",),
    "higher": ("figure",),
    "target": ("figure", "ideal"),
    "within": ("range",),
    "holds": (),
    "none": ("why",),
}
"""By direction: what a claim must have for a verdict."""


@dataclass(frozen=True)
class Claim:
    """One claim.

    id, sentence: the claim in our words.  published: its figure as text.  measure: the evidence it
    is judged by.  chapter, anchor: where that is shown.  source: where it was published.

    direction: what counts as good.  ``lower`` or ``higher`` than ``figure``; ``target``: nearer to
    ``ideal`` than ``figure`` is; ``within``: inside ``range`` (nothing was published to compare
    with); ``holds``: above 0; ``none``: not comparable, for the reason in ``why``.  spread: of the
    published figure, a difference that does not matter.

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
        if self.direction not in NEEDED:
            raise AgmpkError(
                f"Claim {self.id!r} has the direction {self.direction!r}: use one of "
                f"{', '.join(NEEDED)}."
            )
        lacking = [name for name in NEEDED[self.direction] if getattr(self, name) in (None, "")]
        if lacking:
            raise AgmpkError(
                f"Claim {self.id!r} of direction {self.direction!r} lacks {', '.join(lacking)}."
            )


def load_claims(text: str | None = None) -> tuple[Claim, ...]:
    """The claims of ``claims.yaml``, or of YAML ``text`` of the same form.

    Raises:
        AgmpkError: an entry lacks something, has something unknown, or repeats an id.
    """
    file = Path(__file__).with_suffix(".yaml")
    found: list[Claim] = []
    for entry in load_yaml(file) if text is None else parse_yaml(text, file.name):
        claim = read_config(Claim, entry, f"Claim {entry.get('id', 'without an id')!r}")
        if claim.id in {one.id for one in found}:
            raise AgmpkError(f"There are two claims with the id {claim.id!r}.")
        found.append(claim)
    return tuple(found)


BETTER, REPRODUCED, FAILED = "better", "reproduced", "not reproduced"
INCONCLUSIVE, OPEN = "inconclusive", "not checkable"
VERDICTS = (BETTER, REPRODUCED, FAILED, INCONCLUSIVE, OPEN)
ROUNDING = 1e-9  # figures are decimal, so a difference of two of them may be off by this


def verdict(claim: Claim, found: Evidence | None) -> tuple[str, str]:
    """The verdict, and the reason where it is "not checkable" (else "").

    Our interval decides as a whole.  With the loss l (``lower``: the value; ``higher``: minus the
    value; ``target``: its distance from the ideal), the published loss p and the margin m:

    * better: all of our interval has l < p - m;
    * reproduced: all of it has l <= p + m, no worse by more than what does not matter;
    * not reproduced: all of it has l > p + m;
    * inconclusive: it lies on both sides of p + m, so that the data are too few to tell.

    Without a published figure, ``within`` asks in the same way whether the interval is inside the
    range, and ``holds`` whether it is above 0.  Without evidence, with too little of it, or where
    the numbers do not compare: not checkable.
    """
    if claim.direction == "none":
        return OPEN, claim.why
    if found is None or not math.isfinite(found.value):
        return OPEN, (found.note if found and found.note else "no such result in this run")
    if found.n < claim.needs:
        reason = f"rests on {found.n} of the {claim.needs} {claim.unit} it needs"
        return OPEN, reason.replace("  ", " ")
    if claim.direction == "within":
        low, high = claim.range
        return _whole(low <= found.low and found.high <= high, found.high < low or found.low > high)
    if claim.direction == "holds":
        return _whole(found.low > 0, found.high <= 0)
    loss = {"lower": float, "higher": lambda x: -x, "target": lambda x: abs(x - claim.ideal)}
    best, worst = sorted(map(loss[claim.direction], (found.low, found.high)))
    if claim.direction == "target" and found.low <= claim.ideal <= found.high:
        best = 0.0
    published, margin = loss[claim.direction](claim.figure), claim.spread + ROUNDING
    if worst < published - margin:
        return BETTER, ""
    return _whole(worst <= published + margin, best > published + margin)


def _whole(inside: bool, outside: bool) -> tuple[str, str]:
    """By whether all of the interval is where it should be, or none."""
    return (REPRODUCED if inside else FAILED if outside else INCONCLUSIVE), ""


#: The columns in which the chapters store what the claims need.
COLUMNS = ["measure", "value", "low", "high", "n"]


@dataclass(frozen=True)
class Evidence:
    """measure: its name.  value with its interval (by default the value itself, as for a count).
    n: how much it rests on, in the claim's unit.  note: why there is no value (NaN).  count: the
    value counts how many of n.  beside: what a reader must see next to it."""

    measure: str
    value: float
    low: float = math.nan
    high: float = math.nan
    n: int = 1
    note: str = ""
    count: bool = False
    beside: str = ""

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
    results: pd.DataFrame,
    family: Sequence[str],
    rivals: Sequence[str],
    measure: str,
    compounds: Collection[str] | None = None,
) -> Evidence:
    """On how many compounds (of ``compounds``) the best of ``family`` has a lower mean log-RMSE
    than every one of ``rivals``.

    ``results`` as of :func:`agmpk.evaluation.evaluate`.  n: compounds.  A rival without a value on
    a compound does not compete there; NaN where a model is missing altogether.
    """
    if missing := [name for name in (*family, *rivals) if name not in set(results.model)]:
        return _not_run(measure, missing)
    table = by_compound(results)
    if compounds is not None:
        table = table[table.index.isin(compounds)]
    best = table[[*rivals]].min(axis=1).fillna(math.inf)
    won = table[[*family]].min(axis=1) < best
    return Evidence(measure, int(won.sum()), n=len(table), count=True)


def mean_error(results: pd.DataFrame, model: str, measure: str) -> Evidence:
    """Mean over compounds of the mean log-RMSE of a model.  n: compounds.

    Without an interval: the published figure is a mean over the same individuals, whose own errors
    are not available.
    """
    if model not in set(results.model):
        return _not_run(measure, [model])
    table = by_compound(results)[model].dropna()
    return Evidence(measure, float(table.mean()), n=len(table))


def _not_run(measure: str, models: Sequence[str]) -> Evidence:
    note = f"the benchmark was not run for {', '.join(models)}"
    return Evidence(measure, math.nan, n=0, note=note)


PAIR, RIVALS = ("flow", "aicmet"), ("nlme", "transformer", "node")


def forecast_evidence(results: pd.DataFrame, published: pd.DataFrame) -> list[Evidence]:
    """What the claims on forecasts need, of the benchmark's rows and the published table.

    The naive curve takes part in the contest: most of what "lowest" counts is having a context at
    all, and beside the count stands how often the naive curve wins in the family's place.  Mixed
    effects compete on the parent compounds only, as they did.
    """
    parents = list(published["nlme"].dropna().index)
    contest = results[(results.model != "nlme") | results.compound.isin(parents)]
    wins = most_wins(contest, PAIR, [*RIVALS, "naive"], "wins:family")
    ruler = most_wins(contest, ["naive"], RIVALS, "wins:naive")
    if math.isfinite(wins.value):
        beside = f"the naive curve in the family's place: {ruler.value:.0f} of {ruler.n}"
        wins = replace(wins, beside=beside)
    fitted = results[(results.model == "nlme") & results.log_rmse.notna()].compound
    return [
        wins,
        most_wins(results, PAIR, ["nlme"], "wins:nlme", {*parents} & {*fitted}),
        mean_error(results, "flow", "error:flow"),
    ]


def ablation_evidence(table: pd.DataFrame | None) -> list[Evidence]:
    """What the claims on design choices need, of the table of ablations (None: none is stored).

    The gain of the reference process, on simulated studies: the error without it minus that with
    it, in the CRPS of the mean of a curve, which tells how its points go together.  The lower end
    is lowered to the gain minus the margin of training seeds, if that is less: a gain counts when
    it is beyond both.  n: individuals.  The second model has no choice of attention.

    Where there is no value, the note says why and what the first version's record has.
    """
    asked = {"variant": "process-white", "studies": "default prior", "measure": "crps_curve"}
    rows = [] if table is None else table[(table[[*asked]] == pd.Series(asked)).all(axis=1)]
    gain = None
    why = "its ablation process-white has not been run (agmpk paper ablations run)"
    if len(rows) and math.isfinite(rows.difference.iloc[0]):
        row, why = rows.iloc[0], "too few training seeds to judge by"
        if math.isfinite(row.margin):
            low = min(row.low, row.difference - row.margin)
            gain = Evidence("gain:reference", row.difference, low, row.high, int(row.n))
    return [
        gain or _first_version("gain:reference", "reference-white", why),
        _first_version("gain:attention", "attention-continuum", NO_ATTENTION),
    ]


NO_ATTENTION = "it has no such choice (attention-continuum)"


def _first_version(measure: str, variant: str, why: str) -> Evidence:
    """No value, for the reason ``why``, and in its place what the record of the first version's
    ablations says of ``variant``."""
    record = first_version()
    record = record[(record.studies == "default prior") & (record.measure == "crps")]
    verdict_ = record.set_index("variant").verdict[variant] or "not judged"
    note = (
        f"not with the second model yet: {why}; the first version, asked at own times only, had "
        f"{variant} against its default: {verdict_}"
    )
    return Evidence(measure, math.nan, n=0, note=note)


def benchmark_rows(file: Path) -> pd.DataFrame:
    """The benchmark's rows as the chapter on forecasts stored them; where it ran without the mixed
    effects, with the rows of their stored fits."""
    rows = pd.read_csv(file, dtype={"individual": str})
    if "nlme" not in set(rows.model):
        fitted = pd.read_csv(data_path("nlme", "results.csv"), dtype={"individual": str})
        fitted = fitted[(fitted.model == "nlme") & fitted.compound.isin(set(rows.compound))]
        rows = pd.concat([rows, fitted.reindex(columns=rows.columns)], ignore_index=True)
    return rows


def judged(claims: Sequence[Claim], found: Mapping[str, Evidence]) -> pd.DataFrame:
    """One row a claim: id, sentence, published, ours (text), value, low, high, n, verdict, reason,
    chapter, anchor."""
    rows = []
    for claim in claims:
        evidence = found.get(claim.measure)
        verdict_, reason = verdict(claim, evidence)
        numbers = evidence or Evidence(claim.measure, math.nan, n=0)
        about = claim.id, claim.sentence, claim.published, ours(evidence)
        values = numbers.value, numbers.low, numbers.high, numbers.n
        rows.append((*about, *values, verdict_, reason, claim.chapter, claim.anchor))
    names = "id sentence published ours value low high n verdict reason chapter anchor"
    return pd.DataFrame(rows, columns=names.split())


def ours(found: Evidence | None) -> str:
    """A value with its interval in three significant digits, a count as it is, and what belongs
    beside it; "" for nothing."""
    if found is None or pd.isna(found.value):
        return ""
    if found.low == found.high:
        text = f"{found.value:.0f} of {found.n}" if found.count else _short(found.value)
    else:
        text = f"{_short(found.value)} ({_short(found.low)} to {_short(found.high)})"
    return f"{text}; {found.beside}" if found.beside else text


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.3g}"


def claims_html(table: pd.DataFrame, titles: Mapping[str, str], caption: str) -> str:
    """HTML of :func:`judged`; ``titles`` are the chapters' names for the links."""
    pairs = list(zip(table.verdict, table.reason, strict=True))
    shown = {
        "Claim": table.sentence,
        "Published": table.published,
        "Here": table.ours,
        "Verdict": [f"{word}: {why}" if why else word for word, why in pairs],
        "Shown in": [f"@@{c}#{a}@@" for c, a in zip(table.chapter, table.anchor, strict=True)],
    }

    def link(match: re.Match[str]) -> str:
        chapter, anchor = match.groups()
        target = f"{chapter}.html#{anchor}" if anchor else f"{chapter}.html"
        return f'<a href="{target}">{escape(titles.get(chapter, chapter))}</a>'

    html = table_html(pd.DataFrame(shown), caption, index=False)
    return re.sub(r"@@([\w-]+)#([\w-]*)@@", link, html)
