"""The Celery side of builds: the application, its settings, and a worker that calls back for each ring. Knows no build, Space or
database: the rows in Podium's database are the queue, and a message is only a ring of the bell.

So nothing here has to be lossless. A message that Redis loses is sent again by `services/calls.py`, one that comes twice finds
nothing left to claim, and a builder that dies is noticed by its lease and not by Celery. That is why a worker does not give up
running builds when Redis goes away, why results and remote control are off, and why whoever can write to this Redis can make
builders look into the database and nothing else: the task trusts none of its arguments."""

from collections.abc import Callable

from celery import Celery, signals
from kombu import Exchange, Queue

TASK = "podium.drive"
QUEUE = "podium-builds"


def make_app(broker: str, visibility: float = 3600.0, patience: float = 10.0) -> Celery:
    """`broker`: a Redis URL. `visibility`: seconds after which a ring that was taken and not finished is given to another
    worker. `patience`: seconds that one command to Redis may take."""
    app = Celery("podium", broker=broker, set_as_current=False)
    app.conf.update(
        # The nameless exchange needs no bindings, which a flushed Redis would have lost.
        task_queues=[Queue(QUEUE, Exchange(""), routing_key=QUEUE)],
        task_default_queue=QUEUE,
        task_default_exchange="",
        task_default_routing_key=QUEUE,
        broker_transport_options={
            "visibility_timeout": visibility,
            "socket_timeout": patience,
            "socket_connect_timeout": min(patience, 5.0),
            "socket_keepalive": True,
            "health_check_interval": 15,
            "max_retries": 0,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=min(patience, 5.0),
        task_publish_retry=False,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return app


def serve(app: Celery, drive: Callable[[], object], stopping: Callable[[], None], concurrency: int) -> None:
    """Call `drive()` for each ring, `concurrency` at a time, until SIGTERM or SIGINT; `stopping()` is called first then. Threads,
    because each build is a process of its own anyway. To be called in the main thread."""

    @app.task(name=TASK)
    def ring(key: str = "") -> None:
        drive()

    def shut_down(**_: object) -> None:
        stopping()

    signals.worker_shutting_down.connect(shut_down)
    try:
        app.Worker(
            pool="threads",
            concurrency=concurrency,
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        ).start()
    finally:
        signals.worker_shutting_down.disconnect(shut_down)
