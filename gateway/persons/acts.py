"""What people and far sides ask: receipts and commands over MQTT (proven by `signing.py`), commands over the socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway import payloads
from gateway.alarms import Given, Signal
from gateway.catalogue import again, say, sentence
from gateway.day.day import Day
from gateway.environment.calibrating import Calibrating
from gateway.errors import Refused
from gateway.machine.health import happening, text
from gateway.persons.deeds import Deeds
from gateway.persons.signing import Door
from gateway.persons.summary import summary
from gateway.sinks.feeder import Piece
from gateway.values import STREAMS, Command, Inbound
from gateway.venue import Venue

MOST_RESENT = 100  # events at once: as many answers as a pump keeps, with room

_SIGNALS: Mapping[str, Signal] = {
    "ack": Signal.ACKNOWLEDGE,
    "reset": Signal.RESET,
    "shelve": Signal.SHELVE,
    "unshelve": Signal.UNSHELVE,
    "suppress": Signal.SUPPRESS,
    "release": Signal.RELEASE,
    "remove": Signal.REMOVE,
    "return": Signal.RETURN,
}


class Acts:
    """Owned by the engine's thread."""

    def __init__(self, venue: Venue, day: Day, calibrating: Calibrating) -> None:
        self._venue = venue
        self._day = day
        self._door = Door(venue.config.person, venue.config.station)
        self._deeds = Deeds(venue, day, calibrating)

    def reconfigured(self) -> None:
        """Persons and stations may be others now."""
        self._door.know(self._venue.config.person, self._venue.config.station)

    def inbound(self, message: Inbound) -> None:
        """A receipt or a command from a broker. What is not exactly right changes nothing and is an alarm."""
        kind = message.topic.partition("/")[0]
        venue = self._venue
        try:
            if kind == "receipt":
                receipt = self._door.receipt(message, venue.book.stream_of)
                venue.book.receive(receipt.hash, receipt.station, message.at)
                venue.show(message.at)
            else:
                self._obey(self._door.command(message, venue.out.nonces(message.sink)), message.sink)
        except Refused as error:
            if venue.sparing.let(f"{kind}-refused", message.at):
                what = text("refused", message.topic, error.args[0])
                venue.find_all(happening(f"{kind}-refused", message.at, what, str(error)))

    def command(self, command: Command) -> None:
        """From the local socket, by a person whose PIN was right."""
        answer: dict[str, Any]
        try:
            answer = {"ok": True, **self._act(command)}
        except Refused as error:
            answer = {"ok": False, "error": sentence(error)}
        if command.reply is not None:
            command.reply(answer)

    def _obey(self, command: Command, sink: str) -> None:
        """A proven command over MQTT; its answer goes to `response/{verb}`."""
        venue, error, result = self._venue, None, None
        try:
            result = self._from_afar(command, sink)
        except Refused as refused:
            error = again(refused)
        answer = payloads.response(
            venue.origin, command.at, command.verb, id_=command.id, ok=error is None, error=error, result=result
        )
        venue.out.say(answer.topic, answer.payload)

    def _from_afar(self, command: Command, sink: str) -> dict[str, Any]:
        if command.verb == "ping":
            return {}
        if command.verb == "resend":
            return self._resend(command)
        main = self._venue.config.mqtt
        broker = main if sink == "mqtt" or main is None else main.second
        page = self._venue.book.pages.get(command.alarm or "")
        custody = page is not None and page.definition.custody
        local = command.verb == "retire" or (command.verb == "reset" and custody)
        if command.verb == "drill" and command.arguments.get("test"):
            raise Refused(say("a contact is tested at the venue, where somebody stands beside it"))
        if local and not (broker is not None and broker.reset_custody):
            raise Refused(say("leak and seal alarms are reset, and contacts retired, at the venue, not from afar"))
        return self._act(command)

    def _resend(self, command: Command) -> dict[str, Any]:
        """A range of a stream, for a station that serves it and missed something."""
        asked = command.arguments
        stream = next((name for name in STREAMS if name == asked.get("stream")), None)
        served = next((s.streams for s in self._venue.config.station if s.id == command.by), ())
        if stream is None or stream not in served:
            raise Refused(say("{station} does not serve the stream {stream}", station=command.by, stream=stream))
        first, last = asked.get("first"), asked.get("last")
        if not (isinstance(first, int) and isinstance(last, int) and 0 < first <= last < first + MOST_RESENT):
            raise Refused(say("name the first and the last seq, at most {most} events at once", most=MOST_RESENT))
        self._venue.out.resend(Piece(stream, str(asked.get("run")), first, last))
        return {"stream": stream, "first": first, "last": last}

    def _act(self, command: Command) -> dict[str, Any]:
        """Do as a person says; for an alarm the alarm as it stands then. Raises Refused."""
        venue = self._venue
        self._day.check(command)
        if command.verb in self._deeds.known:
            answer = self._deeds.known[command.verb](command)
            venue.show(command.at)
            return answer
        signal = _SIGNALS.get(command.verb)
        if signal is None:
            raise Refused(say("{verb} is not something this gateway does", verb=command.verb))
        if command.alarm is None or command.alarm not in venue.book.pages:
            raise Refused(say("there is no alarm {alarm} here", alarm=repr(command.alarm)))
        lasting = command.arguments.get("for_s")
        given = Given(
            by=command.by,
            note=command.note,
            reason=command.peer,
            activation=command.activation,
            revision=command.revision,
            for_s=float(lasting) if isinstance(lasting, int | float) else None,
        )
        venue.book.signal(command.alarm, signal, command.at, given)
        venue.show(command.at)
        return summary(venue.book.pages[command.alarm], venue.book.zone)
