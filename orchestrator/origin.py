"""Where the work at hand was asked from: the network address of the client. The API notes it for each request; the audit log
reads it. Threads that serve a request see what was noted for it; loops of our own see nothing."""

from contextvars import ContextVar

ADDRESS: ContextVar[str] = ContextVar("podium-origin", default="")
