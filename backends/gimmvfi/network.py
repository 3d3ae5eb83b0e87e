"""GIMM-VFI put together, under the published keys: estimator, implicit motion, synthesis."""

from __future__ import annotations

from torch import Tensor, nn

from .flowformer import FlowFormer
from .motion import GIMM
from .raft import RAFT, Context
from .synthesis import Frame, Synthesis


class Network(nn.Module):
    """All weights of one model."""

    def __init__(self, estimator: type[RAFT | FlowFormer]) -> None:
        super().__init__()
        self.flow_estimator = estimator()
        self.gimm = GIMM()
        self.synthesis = Synthesis()
        # FlowFormer's features have the decoders' channels already.
        projected = estimator is RAFT
        self.amt_last_cproj = nn.Conv2d(128, 256, 1) if projected else nn.Identity()
        self.amt_second_last_cproj = nn.Conv2d(96, 128, 1) if projected else nn.Identity()
        self.amt_fproj = nn.Conv2d(256, 256, 1) if projected else nn.Identity()

    def frame(self, image: Tensor, context: Context) -> Frame:
        """What synthesis needs of a frame (N, 3, h, w) in [0, 1]: both decoders enlarge its features, whatever t is."""
        eighth, quarter = (each.to(image.dtype) for each in (context.eighth, context.quarter))
        first = self.synthesis.amt_init_decoder.upsample(self.amt_last_cproj(eighth))
        last = self.synthesis.amt_final_decoder.upsample(self.amt_second_last_cproj(quarter))
        return Frame(2 * image - 1, first, last)
