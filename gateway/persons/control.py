"""The local sockets: reading verbs on `view`, acting verbs on `operate`; one JSON line each way.

A request is `{"verb": ..., "lang": ..., ...}`; acting ones carry `by` and `pin`. The answer is
`{"ok": true, ...}` or `{"ok": false, "error": sentence}`. PINs are checked here, off the engine's thread.
"""

from __future__ import annotations

import contextlib
import grp
import json
import logging
import os
import queue
import selectors
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.catalogue import LANGUAGES, Said, chosen, say, sentence, spoken
from gateway.codes import code
from gateway.configuration.config import Person
from gateway.errors import Refused, Unavailable
from gateway.moment import Clock
from gateway.nudge import Nudge
from gateway.persons.people import pin_matches
from gateway.persons.signing import Scalar, not_as_agreed
from gateway.state import socket_path, spare_socket_path
from gateway.values import Command, Question
from gateway.worker import idle_s

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 64 * 1024
ANSWER_TIMEOUT_S = 10.0
TRIES = 5  # wrong PINs of one person before a rest
REST_S = 60.0
VIEW, OPERATE = "view", "operate"
_GROUPS = {VIEW: "venue-view", OPERATE: "venue-operator"}
_COMMAND_FIELDS = ("alarm", "activation", "revision", "note")
_DOOR_FIELDS = ("verb", "by", "pin", "with", "with_pin", "lang")  # for the door alone


class _Wish(BaseModel):
    """What the engine is given of a request, and of which kind: it asks no more."""

    model_config = ConfigDict(extra="forbid", strict=True)

    alarm: str | None
    activation: str | None
    revision: int | None
    note: Annotated[str, Field(max_length=1000)] | None
    arguments: dict[str, Scalar]


class Doorman:
    """Knows who may act: checks PINs and makes guessing slow. Used by the connections' threads, one call at a time."""

    def __init__(self, persons: Mapping[str, Person], clock: Clock) -> None:
        self._persons = persons
        self._clock = clock
        self._wrong: dict[str, tuple[int, int]] = {}  # person: (tries, mono_ns of the last)

    def admit(self, verb: str, by: str, pin: str) -> None:
        person = self._persons.get(by)
        if person is None or person.pin is None:
            raise Refused(say("no person {by} with a PIN is in the configuration", by=by))
        tries, last_ns = self._wrong.get(by, (0, 0))
        if tries >= TRIES and (self._clock.now().mono_ns - last_ns) / 1e9 < REST_S:
            raise Refused(say("too many wrong PINs for {by}: wait a minute", by=by))
        if not pin_matches(person.pin, pin):
            self._wrong[by] = (1 if tries >= TRIES else tries + 1, self._clock.now().mono_ns)
            raise Refused(say("the PIN of {by} is wrong", by=by))
        self._wrong.pop(by, None)
        if verb not in person.may:
            raise Refused(say("{by} may not {verb}; the configuration's may = [...] says who may", by=by, verb=verb))


class Control:
    """Serves both sockets until stopped. `tell` is the engine's inbox; `simulate` the simulation's own door."""

    def __init__(
        self,
        state: Path,
        doorman: Doorman,
        tell: Callable[[object], None],
        clock: Clock,
        simulate: Callable[[str, list[str]], str] | None = None,
        lend: Callable[[socket.socket, dict[str, Any], str], None] | None = None,
    ) -> None:
        """`lend` serves a connection for as long as a port is lent (`lending.Desk`)."""
        self._state, self._doorman, self._tell, self._clock, self._simulate = state, doorman, tell, clock, simulate
        self._lend = lend
        self._one_at_a_time = threading.Semaphore(1)  # scrypt costs memory: one PIN check at a time

    def admit(self, doorman: Doorman) -> None:
        """From now on this one knows who may act."""
        self._doorman = doorman

    def run(self, stop: threading.Event) -> None:
        nudge = Nudge()
        longest_s = idle_s(stop, nudge.give)
        with (
            self._server(VIEW) as view,
            self._server(OPERATE) as operate,
            selectors.DefaultSelector() as selector,
        ):
            selector.register(nudge, selectors.EVENT_READ)
            for server in (view, operate):
                selector.register(server, selectors.EVENT_READ, server.handle_request)
            while not stop.is_set():
                for key, _ in selector.select(longest_s):
                    if key.data is not None:
                        key.data()
            paths = [Path(str(server.server_address)) for server in (view, operate)]
        for path in paths:
            path.unlink(missing_ok=True)

    def _server(self, name: str) -> socketserver.ThreadingUnixStreamServer:
        """Listens where commands look first, or in memory where the card does not let a socket be made."""
        spare = spare_socket_path(self._state, name)
        try:
            return self._listening(name, socket_path(self._state, name))
        except OSError as error:
            if spare is None:
                raise
            log.warning("event=socket-elsewhere path=%s error=%r", spare, str(error))
        spare.parent.mkdir(mode=0o700, exist_ok=True)
        return self._listening(name, spare)

    def _listening(self, name: str, path: Path) -> socketserver.ThreadingUnixStreamServer:
        path.unlink(missing_ok=True)
        control = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = ANSWER_TIMEOUT_S

            def handle(self) -> None:
                control.serve(self.connection, acting=name == OPERATE)

        socketserver.ThreadingUnixStreamServer.daemon_threads = True
        server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        path.chmod(0o660)
        # No such group here, or not ours to give: then it is the folder's group that may connect.
        with contextlib.suppress(KeyError, PermissionError):
            os.chown(path, -1, grp.getgrnam(_GROUPS[name]).gr_gid)
        return server

    def serve(self, connection: socket.socket, *, acting: bool) -> None:
        """Answer one request on a connection."""
        with connection.makefile("rb") as stream:
            line = stream.readline(MAX_REQUEST_BYTES)
        request: dict[str, Any] = {}
        try:
            request = _read(line)
            if acting and request["verb"] == "lend" and self._lend is not None:
                self._lend(connection, request, _peer(connection))
                return
            answer = self._answer(request, _peer(connection), acting=acting)
        except (Refused, Unavailable) as error:
            answer = {"ok": False, "error": sentence(error)}
        if isinstance(answer.get("error"), Said):
            answer["code"] = code(answer["error"].message)
        if request.get("lang") in LANGUAGES:  # the asker's, whatever the service itself speaks
            answer = spoken(answer, request["lang"])
        with contextlib.suppress(OSError):  # who asked has gone
            connection.sendall(json.dumps(answer, ensure_ascii=False).encode() + b"\n")

    def _answer(self, request: dict[str, Any], peer: str, *, acting: bool) -> dict[str, Any]:
        verb = request["verb"]
        if acting and verb == "sim":
            if self._simulate is None:
                raise Refused(say("this gateway is not simulated: its pins and ports are real and cannot be driven"))
            return {"ok": True, "text": self._simulate(str(request.get("name")), list(request.get("action") or []))}
        answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        if acting:
            self._tell(self._command(request, peer, answers.put))
        else:
            self._tell(Question(verb, self._clock.now(), request, answers.put))
        try:
            return answers.get(timeout=ANSWER_TIMEOUT_S)
        except queue.Empty as error:
            raise Unavailable(say("the gateway does not answer; look at its log")) from error

    def _command(self, request: dict[str, Any], peer: str, reply: Callable[[dict[str, Any]], None]) -> Command:
        verb, by = str(request["verb"]), str(request.get("by") or "")
        with self._one_at_a_time:
            self._doorman.admit(verb, by, str(request.get("pin") or ""))
        witness = self._witness(request, verb, by)
        known = {key: request.get(key) for key in _COMMAND_FIELDS}
        rest = {k: v for k, v in request.items() if k not in {*_COMMAND_FIELDS, *_DOOR_FIELDS}}
        try:
            wish = _Wish.model_validate(known | {"arguments": rest})
        except ValidationError as error:
            raise not_as_agreed(error) from error
        return Command(verb, by, self._clock.now(), **dict(wish), peer=peer, witness=witness, reply=reply)

    def _witness(self, request: dict[str, Any], verb: str, by: str) -> str | None:
        """A second person of the same request, with a PIN and the right to do so."""
        if not request.get("with"):
            return None
        witness = str(request["with"])
        if witness == by:
            raise Refused(say("a second person must be another one than {by}", by=by))
        with self._one_at_a_time:
            self._doorman.admit(verb, witness, str(request.get("with_pin") or ""))
        return witness


def _read(line: bytes) -> dict[str, Any]:
    try:
        request: dict[str, Any] = json.loads(line)
        request["verb"] = str(request["verb"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(say("the request is not a JSON object with a verb")) from error
    try:  # bytes of a command line that are no UTF-8 come as halves of characters, which nothing could write down
        json.dumps(request, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Refused(say("a text is not UTF-8: set the terminal to UTF-8 and say it again")) from error
    return request


def _peer(connection: socket.socket) -> str:
    """SO_PEERCRED: who is at the other end, as the kernel saw it."""
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return f"uid {uid}"


def connect(connection: socket.socket, state: Path, name: str) -> None:
    """To the gateway of this state directory, wherever it could make its socket. Raises OSError."""
    try:
        connection.connect(str(socket_path(state, name)))
    except (FileNotFoundError, ConnectionRefusedError):
        spare = spare_socket_path(state, name)
        if spare is None:
            raise
        connection.connect(str(spare))


def ask(state: Path, request: dict[str, Any], *, acting: bool = False) -> dict[str, Any]:
    """One request to the running gateway, from the command line. `Unavailable` when none runs here."""
    name = OPERATE if acting else VIEW
    path = socket_path(state, name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_TIMEOUT_S + 5)
        try:
            connect(connection, state, name)
            connection.sendall(json.dumps({"lang": chosen(), **request}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                answer: dict[str, Any] = json.loads(stream.readline())
        except PermissionError as error:
            raise Refused(
                say(
                    "not allowed: {path} is for group {group}; ask to be added to it",
                    path=path,
                    group=_GROUPS[name],
                )
            ) from error
        except (OSError, ValueError) as error:
            raise Unavailable(
                say("no gateway answers at {path}: is it running, and with this --state?", path=path)
            ) from error
    return answer
