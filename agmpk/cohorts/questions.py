"""Whom a generated cohort is compared with: left-out individuals, or an oracle's.

Both are :class:`agmpk.evaluation.Case` with an empty prefix: the context, the doses of somebody
unseen, and what was observed in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agmpk.evaluation.leave_one_out import Case, cases
from agmpk.studies import Study

if TYPE_CHECKING:
    from agmpk.prior import PriorConfig

MINIMUM = 2  # observations an individual needs to count as a curve


def left_out(studies: Mapping[str, Study]) -> dict[str, list[Case]]:
    """Empirical: each individual with two or more observations, its context the others."""
    return {
        name: [case for case in cases(name, study, 0) if len(case.times) >= MINIMUM]
        for name, study in studies.items()
    }


def oracle(
    config: PriorConfig, n_studies: int, n_context: int, n_new: int, seed: int
) -> dict[str, list[Case]]:
    """Synthetic: studies of ``n_context + n_new`` simulated individuals; the first ``n_context``
    are the context of all others, who are true new individuals of the same study."""
    from agmpk.prior import simulate  # late: only here is PyTorch needed
    from agmpk.prior.table import to_studies

    total = n_context + n_new
    design = {"individuals": (total,)}
    batch = simulate(config.replace(design=design), n_studies, seed)
    return {s.compound: oracle_cases(s, n_context) for s in to_studies(batch)}


def oracle_cases(study: Study, n_context: int) -> list[Case]:
    """The individuals after the first ``n_context``, with these as their common context."""
    study = study.after_dose()
    people = study.individuals
    context = Study(study.compound, people[:n_context], study.units, study.lloq)
    return [
        Case(study.compound, context, one.prefix(0), *one.rest(0))
        for one in people[n_context:]
        if len(one) >= MINIMUM
    ]
