"""A program for the command listener. Arguments: how it behaves."""

from __future__ import annotations

import json
import struct
import sys
import time
from array import array


def say(**event: object) -> None:
    print(json.dumps(event), flush=True)


def stream(behaviour: str) -> bool:
    """Hear one stream: replies after each loud chunk. False at the end of all."""
    framed, chunk, heard = "framed" in behaviour, 0, False
    while True:
        if framed:
            header = sys.stdin.buffer.read(4)
            if not header or not (size := struct.unpack("<I", header)[0]):
                return bool(header)
        else:
            size = 12_800
        data = sys.stdin.buffer.read(size)
        if not data:
            return False
        loud = max(map(abs, array("h", data))) > 8_000
        if behaviour == "asks the future" and chunk == 2:
            say(chunk=3, decision="silent")
        elif behaviour == "breaks" and chunk == 2:
            sys.exit("no more memory")
        elif behaviour == "babbles":
            print("Loading the model ...", flush=True)
        elif behaviour == "sleeps":
            time.sleep(60)
        elif "live" in behaviour:
            if loud:
                say(chunk=chunk, decision="response", text="I hear")
                say(text=" it")
        elif loud:
            say(decision="response", emotion="Urgent", score=0.9)
            say(text="That was ")
            say(text="loud.")
        else:
            say(decision="silent", score=0.1, drained=behaviour == "drains" and heard)
        heard = loud
        chunk += 1


def main() -> None:
    behaviour = sys.argv[1]
    sys.stderr.write("loaded\n")
    say(ready=True)
    while stream(behaviour):
        say(done=True)


main()
