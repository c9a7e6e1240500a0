"""Asking a service as its clients do, over connections that stay open: ZeroMQ, HTTP, TCP.

    with Line({5570: Address("127.0.0.1", 20001)}) as line:
        response = line.ask(question_of(step))

A `Line` belongs to one thread. A service that does not answer raises nothing: `Response.kind` says how it failed.
"""

from cutover.validate.talk.base import Address, Connection, Kind, Question, Response, ResponseKind
from cutover.validate.talk.line import Line
from cutover.validate.talk.question import question_of, title_of

__all__ = ["Address", "Connection", "Kind", "Line", "Question", "Response", "ResponseKind", "question_of", "title_of"]
