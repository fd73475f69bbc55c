"""One table of models, all that the rest of the project knows of each, and reading a checkpoint.

A new rival is one module in this folder, one row here and one recipe, named after the kind.  Its
network (``agmpk.models.heads.Network``) is made from a frozen configuration dataclass.  Networks
are imported when they are asked for; a row that lacks something is refused when it is read, a
network or a configuration when a recipe or a checkpoint asks for it, before any training.

A checkpoint is weights (safetensors), configuration and digests, never pickle; it is written by
``agmpk.training.checkpoint``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from agmpk.config import read_config
from agmpk.errors import AgmpkError
from agmpk.files import sha256

if TYPE_CHECKING:
    from torch import nn

FORMAT = 3  # of checkpoints
WEIGHTS, DESCRIPTION, DIGESTS = "weights.safetensors", "checkpoint.json", "SHA256SUMS"


@dataclass(frozen=True)
class Row:
    """One model.

    colour: of its lines in every figure, as #rrggbb.  sentence: what it is, for cards and help.
    sees_study: whether it reads the study's other individuals; one that does not forecasts nobody
    without a sample.  family: whether it is one of the abstract's, not a rival.  module: imports
    and returns where its configuration and its network are, which are called after it (the kind
    ``my_net``: ``MyNetConfig`` and ``MyNetModel``); None where nothing is trained.

    Raises:
        AgmpkError: there is no such colour, or no sentence.
    """

    colour: str = ""
    sentence: str = ""
    sees_study: bool = True
    family: bool = False
    module: Callable[[], ModuleType] | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch("#[0-9a-fA-F]{6}", self.colour):
            raise AgmpkError(
                f"A row of the table of models ({self.sentence or 'without a sentence'}) has the "
                f"colour {self.colour!r}: write one as #rrggbb."
            )
        if not self.sentence.strip():
            raise AgmpkError(
                f"The row of the table of models with the colour {self.colour} has no sentence: "
                "say what the model is."
            )


def _transport() -> ModuleType:
    from agmpk.models import transport

    return transport


def _aicmet() -> ModuleType:
    from agmpk.models import aicmet

    return aicmet


def _transformer() -> ModuleType:
    from agmpk.models import transformer

    return transformer


def _node() -> ModuleType:
    from agmpk.models import node

    return node


# In the order of tables and figures.
MODELS: dict[str, Row] = {
    "flow": Row(
        "#0173b2",
        "conditional flow matching from a Gaussian-process reference (Lipman et al. 2023)",
        family=True,
        module=_transport,
    ),
    "diffusion": Row(
        "#d55e00",
        "conditional score-based diffusion, variance-preserving (Song et al. 2021)",
        family=True,
        module=_transport,
    ),
    "aicmet": Row(
        "#029e73",
        "latent study and individual effects, neural process (Ojeda Marin et al. 2025)",
        family=True,
        module=_aicmet,
    ),
    "set": Row(
        "#3d9ad1",
        "set transformer with a Gaussian head: the flow without its transport (a rival)",
        module=_transformer,
    ),
    "transformer": Row(
        "#cc78bc",
        "transformer of the individual alone, no study level (a rival)",
        sees_study=False,
        module=_transformer,
    ),
    "node": Row(
        "#b77b45",
        "recurrent encoder and latent ODE, no study level (Lu et al. 2021; a rival)",
        sees_study=False,
        module=_node,
    ),
    "naive": Row(
        "#7f7f7f",
        "the context's mean log-curve moved onto the last shown sample; nothing is fitted",
    ),
    "nlme": Row(
        "#a8790c",
        "mixed-effects model fitted to the study, individual posterior (a rival)",
    ),
}
NETWORKS = tuple(kind for kind, row in MODELS.items() if row.module)
FAMILY = tuple(kind for kind, row in MODELS.items() if row.family)


def model_classes(kind: str) -> tuple[type, type[nn.Module]]:
    """The configuration and the network of a kind.

    Raises:
        AgmpkError: there is no such network, or its module lacks a part of it.
    """
    from agmpk.models.heads import Network

    if kind not in NETWORKS:
        why = " (its row names no module)" if kind in MODELS else ""
        raise AgmpkError(
            f"There is no model of kind {kind!r}{why}: use one of {', '.join(NETWORKS)}."
        )
    module, name = MODELS[kind].module(), kind.title().replace("_", "")
    config, network = (getattr(module, name + part, None) for part in ("Config", "Model"))
    if not (isinstance(config, type) and is_dataclass(config)):
        raise AgmpkError(f"The module of {kind!r} lacks its configuration, dataclass {name}Config.")
    if not (isinstance(network, type) and issubclass(network, Network)):
        raise AgmpkError(f"The module of {kind!r} lacks its network, {name}Model(Network).")
    if lacking := sorted(network.__abstractmethods__):
        raise AgmpkError(f"{name}Model lacks {', '.join(lacking)}: see agmpk.models.heads.Network.")
    if lacking := sorted({*network.needs}.difference(field.name for field in fields(config))):
        raise AgmpkError(f"{name}Config lacks {', '.join(lacking)}, which {name}Model reads.")
    return config, network


def model_config(kind: str, values: Mapping[str, Any]) -> Any:
    """The configuration of a kind from plain values; missing ones keep their defaults.

    Raises:
        AgmpkError: an unknown kind or setting, or a value of another type.
    """
    return read_config(model_classes(kind)[0], values, f"The configuration of a {kind}")


def build_model(kind: str, config: Any) -> nn.Module:
    """The untrained network of a kind and its configuration.

    Raises:
        AgmpkError: there is no such network, or its module lacks a part of it.
    """
    model = model_classes(kind)[1](config)
    model.kind = kind
    model.generates &= MODELS[kind].sees_study
    return model


def describe(folder: Path) -> dict[str, Any]:
    """Verify the files of a checkpoint and return its description.

    Raises:
        AgmpkError: a file is missing or differs from its digest, or the checkpoint is of another
            format.
    """
    folder = Path(folder)
    for name in (WEIGHTS, DESCRIPTION, DIGESTS):
        if not (folder / name).is_file():
            remedy = "restore it"
            if (folder / "state.json").is_file():  # the folder of a run, see agmpk.training.folder
                remedy = f"first say agmpk train --run {folder} --export --checkpoint FOLDER"
            raise AgmpkError(f"The checkpoint {folder} lacks {name}: {remedy}.")
    for name, digest in _digests(folder / DIGESTS).items():
        if sha256(folder / name) != digest:
            raise AgmpkError(
                f"{folder / name} is damaged: its SHA-256 differs from {DIGESTS}; restore it."
            )
    try:
        description = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        found = description.get("format")
    except (ValueError, AttributeError):
        raise AgmpkError(f"{folder / DESCRIPTION} is no description: restore it.") from None
    if found != FORMAT:
        raise AgmpkError(
            f"The checkpoint {folder} has format {found} and this version of agmpk reads format "
            f"{FORMAT}: use the agmpk it was made with ({description.get('agmpk')})."
        )
    if description.get("model") not in NETWORKS or not isinstance(description.get("size"), dict):
        raise AgmpkError(f"{folder / DESCRIPTION} does not say which model it is: restore it.")
    return description


def load_checkpoint(folder: Path, kind: str | None = None) -> nn.Module:
    """Load and verify a checkpoint; ``kind`` is the model that is wanted (None: whichever).

    Raises:
        AgmpkError: a file is missing or differs from its digest, or the checkpoint is of another
            format or of another model, or its weights are not numbers.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    description = describe(folder)
    found = description["model"]
    if kind is not None and found != kind:
        raise AgmpkError(f"The checkpoint {folder} holds a {found!r} model, not a {kind!r} model.")
    model = build_model(found, model_config(found, description["size"]))
    try:
        weights = {k: v.float() for k, v in load_file(folder / WEIGHTS).items()}
        model.load_state_dict(weights)
    except (RuntimeError, SafetensorError) as error:
        raise AgmpkError(
            f"{folder / WEIGHTS} does not fit its configuration: restore it."
        ) from error
    if not all(bool(torch.isfinite(v).all()) for v in weights.values()):
        raise AgmpkError(f"{folder / WEIGHTS} holds weights that are no numbers: restore it.")
    return model.eval()


def _digests(file: Path) -> dict[str, str]:
    """The digest of each file; exactly the weights and the description must have one.

    Raises:
        AgmpkError: they have not.
    """
    try:
        pairs = [line.split() for line in file.read_text("utf-8").splitlines() if line.strip()]
        digests = {name: digest for digest, name in pairs}
    except (ValueError, UnicodeDecodeError):
        digests = {}
    if set(digests) != {WEIGHTS, DESCRIPTION}:
        raise AgmpkError(f"{file} does not hold the digests of {WEIGHTS} and {DESCRIPTION}.")
    return digests
