"""Forecasters by name: ``naive``, the fitted ``nlme`` and ``nlme-population``, or any checkpoint
that ships in data/checkpoints/."""

from __future__ import annotations

from pathlib import Path

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecaster
from agmpk.paths import data_path

FITTED = ("nlme", "nlme-population")


def model_names() -> tuple[str, ...]:
    """``naive`` and the checkpoints; ``load_forecaster`` knows the names of ``FITTED`` too."""
    folder = data_path("checkpoints", must_exist=False)
    found = sorted(p.parent.name for p in folder.glob("*/weights.safetensors"))
    return ("naive", *found)


def load_forecaster(name: str | Path) -> Forecaster:
    """A forecaster by name, or from the folder of a checkpoint.

    Raises:
        AgmpkError: no such model, or a checkpoint that is damaged or of another version.
    """
    text = str(name)
    if text == "naive":
        from agmpk.forecasting.naive import NaiveForecaster

        return NaiveForecaster()
    if text in FITTED:
        from agmpk.nlme.forecaster import NlmeForecaster, NlmePopulationForecaster

        return NlmeForecaster() if text == "nlme" else NlmePopulationForecaster()
    shipped = text in model_names()
    folder = data_path("checkpoints", text) if shipped else Path(text)
    if not folder.is_dir():
        raise AgmpkError(
            f"There is no model {text!r}: use one of {', '.join([*model_names(), *FITTED])}, "
            "or the folder of a checkpoint."
        )
    # Imported late: PyTorch takes seconds to load and the naive forecaster does not need it.
    from agmpk.forecasting.flow import FlowForecaster
    from agmpk.training.checkpoint import load_checkpoint

    return FlowForecaster(load_checkpoint(folder), name=text if shipped else "flow")
