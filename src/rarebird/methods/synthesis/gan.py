"""Make new rows of any kind by a generator that learns to deceive a critic.

Goodfellow et al., "Generative Adversarial Nets" (NeurIPS 2014), as residual networks with spectral normalization, a
projected class and the hinge loss (Miyato and Koyama, "cGANs with Projection Discriminator", ICLR 2018). The critic
sees real and made rows through the same random augmentations, methods of this package through which gradients flow, so
that it cannot learn a few rows by heart (Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training",
NeurIPS 2020). The generator that is kept is a running mean. One generator serves all classes, and learns from batches
in which each is equally often, so that a rare class borrows from the others.

*Helps when* a class has dozens of pictures or series and the others hundreds more of the same sort; a new row costs one
pass, so that thousands are quick.
*Does not help when* there are fewer rows in all than about 200, or time is short: it then makes few kinds of rows again
and again, which the gate sees. `diffusion` is steadier in the same time.
*Cost:* about five passes through each of two networks per row of a step; at 28 px and width 32 a pass has 50 million
multiplications.

For tables: perceptrons, the Wasserstein loss with a penalty on the critic's gradient (Gulrajani et al., NeurIPS 2017),
and soft categories, after Xu et al., "Modeling Tabular data using Conditional GAN" (NeurIPS 2019).

NOTE[DIFF]: groups of channels of each row are normalized, not batches, so that no new row depends on others.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field

from rarebird.methods.synthesis._generator import Generator, Part
from rarebird.methods.synthesis._precision import Precision
from rarebird.slots.ranges import Float, Int

KINDS = ("image", "table", "series")


class Gan(Generator):
    """Settings.

    Attributes:
        steps: Steps of the generator; the critic takes as many.
        batch_size: Rows of a step, all classes equally often.
        learning_rate: The generator's largest; the critic's is twice as high.
        width: Channels at full size; they double with each halving, up to four times.
        code: Random numbers of which a row is made.
        precision: Of passes through the networks; ``auto``: 16 bits where the machine has instructions for them.
    """

    steps: Annotated[int, Int(500, 20_000, log=True)] = Field(default=4_000, ge=1)
    batch_size: Annotated[int, Int(16, 128, log=True)] = Field(default=32, ge=2)
    learning_rate: Annotated[float, Float(1e-4, 1e-3, log=True)] = Field(default=4e-4, gt=0)
    width: Annotated[int, Int(16, 64, log=True)] = Field(default=32, ge=4, le=512)
    code: Annotated[int, Int(16, 128, log=True)] = Field(default=64, ge=2, le=1024)
    precision: Precision = "auto"
    least_rows: ClassVar[int] = 5

    @classmethod
    def examples(cls) -> list[Self]:
        """A few steps of narrow networks; the default."""
        return [cls(steps=10, batch_size=8, width=8, code=8), cls()]

    def part(self, kind: str) -> Part:
        """Pictures and series share one."""
        if kind == "table":
            from rarebird.methods.synthesis import _gan_table

            return _gan_table
        from rarebird.methods.synthesis import _gan_grids

        return _gan_grids
