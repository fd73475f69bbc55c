"""The context encoder: the study's other individuals as an unordered set of curves.

No token carries an index of its individual, only "same individual or not" enters the attention
bias, so the encoding is equivariant under any reordering of the individuals, and padding is
invisible.
"""

from __future__ import annotations

from torch import Tensor, nn

from agmpk.models.attention import context_bias
from agmpk.models.blocks import SelfBlock
from agmpk.models.features import CONTEXT_CHANNELS, ContextTokens


class ContextEncoder(nn.Module):
    """[B, L, CONTEXT_CHANNELS] -> [B, L, D]; ``continuum`` weighs keys by the time they cover."""

    def __init__(self, width: int, layers: int, continuum: bool = False) -> None:
        super().__init__()
        self.continuum = continuum
        self.embed = nn.Linear(CONTEXT_CHANNELS, width)
        self.layers = nn.ModuleList(SelfBlock(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: ContextTokens) -> Tensor:
        bias = context_bias(tokens.owner, tokens.u, tokens.weight if self.continuum else None)
        x = self.embed(tokens.features)
        for layer in self.layers:
            x = layer(x, bias)
        return self.norm(x)
