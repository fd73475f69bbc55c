"""Ablations: one change at a time, retrained at an equal small budget (but where the budget is
the question), scored on what was not trained on.

``variants`` lists the changes, ``settings`` what a change means in full, ``questions`` and
``score`` what it is judged by, ``run`` trains and scores one, ``store`` keeps it, ``results`` puts
them side by side and ``words`` says it in sentences.

    python -m agmpk.ablations run          # hours where nothing is stored, else what is missing
    python -m agmpk.ablations list
"""
