"""Lending a port over the local socket: one connection is one loan, which ends when its other end closes, or dies.

    installer's tool                        running gateway
    lend {port, seconds, what}  --------->  the port's owner closes it, and says so
                                <---------  {"ok": true, "port": ...}: open it
    (closes the connection)     --------->  the owner opens it again

No alarm's logic is in the way of it: nobody's PIN is asked for, the group of the acting socket is enough.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gateway.catalogue import say
from gateway.errors import Refused, Unavailable
from gateway.persons.control import OPERATE, connect
from gateway.sources.loans import Lender, Loan

log = logging.getLogger(__name__)

LONGEST_S = 1800.0  # of a loan
GRANT_S = 10.0  # an exchange that is under way is ended first
_PATIENCE_S = GRANT_S + 5.0

Find = Callable[[str, str], Lender | None]  # by port, and by the name of its bus or device


class Desk:
    """Serves loans, each on its connection's own thread."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._lent: dict[str, object] = {}  # by port; setdefault and pop are whole steps

    def serve(self, connection: socket.socket, request: dict[str, Any], peer: str) -> None:
        """Until the loan is over. Raises Refused or Unavailable before it begins."""
        seconds = request.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_S:
            most = round(LONGEST_S / 60)
            raise Refused(say("a port is lent for {most} minutes at most: ask for less at once", most=most))
        lender = self._find(str(request.get("port") or ""), str(request.get("name") or ""))
        if lender is None:
            _answer(connection, {"ok": True, "lent": False})
            return
        port, token = lender.port, object()
        if self._lent.setdefault(port, token) is not token:
            raise Refused(say("port {port} is lent to somebody already", port=port))
        try:
            self._lend(connection, lender, Loan(seconds, lambda: None, f"{_word(request.get('what'))} ({peer})"))
        finally:
            lender.give_back()
            self._lent.pop(port)
            log.info("event=loan-over port=%s", port)

    @staticmethod
    def _lend(connection: socket.socket, lender: Lender, asked: Loan) -> None:
        granted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        lender.lend(Loan(asked.seconds, lambda: granted.put(True), asked.who))
        try:
            granted.get(timeout=GRANT_S)
        except queue.Empty as error:
            raise Unavailable(say("port {port} is not given out now: try again", port=lender.port)) from error
        log.info("event=loan port=%s to=%r seconds=%g", lender.port, asked.who, asked.seconds)
        _answer(connection, {"ok": True, "lent": True, "port": lender.port})
        connection.settimeout(asked.seconds)
        with contextlib.suppress(OSError):  # its time is over, or its borrower died
            connection.recv(1)


@contextlib.contextmanager
def borrowed(state: Path, port: str, seconds: float, what: str, name: str = "") -> Iterator[str]:
    """The port to open: borrowed from the gateway where one runs and has it, for at most `seconds` (real).

    Raises Refused or Unavailable when it runs and does not lend. Where this user may not ask, the port is given as it
    is: its owner has locked it, and opening it says who that is.
    """
    request = {"verb": "lend", "port": port, "name": name, "seconds": min(seconds, LONGEST_S), "what": what}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE_S)
        try:
            connect(connection, state, OPERATE)
        except OSError:  # nobody runs here
            yield port
            return
        answer = _asked(connection, request)
        if not answer.get("ok"):
            raise Refused(str(answer.get("error")))
        yield str(answer.get("port") or port)


def same_port(one: str, other: str) -> bool:
    """Whether two names are of one port, whatever links lead there."""
    return one == other or ("://" not in one and os.path.realpath(one) == os.path.realpath(other))


def _asked(connection: socket.socket, request: dict[str, Any]) -> dict[str, Any]:
    try:
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as stream:
            answer: dict[str, Any] = json.loads(stream.readline())
    except (OSError, ValueError) as error:
        raise Unavailable(say("the gateway does not answer; look at its log")) from error
    return answer


def _answer(connection: socket.socket, answer: dict[str, Any]) -> None:
    connection.sendall(json.dumps(answer, ensure_ascii=False).encode() + b"\n")


def _word(what: object) -> str:
    """A borrower's own name for itself goes into messages: short, and one line."""
    return "".join(c for c in str(what or "?") if c.isprintable())[:40]
