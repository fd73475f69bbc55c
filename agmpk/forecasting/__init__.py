"""Forecasting individuals and generating cohorts, whatever the model.

model = load_forecaster("flow")
forecast = model.forecast(study.without("1"), study["1"].prefix(4), times, 200, seed=0)
cohort = generate(model, study, n=100)
answer = whatif(model, study, "1", 3, {"half": [Dose(24.0, 50.0, additional=3, interval=12.0)]})

Names are loaded when they are first used.
"""

from importlib import import_module
from typing import Any

_NAMES = {
    "cohort": ("generate", "sampling_times"),
    "forecaster": ("Forecast", "Forecaster", "load_forecaster", "model_names"),
    "plans": ("WhatIf", "read_plans", "whatif"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
