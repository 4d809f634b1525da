"""The processes that train one network together: who this process is, and the others, which the first one starts.

``torchrun`` starts them all, on one machine or several. Without it, the process of the command is the first one, and
starts the others on its own machine; they end with it.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from rarebird.core.checks import DataError
from rarebird.core.temporary_folder import temporary_folder
from rarebird.executors.spawned import THREADS, environment, ignore_signals, signals_held

# Seconds for which a process that seems to have ended is waited for, to learn why.
SECONDS_TO_END = 5.0
# Shared memory for the messages of each rank, of which there are two in turn; longer ones go in pieces.
BYTES_OF_A_RANK = 2**21
# Exit codes of a rank: its work failed; another rank had ended before.
FAILED, LEFT_ALONE = 1, 3


class RankLostError(RuntimeError):
    """Another rank ended while this one waited for it."""


def nothing() -> None:
    """Nobody is looked after."""


@dataclass(frozen=True)
class Rank:
    """A process among those that train together.

    Attributes:
        number: From 0; the first one alone writes and prints.
        ranks: How many there are.
        local: Its number among those of its machine: that of its GPU.
        on_machine: How many of them its machine has.
        file: The path by which the ranks of one machine find each other; None: by the variables of ``torchrun``.
        memory: Bytes that all ranks share; None under ``torchrun``.
        signals: ``signals[i][j]`` is the semaphore by which rank i tells rank j that it has come.
        check: Raises a `RankLostError` if another process has ended; the first rank's alone, with which all others end.
    """

    number: int
    ranks: int
    local: int
    on_machine: int
    file: str | None = None
    memory: Any = None
    signals: Sequence[Sequence[Any]] = ()
    check: Callable[[], None] = nothing

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.number == 0


def of_torchrun(variables: Mapping[str, str] = os.environ) -> Rank | None:
    """The rank that ``torchrun`` gave this process; None if it did not start it.

    Raises:
        DataError: The variables do not belong together.
    """
    if "TORCHELASTIC_RUN_ID" not in variables:
        return None
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    try:
        number, ranks, local, on_machine = (int(variables[name]) for name in names)
    except (KeyError, ValueError):
        raise DataError(f"torchrun sets {', '.join(names)} to whole numbers, but they are not.") from None
    return Rank(number, ranks, local, on_machine)


# Called with a process's rank and the arguments that all share.
Work = Callable[..., None]


class OtherRanks:
    """The processes beside the first one, as `others` starts them."""

    def __init__(self, processes: Sequence[tuple[SpawnProcess, Connection]]) -> None:
        self._processes = processes

    def why_ended(self) -> str | None:
        """What ended the first of them that did not end well, as part of a sentence; None if none did."""
        for process, _ in self._processes:
            process.join(SECONDS_TO_END / len(self._processes))
        for number, (process, connection) in enumerate(self._processes, start=1):
            if process.exitcode not in (None, 0, LEFT_ALONE):
                said = None
                with suppress(EOFError, OSError):
                    said = connection.recv() if connection.poll() else None
                code = process.exitcode
                how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
                return f"process {number} of {len(self._processes) + 1} ended ({said or how})"
        return None

    def check(self) -> None:
        """Nothing while all of them run.

        Raises:
            RankLostError: One has ended.
        """
        if any(process.exitcode is not None for process, _ in self._processes):
            raise RankLostError("a process ended")

    def close(self) -> None:
        """End all that still run."""
        for process, connection in self._processes:
            process.kill()
            process.join()
            connection.close()


@contextmanager
def others(work: Work, arguments: Sequence[Any], ranks: int, threads: int) -> Iterator[tuple[Rank, OtherRanks]]:
    """Start all ranks of this machine but the first one, which is this process.

    Args:
        work: A function of a module, called in each process with its `Rank` and `arguments`.
        arguments: Values that can be pickled.
        ranks: How many there are, this process included.
        threads: Threads of each process's numeric libraries.

    Yields:
        The rank of this process, and the others, which are ended with the block.
    """
    with temporary_folder() as folder:
        context, file = multiprocessing.get_context("spawn"), str(folder / "store")
        memory = context.RawArray("b", 2 * ranks * BYTES_OF_A_RANK)
        signals = [[context.Semaphore(0) if one != other else None for other in range(ranks)] for one in range(ranks)]
        places = [Rank(number, ranks, number, ranks, file, memory, signals) for number in range(ranks)]
        started = OtherRanks([_start(work, place, arguments, threads) for place in places[1:]])
        try:
            yield replace(places[0], check=started.check), started
        finally:
            started.close()


def _start(work: Work, place: Rank, arguments: Sequence[Any], threads: int) -> tuple[SpawnProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(there, work, place, tuple(arguments)), daemon=True)
    with environment(dict.fromkeys(THREADS, str(threads))), signals_held():
        process.start()
    there.close()
    return process, here


def _serve(connection: Connection, work: Work, place: Rank, arguments: tuple[Any, ...]) -> None:
    """What a process runs. It prints nothing: the first process tells what ended it."""
    ignore_signals()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        work(place, *arguments)
    except RankLostError:
        os._exit(LEFT_ALONE)
    except BaseException as error:
        with suppress(OSError):
            connection.send(str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}")
        os._exit(FAILED)
    # Threads of the group must not keep the process.
    os._exit(0)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
