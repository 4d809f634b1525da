"""Make new rows of any kind between and around those of a class, in the short code of a variational autoencoder.

Kingma and Welling, "Auto-Encoding Variational Bayes" (ICLR 2014), conditional on the class (Sohn, Lee and Yan, NeurIPS
2015), with a decoder whose variance is the best one for each batch (Rybkin, Daniilidis and Levine, ICML 2021). A new
row begins at the code of a training row of its class and is moved by the class's spread of codes, which for a class of
few rows is mostly that of all classes; then the decoder makes a row of it.

*Helps when* time is short and classes have few rows: it learns in a tenth of the time of the others, and serves a class
of two rows.
*Does not help when* sharp detail shows the class: pictures are blurred and series smooth, which the gate sees.
*Cost:* about three passes through two networks per row of a step; at 28 px and width 32 a pass has 60 million
multiplications.

Rows of tables are decoded from codes of the prior, each number with a spread of its own (TVAE: Xu et al., NeurIPS
2019).

NOTE[DIFF]: pictures and series are drawn around the codes of training rows, not from the prior: few rows leave most of
it empty.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field

from rarebird.methods.synthesis._generator import Generator, Part
from rarebird.methods.synthesis._precision import Precision
from rarebird.slots.ranges import Float, Int

KINDS = ("image", "table", "series")


class Vae(Generator):
    """Settings.

    Attributes:
        steps: Optimizer steps.
        batch_size: Rows of a step, all classes equally often.
        learning_rate: The largest; it rises at first, and falls to 0.
        width: Channels at full size; they double with each halving, up to four times.
        code: Numbers of a code.
        spread: How far a new code is from that of its training row, in deviations of the class's codes; far more than
            1 forgets the row.
        precision: Of passes through the networks; ``auto``: 16 bits where the machine has instructions for them.
    """

    steps: Annotated[int, Int(200, 10_000, log=True)] = Field(default=1_500, ge=1)
    batch_size: Annotated[int, Int(32, 256, log=True)] = Field(default=64, ge=2)
    learning_rate: Annotated[float, Float(3e-4, 4e-3, log=True)] = Field(default=2e-3, gt=0)
    width: Annotated[int, Int(16, 64, log=True)] = Field(default=32, ge=4, le=512)
    code: Annotated[int, Int(8, 64, log=True)] = Field(default=24, ge=2, le=512)
    spread: Annotated[float, Float(0.3, 2.0, log=True)] = Field(default=0.7, ge=0, le=10)
    precision: Precision = "auto"
    least_rows: ClassVar[int] = 2

    @classmethod
    def examples(cls) -> list[Self]:
        """A few steps of narrow networks; the default."""
        return [cls(steps=20, batch_size=8, width=8, code=4), cls()]

    def part(self, kind: str) -> Part:
        """Pictures and series share one."""
        if kind == "table":
            from rarebird.methods.synthesis import _vae_table

            return _vae_table
        from rarebird.methods.synthesis import _vae_grids

        return _vae_grids
