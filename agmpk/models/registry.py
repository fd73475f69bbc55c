"""One table of models: all that the rest of the project knows of each.

A new rival is one module in this folder, one row here and one recipe.  Its network is an
``nn.Module`` made from a frozen configuration dataclass, with

    kind, generates          its name here; whether it answers without any observation
    loss(task, generator)    scalar, the mean over the curves it scores
    condition(task)          what the next two share, given to both as ``known``
    sample(task, samples, generator, known=None, **options)   ln y [S, B, R, T]
    mean(task, known=None)   mean of ln y [B, R, T], the same whatever else is asked

and no randomness but the generator's.  Networks are imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from agmpk.config import read_config
from agmpk.errors import AgmpkError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Row:
    """One model.

    colour: of its lines in every figure.  sentence: what it is, for cards and help.  sees_study:
    whether it reads the study's other individuals.  recipe: its training recipe, None where nothing
    is trained.  classes: imports and returns its configuration and its network, likewise.
    """

    colour: str
    sentence: str
    sees_study: bool
    family: bool
    recipe: str | None
    classes: Callable[[], tuple[type, type[nn.Module]]] | None

    def __post_init__(self) -> None:
        for f in fields(self)[:2]:
            if not getattr(self, f.name):
                raise AgmpkError(f"A model of the table lacks its {f.name}.")
        if (self.recipe is None) != (self.classes is None):
            raise AgmpkError("A model of the table has a recipe and classes, or neither.")


def _flow():
    from agmpk.models.transport_model import FlowConfig, FlowModel

    return FlowConfig, FlowModel


def _diffusion():
    from agmpk.models.transport_model import DiffusionConfig, DiffusionModel

    return DiffusionConfig, DiffusionModel


def _aicmet():
    from agmpk.models.aicmet import AicmetConfig, AicmetModel

    return AicmetConfig, AicmetModel


def _set():
    from agmpk.models.set_transformer import SetConfig, SetModel

    return SetConfig, SetModel


def _transformer():
    from agmpk.models.transformer import TransformerConfig, TransformerModel

    return TransformerConfig, TransformerModel


def _node():
    from agmpk.models.node import NodeConfig, NodeModel

    return NodeConfig, NodeModel


# In the order of tables and figures.
MODELS: dict[str, Row] = {
    "flow": Row(
        "#0173b2",
        "conditional flow matching from a Gaussian-process reference (Lipman et al. 2023)",
        sees_study=True,
        family=True,
        recipe="flow",
        classes=_flow,
    ),
    "diffusion": Row(
        "#d55e00",
        "conditional score-based diffusion, variance-preserving (Song et al. 2021)",
        sees_study=True,
        family=True,
        recipe="diffusion",
        classes=_diffusion,
    ),
    "aicmet": Row(
        "#029e73",
        "latent study and individual effects, neural process (Ojeda Marin et al. 2025)",
        sees_study=True,
        family=True,
        recipe="aicmet",
        classes=_aicmet,
    ),
    "set": Row(
        "#3d9ad1",
        "set transformer with a Gaussian head: the flow without its transport (a rival)",
        sees_study=True,
        family=False,
        recipe="set",
        classes=_set,
    ),
    "transformer": Row(
        "#cc78bc",
        "transformer of the individual alone, no study level (a rival)",
        sees_study=False,
        family=False,
        recipe="transformer",
        classes=_transformer,
    ),
    "node": Row(
        "#b77b45",
        "recurrent encoder and latent ODE, no study level (Lu et al. 2021; a rival)",
        sees_study=False,
        family=False,
        recipe="node",
        classes=_node,
    ),
    "naive": Row(
        "#7f7f7f",
        "the context's mean log-curve moved onto the last shown sample; nothing is fitted",
        sees_study=True,
        family=False,
        recipe=None,
        classes=None,
    ),
    "nlme": Row(
        "#a8790c",
        "mixed-effects model fitted to the study, individual posterior (a rival)",
        sees_study=True,
        family=False,
        recipe=None,
        classes=None,
    ),
}
NETWORKS = tuple(kind for kind, row in MODELS.items() if row.classes)
FAMILY = tuple(kind for kind, row in MODELS.items() if row.family)


def model_classes(kind: str) -> tuple[type, type[nn.Module]]:
    """The configuration and the network of a kind.

    Raises:
        AgmpkError: there is no such network.
    """
    if kind not in NETWORKS:
        raise AgmpkError(f"There is no model of kind {kind!r}: use one of {', '.join(NETWORKS)}.")
    return MODELS[kind].classes()


def model_config(kind: str, values: dict[str, Any]) -> Any:
    """The configuration of a kind from plain values; missing ones keep their defaults.

    Raises:
        AgmpkError: an unknown kind or setting, or a value of another type.
    """
    config, _ = model_classes(kind)
    try:
        return read_config(config, values, kind)
    except AgmpkError as error:
        raise AgmpkError(f"The settings of a {kind} cannot be read: {error}") from None


def build_model(kind: str, config: Any) -> nn.Module:
    """The untrained network of a kind and its configuration."""
    return model_classes(kind)[1](config)
