"""Pictures per second of our augmentation and of other libraries, with the same policy, from uint8 rows to one float32
batch.

    python benchmarks/augmentation.py --sides 32 64 224 --threads 2

Every library starts from the same uint8 pictures in memory and returns a float32 tensor ``(batch, 3, side, side)`` in
0..1; each picture gets its own random numbers. The policy `affine` is rotation, translation, scaling, shear, brightness
and contrast; `full` adds a horizontal flip and Gaussian noise. kornia and albumentations are measured where they are
installed; the project does not depend on them.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from rarebird.data.spec import InputSpec
from rarebird.methods.augmentation._pipeline import Pipeline
from rarebird.slots import methods
from rarebird.slots.protocols import TrainStatistics

DEGREES, FRACTION, STRENGTH, SHEAR, COLOR, NOISE = 10.0, 0.1, 0.1, 5.0, 0.2, 0.03
STD = 0.25
Augment = Callable[[Tensor], Tensor]


def ours(policy: str) -> Augment:
    """The pipeline as the training loop calls it: on bytes, in batches, with all geometry in one resampling."""
    settings: list[dict[str, object]] = [
        {"name": "rotate", "degrees": DEGREES},
        {"name": "translate", "fraction": FRACTION},
        {"name": "scale", "strength": STRENGTH},
        {"name": "shear", "degrees": SHEAR},
        {"name": "brightness", "strength": COLOR},
        {"name": "contrast", "strength": COLOR},
    ]
    if policy == "full":
        settings = [{"name": "horizontal_flip"}, *settings, {"name": "noise", "strength": NOISE / STD}]
    spec = InputSpec(kind="image", task="classification", n_outputs=2, channels=3, mean=(0.5,) * 3, std=(STD,) * 3)
    pipeline = Pipeline([methods.build("augmentation", entry) for entry in settings], TrainStatistics(spec))
    generator = torch.Generator().manual_seed(0)

    def augment(pixels: Tensor) -> Tensor:
        weight = torch.ones(len(pixels))
        return pipeline({"pixels": pixels}, weight[:, None], weight, generator)[0]["pixels"]

    return augment


def torchvision(policy: str) -> Augment:
    """Row by row, as in a data loader, so that each picture gets its own random numbers."""
    steps: list[torch.nn.Module] = [
        v2.RandomAffine(
            DEGREES,
            (FRACTION, FRACTION),
            (1 / (1 + STRENGTH), 1 + STRENGTH),
            (-SHEAR, SHEAR),
            interpolation=v2.InterpolationMode.BILINEAR,
        ),
        v2.ColorJitter(brightness=COLOR, contrast=COLOR),
        v2.ToDtype(torch.float32, scale=True),
    ]
    if policy == "full":
        steps = [v2.RandomHorizontalFlip(), *steps, v2.GaussianNoise(sigma=NOISE)]
    transform = v2.Compose(steps)
    return lambda pixels: torch.stack([transform(row) for row in pixels])


def kornia(policy: str) -> Augment:
    """Batched, one module after the other."""
    import kornia.augmentation as K

    shear = (-SHEAR, SHEAR, -SHEAR, SHEAR)
    steps: list[torch.nn.Module] = [
        K.RandomAffine(
            DEGREES, (FRACTION, FRACTION), (1 / (1 + STRENGTH), 1 + STRENGTH), shear, padding_mode="border", p=1.0
        ),
        K.ColorJiggle(brightness=COLOR, contrast=COLOR, p=1.0),
    ]
    if policy == "full":
        steps = [K.RandomHorizontalFlip(), *steps, K.RandomGaussianNoise(std=NOISE, p=1.0)]
    transform = K.AugmentationSequential(*steps, data_keys=["input"])
    return lambda pixels: transform(pixels.float().div_(255))


def albumentations(policy: str) -> Augment:
    """Row by row with OpenCV on uint8 rows. Threads with a transform each share the rows: OpenCV releases Python's
    lock."""
    import albumentations as A
    import cv2

    cv2.setNumThreads(1)
    threads = torch.get_num_threads()
    scale, shear = (1 / (1 + STRENGTH), 1 + STRENGTH), (-SHEAR, SHEAR)
    steps = [
        A.Affine(
            scale=scale,
            translate_percent=(-FRACTION, FRACTION),
            rotate=(-DEGREES, DEGREES),
            shear={"x": shear, "y": shear},
            border_mode=cv2.BORDER_REPLICATE,
            p=1,
        ),
        A.RandomBrightnessContrast(COLOR, COLOR, p=1),
    ]
    if policy == "full":
        steps = [A.HorizontalFlip(), *steps, A.GaussNoise(std_range=(NOISE, NOISE), p=1)]
    transforms = [A.Compose(copy.deepcopy(steps)) for _ in range(threads)]
    pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def share(transform: A.Compose, rows: np.ndarray) -> list[np.ndarray]:
        return [transform(image=row)["image"] for row in rows]

    def augment(pixels: Tensor) -> Tensor:
        rows = np.array_split(pixels.permute(0, 2, 3, 1).contiguous().numpy(), threads)
        done = map(share, transforms, rows) if pool is None else pool.map(share, transforms, rows)
        batch = np.stack(list(chain.from_iterable(done)))
        return torch.from_numpy(batch).permute(0, 3, 1, 2).contiguous().float().div_(255)

    return augment


def best_rates(augments: dict[str, Augment], pixels: Tensor, seconds: float) -> dict[str, float]:
    """Pictures per second in the fastest run of each library, after a warm-up.

    The libraries take turns for `seconds`, so that other work on the machine slows all of them equally.
    """
    best = dict.fromkeys(augments, math.inf)
    for augment in augments.values():
        augment(pixels)
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for name, augment in augments.items():
            start = time.perf_counter()
            augment(pixels)
            best[name] = min(best[name], time.perf_counter() - start)
    return {name: len(pixels) / taken for name, taken in best.items()}


def libraries() -> Iterator[tuple[str, Callable[[str], Augment]]]:
    """Name and builder of every library that is installed."""
    yield "rarebird", ours
    yield "torchvision", torchvision
    for build in (kornia, albumentations):
        try:
            __import__(build.__name__)
        except ImportError:
            continue
        yield build.__name__, build


def main() -> None:
    """Prints a table of pictures per second."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 64, 224], help="sides of the pictures in pixels")
    parser.add_argument("--batch", type=int, default=256, help="pictures in a batch; a quarter of it above 128 pixels")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seconds", type=float, default=10.0, help="measuring time per row of the table")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{'policy':<8} {'side':>4} {'batch':>5}  {'library':<14} {'pictures/s':>10}")
    for policy in ("affine", "full"):
        for side in options.sides:
            batch = options.batch if side <= 128 else max(1, options.batch // 4)
            pixels = torch.randint(
                0, 256, (batch, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
            )
            augments = {name: build(policy) for name, build in libraries()}
            for name, rate in best_rates(augments, pixels, options.seconds).items():
                print(f"{policy:<8} {side:>4} {batch:>5}  {name:<14} {rate:>10.0f}", flush=True)


if __name__ == "__main__":
    main()
