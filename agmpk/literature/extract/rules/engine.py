"""The rule-based extraction of one document."""

from __future__ import annotations

from dataclasses import replace

from agmpk.literature.document import Document
from agmpk.literature.extract.rules.arms import ArmFinder
from agmpk.literature.extract.rules.compound import AnalyteFinder, Name, find_compound
from agmpk.literature.extract.rules.dose import find_dose
from agmpk.literature.extract.rules.mention import Mention
from agmpk.literature.extract.rules.mentions import prose_mentions
from agmpk.literature.extract.rules.no_trial import reports_no_trial
from agmpk.literature.extract.rules.route import find_route
from agmpk.literature.extract.rules.select import choose
from agmpk.literature.extract.rules.subjects import find_subjects
from agmpk.literature.extract.rules.tables import table_mentions
from agmpk.literature.extract.schema import QUANTITIES, Extraction, Span
from agmpk.literature.text import NormalText, normalize

MAX_BODY = 400_000  # characters of body text that are read


def extract_rules(document: Document) -> Extraction:
    """Extract one document by rules. Fields the text does not state stay null; every value has
    evidence."""
    normal = {
        name: normalize(text)
        for name, text in (
            ("title", document.title),
            ("abstract", document.abstract),
            ("body", document.body[:MAX_BODY]),
        )
    }
    texts = {name: n.text for name, n in normal.items()}
    front = f"{texts['title']}. {texts['abstract']}"
    compound = find_compound(texts["title"], texts["abstract"])
    everything = "\n".join(
        [
            front,
            *(
                f"{t.caption} {' '.join(' '.join(r) for r in (*t.header, *t.rows))} "
                f"{' '.join(t.footnotes)}"
                for t in document.tables
            ),
        ]
    )
    arms = ArmFinder(normalize(everything).text)
    analytes = AnalyteFinder(compound.text if compound else None, texts["title"])
    mentions = _mentions(document, texts, arms, analytes)
    output = Extraction(
        id=document.id,
        engine="rules",
        **{k: document.meta.get(k) for k in ("pmid", "pmcid", "year")},
    )
    chosen = choose(mentions)
    _fill_quantities(output, chosen, document, normal)
    taken = chosen.get("cmax") or chosen.get("auc0_t") or chosen.get("auc0_inf")
    several = len({m.dose for m in mentions if m.dose}) > 1
    _fill_design(
        output, compound, texts, normal, document, taken.dose if taken and several else None
    )
    return output


def all_mentions(document: Document, arms: ArmFinder, analytes: AnalyteFinder) -> list[Mention]:
    """Every mention the rules read anywhere in a document, the body included."""
    texts = {
        name: normalize(getattr(document, name)[:MAX_BODY]).text
        for name in ("title", "abstract", "body")
    }
    result = _mentions(document, texts, arms, analytes)
    if texts["body"] and not any(m.source == "body" for m in result):
        result += prose_mentions(texts["body"], "body", arms, analytes, len(result))
    return result


def _mentions(
    document: Document, texts: dict[str, str], arms: ArmFinder, analytes: AnalyteFinder
) -> list[Mention]:
    """Tables first (they hold most), then the abstract; the body only where neither says
    anything."""
    result: list[Mention] = []
    for i, table in enumerate(document.tables):
        result += table_mentions(table, f"tables[{i}]", arms, analytes, len(result))
    prose = prose_mentions(texts["abstract"], "abstract", arms, analytes, len(result))
    result += [replace(m, rank=1) for m in prose]
    if not result and texts["body"]:
        result += [
            replace(m, rank=2) for m in prose_mentions(texts["body"], "body", arms, analytes, 0)
        ]
    return result


def _span(
    source: str, span: tuple[int, int], document: Document, normal: dict[str, NormalText]
) -> Span:
    if source in normal:
        start, end = normal[source].span(*span)
    else:
        start, end = span
    return Span(source=source, start=start, end=end, text=document.sources()[source][start:end])


def _fill_quantities(
    output: Extraction, chosen: dict[str, Mention], document: Document, normal
) -> None:
    for name, mention in chosen.items():
        setattr(output, name, mention.number)
        setattr(output, f"{name}_unit", mention.unit.text if mention.unit else None)
        setattr(output, f"{name}_type", mention.center)
        if mention.dispersion is not None:
            setattr(output, f"{name}_dispersion", mention.dispersion)
            setattr(output, f"{name}_dispersion_type", mention.dispersion_type)
        output.evidence[name] = [_span(mention.source, s, document, normal) for s in mention.spans]
        if mention.unit is None:
            output.flags.append(f"{name}: no unit in the text")
        elif mention.unit.misprint:
            output.flags.append(
                f"{name}: unit printed as concentration per time, read as concentration times time"
            )
        if mention.arm is None:
            output.flags.append(f"{name}: the text does not say whether this is the test product")
        if mention.state == "fed":
            output.flags.append(f"{name}: fed")


def _fill_design(
    output: Extraction,
    compound: Name | None,
    texts: dict[str, str],
    normal,
    document: Document,
    dose_taken: str | None,
) -> None:
    if compound is not None:
        output.compound = compound.text
        output.evidence["compound"] = [
            _span(compound.source, (compound.start, compound.end), document, normal)
        ]
    found_route = find_route(texts)
    if found_route is not None:
        output.route = found_route[0]
        output.evidence["route"] = [
            _span(found_route[1], found_route[2], document, normal),
        ]
    if not any(output.evidence.get(q) for q in QUANTITIES) and reports_no_trial(
        texts["title"], texts["abstract"]
    ):
        return
    captions = {f"tables[{i}]": t for i, t in enumerate(document.tables)}
    front = {k: texts[k] for k in ("title", "abstract")}
    dose = find_dose(front, dose_taken) or find_dose({"body": texts["body"]})
    if dose is not None:
        output.dose, output.dose_unit = dose.amount, dose.unit
        output.evidence["dose"] = [_span(dose.source, s, document, normal) for s in dose.spans]
    subjects = (
        find_subjects(front) or find_subjects({"body": texts["body"]}) or _table_subjects(captions)
    )
    if subjects is not None:
        output.n_subjects = subjects.n
        output.evidence["n_subjects"] = [
            _span(subjects.source, s, document, normal) for s in subjects.spans
        ]
        if subjects.completed:
            output.flags.append(f"n_subjects: {subjects.completed} completed")


def _table_subjects(tables):
    for source, table in tables.items():
        text = normalize(table.text())
        found = find_subjects({source: text.text})
        if found:
            spans = tuple(text.span(*s) for s in found.spans)
            return type(found)(found.n, source, spans, found.completed)
    return None
