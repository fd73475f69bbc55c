"""What a training run is: every setting, frozen, and equal to its YAML form."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml

from agmpk.config import Range, load_yaml, read_config, shipped, to_plain
from agmpk.errors import AgmpkError
from agmpk.models.heads import Count, Factor
from agmpk.models.registry import model_config
from agmpk.prior.simulate import BLOCK

STREAM = (
    "prior", "seed", "steps", "block", "blocks", "views", "parts", "targets", "thinned",
    "ended_early", "max_prefix",
)  # fmt: skip


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a run; one step sees ``blocks`` blocks of the prior's stream.

    kind: which network (``agmpk.models.registry``).  model: its configuration, or the plain values
    of it.  prior: preset name or YAML file.  block: studies of a block.  views: how often each is
    asked about, every time with other individuals as targets and other prefixes.  targets: target
    individuals per study.  max_prefix: longest prefix trained.  optimizer: see
    ``agmpk.training.optimizer``.  rate: peak learning rate (``matrix_rate`` for the matrices that
    Muon trains), reached after ``warmup`` steps, held on a plateau, and taken to zero linearly over
    the last ``cooldown`` share of the run.  The plateau does not know when it ends: a run that was
    cooled down can go on from there with more steps.
    ema: decay of the averaged weights that are shipped.  parts: of a step's studies, sorted by size
    to waste no padding; several processes share them out.  precision: of the matrix products, fp32,
    tf32 (GPU), or bf16.  snapshots: numbers of steps at which the averaged weights are kept.
    thinned: most context individuals that are kept in three blocks of four (0: all in every block);
    what a large study costs grows with its people, what it teaches hardly.
    ended_early: share of the studies in which the others are sampled for a shorter time than the
    targets are asked about.
    start: folder of a run or of a checkpoint, or the name of a shipped one, whose averaged weights
    it begins with wherever names and shapes agree (the conditioning network is the same in
    several).  frozen: parts of the model, by the first word of their parameters' names, that stay
    as they began.

    Raises:
        AgmpkError: there is no such model, or settings do not go together.
    """

    kind: str = "flow"
    prior: str = "clinic"
    model: Any = None
    steps: Count = 6000
    block: Count = BLOCK
    blocks: Count = 1
    views: Count = 1
    targets: Count = 4
    max_prefix: Count = 8
    optimizer: Literal["muon", "adamw"] = "muon"
    rate: Factor = 1e-3
    matrix_rate: Factor = 4e-3
    warmup: Annotated[int, Range(0)] = 200
    cooldown: float = 0.4
    weight_decay: Factor = 0.01
    clip: Factor = 0.5
    ema: Annotated[float, Range(0.0, 1.0)] = 0.998
    parts: Count = 4
    precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    seed: int = 0
    validate_every: Count = 500
    validation_studies: Count = 64
    save_every: Count = 100
    snapshots: tuple[int, ...] = ()
    thinned: Annotated[int, Range(0)] = 0
    ended_early: Annotated[float, Range(0.0, 1.0)] = 0.0
    start: str = ""
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.cooldown <= 1:
            raise AgmpkError(f"The cooldown is a share between 0 and 1, not {self.cooldown}.")
        if self.frozen and not self.start:
            raise AgmpkError(
                "What is frozen stays as it began: name in start what it begins with, or freeze "
                "nothing."
            )
        if not is_dataclass(self.model):
            object.__setattr__(self, "model", model_config(self.kind, self.model or {}))

    @property
    def studies(self) -> int:
        """Simulated studies of a step."""
        return self.block * self.blocks

    @property
    def stream(self) -> tuple:
        """What decides which tasks a step sees: runs that agree in it can share them."""
        return tuple(getattr(self, name) for name in STREAM)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values."""
        return to_plain(self)

    def to_yaml(self) -> str:
        """The configuration as text, which ``from_dict`` reads back."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)

    def with_changes(self, **changes: Any) -> TrainingConfig:
        """A copy with other values; those that are None are left as they are."""
        changes = {k: to_plain(v) for k, v in changes.items() if v is not None}
        return TrainingConfig.from_dict(self.to_dict() | changes)

    @classmethod
    def from_dict(cls, values: Any, where: str = "The training configuration") -> TrainingConfig:
        """Build from plain values; missing ones keep their defaults, unknown ones are refused."""
        return read_config(cls, values, where)


def recipes() -> tuple[str, ...]:
    """Names of the recipes that ship with the package."""
    return tuple(shipped("agmpk.training", "recipes"))


def load_training_config(name_or_path: str | Path) -> TrainingConfig:
    """A recipe by name, or the settings of a YAML file.

    Raises:
        AgmpkError: there is no such recipe or file, or it holds an unknown setting.
    """
    text = str(name_or_path)
    source = shipped("agmpk.training", "recipes").get(text, Path(text))
    if not source.is_file():
        raise AgmpkError(
            f"There is no training recipe {text!r}: use one of "
            f"{', '.join(recipes())}, or a YAML file."
        )
    return TrainingConfig.from_dict(load_yaml(source) or {}, text)


def rate_factor(config: TrainingConfig, step: int, cool_from: int, end: int) -> float:
    """Warm-up, plateau, then linearly to zero from step ``cool_from`` to ``end``, relative to the
    peak; ``step`` counts from 0."""
    up = min(1.0, (step + 1) / max(1, config.warmup))
    down = 1.0 if step < cool_from else max(0.0, (end - step) / max(1.0, end - cool_from))
    return up * down
