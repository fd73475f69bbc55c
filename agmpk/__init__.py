"""AGM-PK: amortized generative models for pharmacokinetics.

What a user needs first can be imported from here::

    from agmpk import generate, load_forecaster, read_study

A name is fetched from the folder it lives in when it is asked for, so that importing the package
costs nothing and the command line answers at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what editors, and programs that read imports without running them, see
    from agmpk.errors import AgmpkError
    from agmpk.evaluation import benchmark_studies, by_compound, evaluate, published_table
    from agmpk.forecasting import (
        Forecast,
        Forecaster,
        WhatIf,
        generate,
        load_forecaster,
        model_names,
        read_plans,
        whatif,
    )
    from agmpk.prior import load_prior, simulate
    from agmpk.studies import Dose, Individual, Study, read_studies, read_study, write_study

__version__ = "0.1.0"

_NAMES = {
    "errors": "AgmpkError",
    "evaluation": "benchmark_studies by_compound evaluate published_table",
    "forecasting": "Forecast Forecaster WhatIf generate load_forecaster model_names read_plans "
    "whatif",
    "prior": "load_prior simulate",
    "studies": "Dose Individual Study read_studies read_study write_study",
}
HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}
"""The folder in which each name lives."""

__all__ = [*HOMES]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"agmpk has no {name!r}; it has {', '.join(HOMES)}, and its folders.")
    return getattr(importlib.import_module(f"agmpk.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *HOMES])
