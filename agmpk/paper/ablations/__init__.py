"""Ablations: one change at a time, retrained at an equal small budget (but where the budget is
the question), scored on what was not trained on.

``variants`` lists the changes and what each means in full, ``run`` asks, trains, scores and stores
one, ``results`` puts them side by side and says it in sentences.

    agmpk paper ablations run          # hours where nothing is stored, else what is missing
    agmpk paper ablations list         # what is stored, stale and missing
"""
