"""What a run took: hours of processors and, at a given price and power of the machine, money and energy."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

# Seconds of an hour, and watt-hours of a kilowatt-hour.
HOUR, KILO = 3600.0, 1000.0


class Cost(BaseModel):
    """The cost of a run until its report was written.

    Attributes:
        processes: Those that trained one recipe together.
        cpu_hours: CPU time of all processes, in hours of one core; without workers on a cluster.
        cpu_hours_of_others: The part of it of the processes that trained together with the first one.
        gpu_hours: Hours from the start to the end times the GPUs that the processes had.
        price_per_hour, watts: As given; None where they were not.
        money: In the currency of the price: hours from the start to the end times the price.
        kilowatt_hours: The same times the power.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    processes: int = 1
    cpu_hours: float = 0.0
    cpu_hours_of_others: float = 0.0
    gpu_hours: float = 0.0
    price_per_hour: float | None = None
    watts: float | None = None
    money: float | None = None
    kilowatt_hours: float | None = None

    def after(self, seconds: float, cpu_seconds: float, gpus: int) -> Cost:
        """The cost when a run has taken some time.

        Args:
            seconds: From the start.
            cpu_seconds: CPU time of this process and of those that it has waited for.
            gpus: How many GPUs all processes have.
        """
        hours = seconds / HOUR
        return self.model_copy(
            update={
                "cpu_hours": round(cpu_seconds / HOUR + self.cpu_hours_of_others, 6),
                "gpu_hours": round(hours * gpus, 6),
                "money": None if self.price_per_hour is None else round(hours * self.price_per_hour, 6),
                "kilowatt_hours": None if self.watts is None else round(hours * self.watts / KILO, 6),
            }
        )

    def sentence(self) -> str:
        """One sentence for people."""
        hours = f"{self.cpu_hours:.3g} CPU-hours" + (f" and {self.gpu_hours:.3g} GPU-hours" if self.gpu_hours else "")
        spent = [] if self.money is None else [f"cost {self.money:.3g} at {self.price_per_hour:g} an hour"]
        if self.kilowatt_hours is not None:
            spent.append(f"used {self.kilowatt_hours:.3g} kWh at {self.watts:g} W")
        return f"The run took {hours}" + (f"; it {' and '.join(spent)}." if spent else ".")
