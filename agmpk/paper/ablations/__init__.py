"""Ablations: one change at a time, retrained at an equal small budget (but where the budget is
the question), scored on what was not trained on.

``run`` has the list, asks, trains, scores and stores; ``results`` puts the variants side by side
and says it in sentences.

    agmpk paper ablations run          # hours where nothing is stored, else what is missing
    agmpk paper ablations list         # what is stored, stale and missing
"""
