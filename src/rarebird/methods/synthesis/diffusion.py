"""Make new rows of any kind by removing noise step by step, from a network that knows the class.

Karras, Aittala, Aila and Laine, "Elucidating the Design Space of Diffusion-Based Generative Models" (NeurIPS 2022): a
small U-Net learns to remove noise of all strengths from the training rows; a new row begins as noise, and in
`sampling_steps` steps becomes a row of its class. One network serves all classes, and learns from batches in which each
is equally often, so that a rare class borrows from the others. `guidance` sharpens the class (Ho and Salimans,
"Classifier-free Diffusion Guidance", 2022), at medium noise levels alone (Kynkäänniemi et al., NeurIPS 2024).

Few rows are soon known by heart. Therefore high noise levels, at which a row's outline is decided, see one noisy copy
of each training row and never the row itself (Daras et al., "Consistent Diffusion Meets Tweedie", ICML 2024).

*Helps when* a class has dozens of pictures or series, the others hundreds more of the same sort, and there are minutes
to train; of these generators it makes the sharpest rows.
*Does not help when* there are fewer rows in all than about 200, time is short (`vae` needs a tenth), or rows are larger
than 64 px: these are made at 64 px and enlarged.
*Cost:* about ``3 * batch_size`` passes through the network per step and `sampling_steps` to twice as many per new row;
at 28 px and width 48 a pass has 100 million multiplications.

For tables: a rectified flow of a perceptron with the time, after Kotelnikov et al., "TabDDPM" (ICML 2023); of the
settings, `noisy_copies` and `guidance` are for pictures and series.

NOTE[DIFF]: sampling is by DPM-Solver++(2M) (Lu et al., 2022), which needs half of the paper's passes; noise levels are
in units of the data's standard deviation.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field

from rarebird.methods.synthesis._generator import Generator, Part
from rarebird.methods.synthesis._precision import Precision
from rarebird.slots.ranges import Float, Int

KINDS = ("image", "table", "series")


class Diffusion(Generator):
    """Settings.

    Attributes:
        steps: Optimizer steps.
        batch_size: Rows of a step, all classes equally often.
        learning_rate: The largest; it rises at first, and falls to 0.
        width: Channels at twice the sides of the smallest grid.
        dropout: Rate within the network.
        noisy_copies: The noise level, in standard deviations of the data, above which a training row is seen as one
            noisy copy alone; 0: rows are always seen as they are.
        guidance: How far samples are pushed towards their class; 1: not at all.
        sampling_steps: Noise levels of a new row.
        precision: Of passes through the network; ``auto``: 16 bits where the machine has instructions for them.
    """

    steps: Annotated[int, Int(500, 20_000, log=True)] = Field(default=4_000, ge=1)
    batch_size: Annotated[int, Int(32, 256, log=True)] = Field(default=64, ge=2)
    learning_rate: Annotated[float, Float(3e-4, 4e-3, log=True)] = Field(default=1.5e-3, gt=0)
    width: Annotated[int, Int(32, 96, log=True)] = Field(default=48, ge=8, le=512)
    dropout: Annotated[float, Float(0, 0.3)] = Field(default=0.1, ge=0, lt=1)
    noisy_copies: float = Field(default=1.0, ge=0, le=80)
    guidance: Annotated[float, Float(1, 3)] = Field(default=1.5, ge=1, le=10)
    sampling_steps: int = Field(default=20, ge=2, le=1_000)
    precision: Precision = "auto"
    least_rows: ClassVar[int] = 5

    @classmethod
    def examples(cls) -> list[Self]:
        """A few steps of a narrow network; the default."""
        return [cls(steps=10, batch_size=8, width=8, sampling_steps=3), cls()]

    def part(self, kind: str) -> Part:
        """Pictures and series share one."""
        if kind == "table":
            from rarebird.methods.synthesis import _diffusion_table

            return _diffusion_table
        from rarebird.methods.synthesis import _diffusion_grids

        return _diffusion_grids
