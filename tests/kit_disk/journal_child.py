"""A process with nothing but the event journal: makes events, and prints what it is told. `STATE EVERY_S [STREAM]`."""

import itertools
import json
import sys
import threading
from pathlib import Path
from typing import Any

from gateway.journal.chain import Chain, Identity, new_run
from gateway.journal.events import EventWriter
from gateway.moment import SystemClock
from gateway.values import SetAside, StorageState, Stored


def main(state: Path, every_s: float, stream: Any) -> None:
    clock = SystemClock()
    printing = threading.Lock()

    def say(**line: object) -> None:
        with printing:
            print(json.dumps(line), flush=True)

    def tell(message: object) -> None:
        match message:
            case StorageState(error=error, waiting=waiting, lost=lost):
                say(error=error, waiting=waiting, lost=lost)
            case SetAside(file=file):
                say(aside=file)

    def stored(message: Stored) -> None:
        say(stored=message.number)

    identity = Identity.open(state, clock.now())
    writer = EventWriter(state, clock, tell)
    writer.listen(stored)
    found = writer.open()
    chain = Chain(new_run(), "zj-no1", found.number, found.heads, identity)
    say(run=chain.run, number=found.number, error=found.error)
    stop = threading.Event()
    thread = threading.Thread(target=writer.run, args=(stop,))
    thread.start()
    for count in itertools.count(1):
        if stop.wait(every_s):
            break
        event = chain.make(stream, {"alarm": "door", "count": count}, at=clock.now(), urgent=stream == "custody")
        say(made=event.number, hash=event.hash)
        writer.put(event, b"state")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "custody")
