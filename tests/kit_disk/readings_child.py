"""A process with nothing but the readings journal and one sink in it; prints what the sink gets and what is told."""

import itertools
import json
import sys
import threading
from datetime import UTC
from pathlib import Path

from drivers.base import Quality
from gateway.errors import Unavailable
from gateway.journal.readings import ReadingsReader, ReadingsWriter
from gateway.moment import SystemClock
from gateway.values import Reading, Readings, StorageState

FASTER = 20  # commits come every 0.2 s


class Clock(SystemClock):
    def pause(self, seconds: float) -> float:
        return seconds / FASTER


def main(state: Path) -> None:
    clock = Clock()
    printing = threading.Lock()

    def say(**line: object) -> None:
        with printing:
            print(json.dumps(line), flush=True)

    def tell(message: object) -> None:
        if isinstance(message, StorageState):
            say(error=message.error, waiting=message.waiting, lost=message.lost)

    writer = ReadingsWriter(state, clock, tell, UTC)
    threading.Thread(target=writer.run, args=(threading.Event(),), daemon=True).start()
    threading.Thread(target=sink, args=(state, writer, say), daemon=True).start()
    stop = threading.Event()
    for count in itertools.count():
        writer.put(Readings("meter", (Reading("meter/laf", count, Quality.GOOD, clock.now()),)))
        stop.wait(0.005)


def sink(state: Path, writer: ReadingsWriter, say: object) -> None:
    assert callable(say)
    reader, place, tick = ReadingsReader(state, writer), 0, threading.Event()
    while not tick.wait(0.02):
        try:
            found = reader.after(place, 10)
        except Unavailable as error:
            say(unavailable=str(error))
            continue
        for at, block in found:
            place = at
            say(seen=[answer.readings[0].value for answer in block], place=at)
        if found:
            writer.advance("sink", place)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
