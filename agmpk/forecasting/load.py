"""Forecasters by name: ``naive``, the fitted ``nlme`` and ``nlme-population``, or any checkpoint
that ships in data/checkpoints/."""

from __future__ import annotations

from pathlib import Path

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecaster
from agmpk.models.registry import NETWORKS
from agmpk.paths import data_path

FITTED = ("nlme", "nlme-population")


def model_names() -> tuple[str, ...]:
    """``naive`` and the checkpoints, ours before the rivals; ``load_forecaster`` knows the names
    of ``FITTED`` too."""
    folder = data_path("checkpoints", must_exist=False)
    found = {p.parent.name for p in folder.glob("*/weights.safetensors")}
    first = [name for name in NETWORKS if name in found]
    return ("naive", *first, *sorted(found.difference(first)))


def load_forecaster(name: str | Path, called: str | None = None) -> Forecaster:
    """A forecaster by name, or from the folder of a checkpoint.

    ``called`` is the name it goes by in tables; by default that of a shipped model, or the kind of
    the model in a folder.

    Raises:
        AgmpkError: no such model, or a checkpoint that is damaged or of another version.
    """
    # Imported late: PyTorch takes seconds to load, and so do the engines of the fits.
    text = str(name)
    if text == "naive":
        from agmpk.forecasting.naive import NaiveForecaster

        return NaiveForecaster()
    if text in FITTED:
        from agmpk.forecasting.mixed_effects import NlmeForecaster, NlmePopulationForecaster

        return NlmeForecaster() if text == "nlme" else NlmePopulationForecaster()
    shipped = text in model_names()
    folder = data_path("checkpoints", text) if shipped else Path(text)
    if not folder.is_dir():
        raise AgmpkError(
            f"There is no model {text!r}: use one of {', '.join([*model_names(), *FITTED])}, "
            "or the folder of a checkpoint."
        )
    from agmpk.forecasting.amortized import AmortizedForecaster
    from agmpk.models.registry import load_checkpoint

    return AmortizedForecaster(load_checkpoint(folder), called or (text if shipped else None))
