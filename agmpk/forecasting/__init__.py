"""Forecasting individuals and generating cohorts, whatever the model.

model = load_forecaster("flow")
forecast = model.forecast(study.without("1"), study["1"].prefix(4), times, 200, seed=0)
cohort = generate(model, study, n=100)
answer = whatif(model, study, "1", 3, {"half": [Dose(24.0, 50.0, additional=3, interval=12.0)]})
"""

from agmpk.forecasting.cohort import generate, sampling_times
from agmpk.forecasting.forecaster import Forecast, Forecaster
from agmpk.forecasting.load import load_forecaster, model_names
from agmpk.forecasting.whatif import WhatIf, read_plans, whatif

__all__ = [
    "Forecast",
    "Forecaster",
    "WhatIf",
    "generate",
    "load_forecaster",
    "model_names",
    "read_plans",
    "sampling_times",
    "whatif",
]
