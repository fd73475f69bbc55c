"""The networks by kind; a kind's module is imported when it is asked for.

Every network is an ``nn.Module`` made from a frozen configuration dataclass, with

    kind, generates          its name here; whether it answers without any observation
    loss(task, generator)    scalar, the mean over the curves it scores
    sample(task, samples, generator, **options)   ln(y / dose) [S, B, R, T]

and no randomness but the generator's.
"""

from __future__ import annotations

import importlib
from typing import Any

from torch import nn

from agmpk.errors import AgmpkError

MODELS = {
    "flow": ("FlowConfig", "FlowModel"),
    "diffusion": ("DiffusionConfig", "DiffusionModel"),
    "aicmet": ("AicmetConfig", "AicmetModel"),
    "transformer": ("TransformerConfig", "TransformerModel"),
    "node": ("NodeConfig", "NodeModel"),
}


def model_classes(kind: str) -> tuple[type, type[nn.Module]]:
    """The configuration and the network of a kind.

    Raises:
        AgmpkError: there is no such kind.
    """
    if kind not in MODELS:
        raise AgmpkError(f"There is no model of kind {kind!r}: use one of {', '.join(MODELS)}.")
    module = importlib.import_module(f"agmpk.models.{kind}")
    config, model = (getattr(module, name) for name in MODELS[kind])
    return config, model


def model_config(kind: str, values: dict[str, Any]) -> Any:
    """The configuration of a kind from plain values; missing ones keep their defaults.

    Raises:
        AgmpkError: an unknown kind or setting.
    """
    config, _ = model_classes(kind)
    try:
        return config(**values)
    except TypeError as error:
        raise AgmpkError(f"The settings of a {kind} cannot be read: {error}.") from None


def build_model(kind: str, config: Any) -> nn.Module:
    """The untrained network of a kind and its configuration."""
    return model_classes(kind)[1](config)
