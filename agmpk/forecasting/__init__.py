"""Forecasting individuals and generating cohorts, whatever the model.

model = load_forecaster("flow")
forecast = model.forecast(study.without("1"), study["1"].prefix(4), times, 200, seed=0)
cohort = generate(model, study, n=100)
"""

from agmpk.forecasting.cohort import generate, sampling_times
from agmpk.forecasting.forecaster import Forecast, Forecaster
from agmpk.forecasting.load import load_forecaster, model_names

__all__ = ["Forecast", "Forecaster", "generate", "load_forecaster", "model_names", "sampling_times"]
