"""Every value that prose gives for a parameter, with its arm, food state, analyte and dose."""

from __future__ import annotations

import re
from dataclasses import replace

from agmpk.literature.extract.rules.align import State, align
from agmpk.literature.extract.rules.arms import ArmFinder
from agmpk.literature.extract.rules.compound import AnalyteFinder
from agmpk.literature.extract.rules.context import states
from agmpk.literature.extract.rules.frames import frames
from agmpk.literature.extract.rules.mention import Mention, mention_of
from agmpk.literature.extract.rules.order import is_flipped, sentence_order
from agmpk.literature.extract.rules.parameters import Parameter
from agmpk.literature.extract.rules.sentences import sentences
from agmpk.literature.extract.rules.tokens import tokenize

_RATIO = re.compile(
    r"\bratios?\b|\bconfidence (?:interval|limit)|\bpoint estimates?\b|\bGMRs?\b"
    r"|\bbioequivalence (?:range|limit|criteria|interval)|\baccept(?:ance|ed) (?:range|limit)"
    r"|\b9[05]\s?% CIs?\b",
    re.I,
)
_CONTINUES = re.compile(
    r"\b(?:test|reference|generic|innovator|originator|brand|values?|figures?|they|those|same"
    r"|corresponding|respective(?:ly)?|parameters?|data|product|formulation)\b|\b[TR]\b",
    re.I,
)
_DOSE = re.compile(
    r"(?<![\w.])(\d+(?:\.\d+)?)[\s-]?(mg|µg|mcg|g)\b(?!\s?[/·*×]|\.\w|\s?(?:h|mL|L)\b)"
)


def prose_mentions(
    text: str, source: str, arms: ArmFinder, analytes: AnalyteFinder, start_order: int = 0
) -> list[Mention]:
    """The mentions in normalized prose, in the order of the text."""
    result: list[Mention] = []
    carried_state: str | None = None
    carried_analyte = ""
    carried_dose: str | None = None
    order, assumed = [*State().order], True
    names: list[Parameter] = []
    names_begin = 0  # start of the sentence that `names` were found in
    for begin, stop in sentences(text):
        part = text[begin:stop]
        # Positions are relative to the sentence: names carried over lie before its start.
        shift = begin - names_begin
        names = [replace(p, start=p.start - shift, end=p.end - shift) for p in names]
        names_begin = begin
        sentence = tokenize(part, begin, arms)
        food = states(part)
        found_analytes = analytes.find(part)
        doses = [(m.start(), m.group(1) + m.group(2)) for m in _DOSE.finditer(part)]
        parts = frames(sentence)
        stated = sentence_order(sentence)
        assumed = assumed and stated is None
        state = State(
            order=stated or order, names=names, assumed=assumed, flipped=is_flipped(sentence)
        )
        assigned_names: list[Parameter] = []
        for frame in parts:
            anchor = frame.parameters[0].start if frame.parameters else frame.values[0].start
            assignments = align(frame, sentence, state)
            if not frame.parameters and not _CONTINUES.search(part):
                assignments = []  # numbers of a sentence that says nothing of products or values
            assignments = _analyte_order(assignments, part, found_analytes)
            for item in assignments:
                if not item.parameter.kind or item.parameter.name == "auc":
                    continue
                if _is_ratio(part, item, sentence.param_units):
                    continue
                where = min(anchor, item.value.start)
                result.append(
                    mention_of(
                        item,
                        text,
                        part,
                        begin,
                        source,
                        state=_last(
                            food,
                            item.value.start,
                            carried_state if len({f for _, f in food}) != 2 else None,
                            food,
                        ),
                        analyte=behind
                        if (behind := _label_behind(found_analytes, part, item.value)) is not None
                        else _analyte(found_analytes, where, item.value.start, carried_analyte),
                        dose=_last(doses, item.value.start, carried_dose, None),
                        order=start_order + len(result),
                        unit=item.value.unit or sentence.param_units.get(item.parameter.start),
                    )
                )
            fresh = [p for p in frame.parameters] or [a.parameter for a in assignments]
            implied = [
                a.parameter
                for a in assignments
                if a.parameter.name == "tmax" and a.parameter.start == a.parameter.end
            ]
            assigned_names += fresh + implied[:1]
            state.names = state.sentence_names = assigned_names
        order, assumed = state.order, state.assumed
        if assigned_names and parts:
            names = assigned_names
        elif any(p.kind for p in sentence.tokens if isinstance(p, Parameter)):
            names = [p for p in sentence.tokens if isinstance(p, Parameter)]
        if food:
            carried_state = food[-1][1] if len({f for _, f in food}) == 1 else None
        if found_analytes:
            distinct = {a for _, _, a in found_analytes}
            carried_analyte = found_analytes[-1][2] if len(distinct) == 1 else ""
        if doses and parts:
            carried_dose = doses[-1][1]
    return result


def _last(found, position: int, carried, all_found):
    before = [value for where, value in found if where < position]
    if before:
        return before[-1]
    if all_found and len({value for _, value in all_found}) == 1:
        return all_found[0][1]
    return carried


def _label_behind(found, part: str, value) -> str | None:
    """The analyte named right after a value: `3.0 h for metformin`."""
    for start, _, analyte in found:
        if 0 <= start - value.end < 14 and re.fullmatch(
            r"\s*\(?(?:(?:for|of|with|the)\s)*", part[value.end : start]
        ):
            return analyte
    return None


def _analyte_order(assignments, part: str, found):
    """Values told apart by analytes behind them are not told apart by arms."""
    labels = [_label_behind(found, part, a.value) for a in assignments]
    if len(assignments) == 2 and None not in labels and labels[0] != labels[1]:
        return [replace(a, arm=None) for a in assignments]
    return assignments


def _analyte(found, anchor: int, position: int, carried: str) -> str:
    near = [a for s, e, a in found if s < position]
    if near:
        return near[-1]
    behind = [a for s, e, a in found if 0 <= s - position < 60]
    return behind[0] if behind and not carried else carried


def _is_ratio(part: str, item, param_units) -> bool:
    if item.value.kind in ("concentration", "auc", "time"):
        return False
    if item.parameter.start in param_units and item.value.kind == "":
        return False
    clause = part[max(0, part.rfind(";", 0, item.value.start)) : item.value.end + 40]
    return bool(_RATIO.search(clause))
