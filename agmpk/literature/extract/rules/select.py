"""One value a field out of all mentions: test product, fasting, parent analyte, first dose."""

from __future__ import annotations

import re

from agmpk.literature.extract.rules.arms import TEST
from agmpk.literature.extract.rules.context import FASTED, FED
from agmpk.literature.extract.rules.mention import Mention


def choose(mentions: list[Mention]) -> dict[str, Mention]:
    """The mention taken for each of `cmax`, `tmax`, `auc0_t`, `auc0_inf`; missing where none
    qualifies.

    All fields come from one group (analyte, food state, dose): that of the best Cmax or AUC
    mention.
    A mention that does not name its analyte, state or dose can join any group.
    """
    usable = [m for m in mentions if m.arm in (TEST, None)]
    if not usable:
        return {}
    anchors = [m for m in usable if m.name != "tmax"] or usable
    parents = [m for m in anchors if m.analyte == ""] or anchors
    anchor = min(
        parents,
        key=lambda m: (m.rank, m.state == FED, m.arm != TEST, m.state != FASTED, m.order),
    )
    chosen: dict[str, Mention] = {}
    for name in ("cmax", "tmax", "auc0_t", "auc0_inf"):
        group = [m for m in usable if m.name == name and _same_group(m, anchor)]
        if group:
            chosen[name] = min(
                group,
                key=lambda m: (
                    m.rank,
                    m.arm != TEST,
                    m.state != anchor.state,
                    m.analyte != anchor.analyte,
                    m.dose != anchor.dose,
                    _horizon_rank(m),
                    m.order,
                ),
            )
    return chosen


def _same_group(mention: Mention, anchor: Mention) -> bool:
    if mention.analyte != anchor.analyte:
        return False
    states = {mention.state, anchor.state}
    if states == {FASTED, FED}:
        return False
    return not (
        mention.dose
        and anchor.dose
        and mention.dose != anchor.dose
        and mention.order > anchor.order
        and mention.name == anchor.name
    )


def _horizon_rank(mention: Mention) -> int:
    """AUC to the last sample before AUC to a fixed time; a longer fixed time before a shorter
    one."""
    if mention.name != "auc0_t":
        return 0
    digits = re.findall(r"\d+", mention.horizon.replace("0-", "", 1))
    return -1000 if not digits else -int(digits[-1])
