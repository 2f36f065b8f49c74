"""The Doorbell port over Celery: rings for builders on other machines. The queue itself is in the database."""

from typing import TypeVar

from celery.exceptions import OperationalError as CeleryError
from kombu.exceptions import KombuError, OperationalError

from builder.worker import QUEUE, TASK, make_app
from orchestrator.errors import Unavailable

T = TypeVar("T")
TIMEOUT = 1.0  #: seconds for one command to Redis


class CeleryDoorbell:
    def __init__(self, broker: str) -> None:
        self._app = make_app(broker, patience=TIMEOUT)

    def ring(self, key: str) -> None:
        """See `ports.Doorbell.ring`."""
        try:
            self._app.send_task(TASK, [key], task_id=key, queue=QUEUE, ignore_result=True)
        except _FAILURES as error:
            raise _unavailable(error) from error

    def waiting(self) -> int:
        """See `ports.Doorbell.waiting`."""
        try:
            with self._app.connection_for_read() as connection:
                return connection.default_channel.queue_declare(QUEUE, durable=True).message_count
        except _FAILURES as error:
            raise _unavailable(error) from error

    def close(self) -> None:
        self._app.close()


#: Redis errors derive from OSError's relatives or from kombu's, depending on where they are raised.
_FAILURES = (OperationalError, CeleryError, KombuError, OSError, TimeoutError)


def _unavailable(error: Exception) -> Unavailable:
    return Unavailable(f"Redis does not answer ({type(error).__name__}); builds start some seconds later")
