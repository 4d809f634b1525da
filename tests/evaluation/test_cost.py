"""The cost of a run in hours of processors, money and energy."""

from __future__ import annotations

from rarebird.core.clock import Clock
from rarebird.evaluation.cost import Cost


def test_hours_money_and_energy() -> None:
    given = Cost(processes=4, cpu_hours_of_others=0.5, price_per_hour=2.0, watts=500.0)
    found = given.after(seconds=1800, cpu_seconds=720, gpus=4)
    assert (found.cpu_hours, found.gpu_hours, found.money, found.kilowatt_hours) == (0.7, 2.0, 1.0, 0.25)
    assert found.after(seconds=3600, cpu_seconds=720, gpus=0).cpu_hours == 0.7
    assert found.sentence() == (
        "The run took 0.7 CPU-hours and 2 GPU-hours; it cost 1 at 2 an hour and used 0.25 kWh at 500 W."
    )


def test_without_price_and_power_neither_is_known() -> None:
    found = Cost().after(seconds=3600, cpu_seconds=360, gpus=0)
    assert (found.money, found.kilowatt_hours) == (None, None)
    assert found.sentence() == "The run took 0.1 CPU-hours."


def test_the_clock_counts_work_and_not_waiting() -> None:
    clock = Clock()
    before = clock.cpu_elapsed()
    while clock.cpu_elapsed() - before < 0.02:
        sum(range(1000))
    assert clock.cpu_elapsed() >= 0.02
