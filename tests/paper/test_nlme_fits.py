"""Which questions the mixed-effects baseline is asked, beside leave-one-out."""

import pandas as pd

from agmpk.files import data_path
from agmpk.paper.nlme_fits import PUBLISHED_FOLDS, published_cases


def test_everybody_of_a_published_model_is_asked_once_from_people_who_are_not_asked_with_it():
    for name, found in published_cases(2).items():
        asked = [case.prefix.id for case in found]
        assert len(set(asked)) == len(asked), name
        contexts = {}
        for case in found:
            contexts.setdefault(case.context.ids, set()).add(case.prefix.id)
            assert len(case.prefix.quantifiable()) <= 2
        assert len(contexts) == PUBLISHED_FOLDS
        for context, left_out in contexts.items():
            assert not left_out & set(context) and left_out | set(context) == set(asked)


def test_the_stored_scores_are_of_these_questions():
    stored = pd.read_csv(data_path("nlme", "published.csv"), dtype={"individual": str})
    for shown in (2, 4):
        rows = stored[(stored.shown == shown) & (stored.model == "nlme")]
        found = published_cases(shown)
        asked = {(name, case.prefix.id) for name, few in found.items() for case in few}
        assert set(zip(rows.compound, rows.individual, strict=True)) == asked
        best = pd.read_csv(data_path("poppk", "best.csv"), dtype={"individual": str})
        best = best[(best.shown == shown) & (best.split == "reporting")]
        both = rows.merge(best, on=["compound", "individual"])
        # The same samples are scored, whoever answers.
        assert (both.n_target_x == both.n_target_y).all() and len(both) == len(rows)
