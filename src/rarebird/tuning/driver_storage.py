"""Optuna's storage as a driver uses it: trials name their driver; and on a server, a lost connection is waited for, and
no trial is recorded twice."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import InterfaceError, OperationalError, PendingRollbackError, SQLAlchemyError

from rarebird.core.checks import UnavailableError
from rarebird.tuning.drivers import Drivers

# Seconds between two attempts, and after which a search gives up.
PAUSE, LONGEST = 1.0, 600.0
# User attributes of a trial: the name of its driver, and its place, which is set as soon as the driver knows the trial.
WORKER, PLACE = "worker", "place"
log = logging.getLogger("rarebird")


def is_lost(error: BaseException | None) -> bool:
    """Whether an error says that the connection to a database is lost, or that the database does not answer."""
    # Where a connection ends within a query that Optuna tries in another way, the second attempt is refused by the
    # session, which has not been rolled back yet.
    lost = OperationalError | InterfaceError | PendingRollbackError
    while error is not None:
        if isinstance(error, lost) or getattr(error, "connection_invalidated", False):
            return True
        error = error.__cause__
    return False


def _waiting(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, repeated until the database answers."""

    @functools.wraps(method)
    def repeated(self: WaitingStorage, *arguments: Any, **named: Any) -> Any:
        start, said = time.monotonic(), False
        while True:
            try:
                found = method(self, *arguments, **named)
            except (StorageInternalError, SQLAlchemyError) as error:
                waited = time.monotonic() - start
                if not is_lost(error):
                    raise
                if waited > LONGEST:
                    raise UnavailableError(
                        f"{self.shown} has not answered for {waited:.0f} s; its finished trials are kept, and --resume "
                        "continues the search."
                    ) from None
                if not said:
                    log.warning("%s does not answer; waiting for it.", self.shown)
                said = True
                time.sleep(PAUSE)
            else:
                if said:
                    self.seconds_lost += time.monotonic() - start
                    log.warning("%s answers again, after %.0f s.", self.shown, time.monotonic() - start)
                return found

    return repeated


class StorageWithDrivers(RDBStorage):
    """Writes the driver's name in the same transaction that creates a trial, so that a kill in between cannot leave a
    trial without it.

    Attributes:
        drivers: The drivers of the study.
    """

    drivers: Drivers

    def is_alive(self, name: str) -> bool:
        """Whether the driver of this name is alive."""
        return self.drivers.is_alive(name)

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        named = template_trial or create_trial(state=TrialState.RUNNING, user_attrs={WORKER: self.drivers.name})
        return super()._create_new_trial(study_id, named)


class WaitingStorage(StorageWithDrivers):
    """The storage of a study on a server.

    Attributes:
        shown: The address for messages.
        seconds_lost: Seconds for which the database did not answer.
    """

    shown: str = "The database"
    seconds_lost: float = 0.0

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        """As in Optuna. If the answer was lost, the trial may exist: one without a place that this driver began is
        nobody's, and counts as never begun."""
        lost = self.seconds_lost
        trial: FrozenTrial = self._begun(study_id, template_trial)
        if self.seconds_lost > lost:
            running = self.get_all_trials(study_id, deepcopy=False, states=(TrialState.RUNNING,))
            for other in running:
                mine = other.user_attrs.get(WORKER) == self.drivers.name
                if mine and PLACE not in other.user_attrs and other.number != trial.number:
                    self.set_trial_state_values(other._trial_id, TrialState.FAIL)
        return trial

    @_waiting
    def _begun(self, study_id: int, template_trial: FrozenTrial | None) -> FrozenTrial:
        return super()._create_new_trial(study_id, template_trial)

    @_waiting
    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Any = None) -> bool:
        """As in Optuna. If the answer was lost, the trial may be finished already, by this very call."""
        try:
            return super().set_trial_state_values(trial_id, state, values)
        except UpdateFinishedTrialError:
            known = self.get_trial(trial_id)
            if known.state == state and (values is None or list(known.values or []) == list(values)):
                return True
            raise


# All else that a study asks of its storage.
_ASKED = (
    *("create_new_study", "set_study_user_attr", "set_study_system_attr", "get_study_id_from_name"),
    *("get_study_name_from_id", "get_study_directions", "get_study_user_attrs", "get_study_system_attrs"),
    *("set_trial_param", "_set_trial_param", "set_trial_intermediate_value", "set_trial_user_attr"),
    *("set_trial_system_attr", "get_trial", "_get_trials", "get_all_trials", "get_all_studies", "is_alive"),
)
for _name in _ASKED:
    setattr(WaitingStorage, _name, _waiting(getattr(StorageWithDrivers, _name)))
