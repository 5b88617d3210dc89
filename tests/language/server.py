"""An OpenAI-compatible chat server on loopback: real HTTP, scripted per test, with every fault that a client must bear.

with ScriptedServer(smart) as server:                       # sensible replies for every role
with ScriptedServer([status(500), say("{}"), smart]) as s:  # in order; the last one repeats
with ScriptedServer(Chaos(0.3, seed=1)) as server:          # sensible replies with faults thrown in
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.synthesis.kinds import KINDS, match_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class Received:
    """One POST as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    arrived_s: float

    @property
    def mode(self) -> str:
        return self.body.get("response_format", {}).get("type", "text")

    @property
    def role(self) -> str:
        """The language role, as the first line of our system prompts names it."""
        found = re.match(r"Role: (\w+)", self.text("system"))
        return found[1] if found else ""

    def text(self, author: str) -> str:
        """The first message of `author`, attached audio left out."""
        content = next(m["content"] for m in self.body["messages"] if m["role"] == author)
        return content if isinstance(content, str) else content[0]["text"]

    def data(self) -> dict[str, Any]:
        """The fenced values of the prompt, by name."""
        fences = re.findall(r'<data name="(\w+)">\n(.*)\n</data>', self.text("user"))
        return {name: json.loads(body) for name, body in fences}


@dataclass(frozen=True, slots=True)
class Canned:
    """One HTTP reply, or the failure to give one."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang: bool = False
    cut: bool = False


def say(
    text: str | None,
    *,
    finish_reason: str = "stop",
    refusal: str | None = None,
    usage: tuple[int, int] | None = (100, 20),
    headers: dict[str, str] | None = None,
) -> Canned:
    """A chat completion with this content."""
    completion: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": text, "refusal": refusal},
            }
        ],
    }
    if usage is not None:
        completion["usage"] = {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": sum(usage),
        }
    return Canned(headers=headers or {}, body=json.dumps(completion).encode())


def status(code: int, message: str = "scripted", *, retry_after: str | None = None) -> Canned:
    """An error; by default the client is told to come back after a millisecond, to keep tests fast."""
    headers = {"Retry-After": retry_after} if retry_after else {"retry-after-ms": "1"}
    return Canned(code, headers, json.dumps({"error": {"message": message, "type": "scripted"}}).encode())


HANG = Canned(hang=True)
CUT_MID_BODY = Canned(body=say("{}").body, cut=True)
EMPTY_BODY = Canned()
HTML = Canned(headers={"Content-Type": "text/html"}, body=b"<html>It works!</html>")
HUGE = say("x" * 2_000_000)
REFUSAL = say(None, refusal="I cannot help with that.")
SPOKEN_REFUSAL = say("I'm sorry, but I can't help with that request.")


class ScriptedServer:
    """Serves until the `with` block ends; `requests` holds what arrived, `most_at_once` the peak of concurrency.

    `modes` are the kinds of `response_format` it accepts; others get 400, as from servers that do not know them.
    """

    def __init__(
        self,
        script: Sequence[Canned | Callable[[Received], Canned]] | Callable[[Received], Canned],
        *,
        modes: tuple[str, ...] = ("json_schema", "json_object"),
        latency_s: float = 0.0,
    ) -> None:
        self.requests: list[Received] = []
        self.most_at_once = 0
        self._script, self._modes, self._latency_s = script, modes, latency_s
        self._next, self._at_once = 0, 0
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> ScriptedServer:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()

    def answer(self, request: Received) -> Canned:
        with self._lock:
            self.requests.append(request)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self._latency_s:
                self._closing.wait(self._latency_s)
            if request.mode != "text" and request.mode not in self._modes:
                return status(400, f"response_format {request.mode!r} is not supported")
            step = self._script if callable(self._script) else self._take()
            canned = step(request) if callable(step) else step
            if canned.hang:
                self._closing.wait(60)
            return canned
        finally:
            with self._lock:
                self._at_once -= 1

    def _take(self) -> Canned | Callable[[Received], Canned]:
        assert not callable(self._script)
        with self._lock:
            self._next += 1
            return self._script[min(self._next, len(self._script)) - 1]


def _handler_of(server: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            canned = server.answer(
                Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body, time.monotonic())
            )
            try:
                self._send(canned)
            except OSError:
                self.close_connection = True  # the client hung up, as it should on some faults

        def _send(self, canned: Canned) -> None:
            self.send_response(canned.status)
            for name, value in {"Content-Type": "application/json", **canned.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(canned.body)))
            self.end_headers()
            if canned.cut:
                self.wfile.write(canned.body[: len(canned.body) // 2])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            else:
                self.wfile.write(canned.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


# --- sensible replies -------------------------------------------------------------------------------------------------

_TRIGGERS = {
    "distress": r"chok|gasp|scream|cry(ing)? (out )?(of|in) pain|groan|coughing fit|wheez|fall.*(groan|help)|struggl",
    "hazard": r"break|shatter|rock|boulder|thunder|cracking|crash of|storm siren|hail|avalanche|collapse|snapp",
    "equipment": r"smoke alarm|smoke detector|gas|arcing|spark|grinding|bearing|fault|knocking|squeal|burst",
    "signal": r"siren|horn|revers|beeper|level crossing|screech",
}
_PLACES = {
    "a farmhouse kitchen": "quiet room tone",
    "a small workshop": "hum of a machine",
    "a hotel lobby": "quiet room tone",
    "a classroom": "quiet room tone",
    "a waiting room": "hum of a fan",
    "a living room": "quiet room tone",
    "a city park": "soft wind",
    "a harbour": "soft wind",
    "a village street": "soft wind",
    "a school yard": "soft wind",
    "a meadow": "soft wind",
    "a garden": "soft wind",
}
_HOURS = ("early morning", "midday", "late afternoon", "evening", "night")
_DOINGS = (
    "someone tidies up", "two neighbours chat", "a visitor waits", "nobody is about", "children have left",
    "a clerk takes a break", "work is about to end", "a traveller rests", "a dog walker passes", "the day is slow",
)  # fmt: skip


def smart(request: Received) -> Canned:
    """A valid reply for the role that asks, made from the data in its prompt; equal requests get equal replies."""
    text = json.dumps(smart_reply(request))
    return say(text, usage=(len(json.dumps(request.body)) // 4, len(text) // 4))


def smart_reply(request: Received) -> dict[str, Any]:
    data = request.data()
    return _REPLIES[request.role](data, request)


def _plan(data: dict[str, Any], request: Received) -> dict[str, Any]:
    """A scene around what must occur, at its place in time, with a few of the captions between."""
    duration_s = float(re.search(r"about ([\d.]+) seconds", request.text("user"))[1])  # pyright: ignore
    most = int(re.search(r"(\d+) to (\d+) sounds", request.text("system"))[2])  # pyright: ignore
    draw = np.random.default_rng(list(hashlib.sha256(json.dumps(request.body["messages"]).encode()).digest()))
    wanted = data["must_include"]
    room = max(2 - len(wanted), min(most - 1 - len(wanted), 6))
    captions = list(dict.fromkeys(data["captions"])) or ["a chair moving", "footsteps on a wooden floor"]
    others = [captions[i] for i in draw.permutation(len(captions))[:room]]
    left_s = duration_s - sum(entry["duration_s"] for entry in wanted)
    placed = [
        ((entry["at"] or 0.0, 0, k), entry["name"], entry["duration_s"], entry["sound"])
        for k, entry in enumerate(wanted)
    ]
    for k, other in enumerate(others):
        sound, length = re.fullmatch(r"(.*?)(?: \(([\d.]+) s\))?", other).groups()  # pyright: ignore
        length_s = min(float(length or 3.0), 6.0, round(left_s / (len(others) + 1), 2))
        placed.append(((draw.uniform(), 1, k), f"{k + 1}. {sound[:60]}", max(0.2, length_s), sound))
    events = [
        {"name": name, "role": "foreground", "rough_duration_s": length_s, "brief_description": _near(sound)}
        for _, name, length_s, sound in sorted(placed)
    ]
    place, hour, doing = (options[draw.integers(len(options))] for options in (list(_PLACES), _HOURS, _DOINGS))
    bed = {
        "name": "bed",
        "role": "ambient",
        "rough_duration_s": duration_s,
        "brief_description": f"{_PLACES[place]}, steady and even",
    }
    scenario = f"In {place} at {hour}, {doing}."
    if data["language"] == "zh":
        scenario = (
            f"晚上，{'家里' if draw.uniform() < 0.5 else '院子里'}，{len(events)}种声音，{draw.integers(10**6)}号。"
        )
    return {
        "scenario": scenario,
        "sub_events": [*events, bed],
        "constraints": [{"kind": "before", "first": events[0]["name"], "second": events[1]["name"]}],
    }


def _near(sound: str) -> str:
    """Described so that it can be heard indoors and outdoors."""
    return f"{sound[:300]}, heard through an open door"


def _refine(data: dict[str, Any], _: Received) -> dict[str, Any]:
    refinements = []
    for event in data["plan"]["sub_events"]:
        sound = event["brief_description"].partition(", heard")[0]
        words = re.findall(r"[\w']+", sound)[:12]
        words += ["recorded", "close", "and", "clear"][: max(0, 4 - len(words))]
        refinements.append(
            {
                "query": " ".join(words)[:200],
                "fallback_caption": f"{sound[:500].capitalize()}.",
                "accept_tags": list(KINDS[kind].tags) if (kind := match_kind(sound)) else [" ".join(words[:3])],
            }
        )
    return {"refinements": refinements}


def _verify(data: dict[str, Any], _: Received) -> dict[str, Any]:
    """By the words that the clip's caption and tags share with the target."""
    wanted = _words(data["target"]["name"], data["target"]["brief_description"].partition(", heard")[0])
    alike = wanted & _words(data["caption"], *data["measurements"].get("tags", []))
    scores = dict.fromkeys(("identity", "cleanliness", "duration_fit", "continuity"), 0.9 if alike else 0.1)
    verdict = "accept" if alike else "reject"
    return {"scores": scores, "conflicts_with": [], "reason": f"alike in {sorted(alike)}", "verdict": verdict}


def _words(*texts: str) -> set[str]:
    """Beginnings of words, so that barks is barking."""
    return {word[:4] for text in texts for word in re.findall(r"[a-z]{3,}", text.lower())} - {"and", "the", "with"}


def _check(_data: dict[str, Any], _: Received) -> dict[str, Any]:
    judgements = ("coherent", "plausible", "grounded", "temporally_right", "diverse", "ok")
    return {**dict.fromkeys(judgements, True), "reason": "one place, one course of events"}


def _review(data: dict[str, Any], _: Received) -> dict[str, Any]:
    """About the first turn, by its longest word that no other turn has."""
    turns = [turn if isinstance(turn, dict) else {"index": 0, "user": turn} for turn in data["turns"]]
    later = " ".join(f"{turn['user']} {turn.get('assistant', '')}" for turn in turns[1:]).lower()
    words = [word for word in re.findall(r"[^\W_]+", turns[0]["user"]) if word.lower() not in later]
    answer = f"It was {max(words, key=len, default='nothing')}."
    return {"question": "What did I begin with?", "answer": answer, "turn_index": turns[0]["index"]}


def _audit(data: dict[str, Any], _: Received) -> dict[str, Any]:
    caption = data["caption"].lower()
    criterion = next((name for name, words in _TRIGGERS.items() if re.search(words, caption)), None)
    return {
        "reason": f"it is {'a trigger' if criterion else 'an everyday sound'}",
        "criterion": criterion,
        "label": "respond" if criterion else "silent",
        "confidence": 0.9,
    }


def _rewrite(data: dict[str, Any], _: Received) -> dict[str, Any]:
    return {"text": data["text"]}


def _respond(data: dict[str, Any], _: Received) -> dict[str, Any]:
    event = str(data["event"])[:200]
    chinese = data["language"].startswith("zh")
    text = (
        f"我听到了{event},请先退到安全的地方。"
        if chinese
        else f"I hear {event}. Step back and see that it is safe first."
    )
    return {"text": text, "emotion": "urgent"}


_REPLIES: dict[str, Callable[[dict[str, Any], Received], dict[str, Any]]] = {
    "scenario_planner": _plan,
    "event_refiner": _refine,
    "clip_captioner": lambda data, _: {"caption": f"a sound of {data['ontology'][0]}", "tags": data["ontology"][:1]},
    "clip_verifier": _verify,
    "scene_checker": _check,
    "history_review": _review,
    "silence_auditor": _audit,
    "spoken_rewriter": _rewrite,
    "responder": _respond,
}


class Chaos:
    """`smart` with faults: each request is met by a random one with probability `rate`, at most `patience` times.

    The draws depend on the request and on how often it came, not on the order of arrival. Whatever it throws, a
    client with two repairs and `patience` repeats gets its reply in the end.
    """

    def __init__(self, rate: float, *, seed: int, patience: int = 1) -> None:
        self._rate, self._seed, self._patience = rate, seed, patience
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.thrown: Counter[str] = Counter()

    def __call__(self, request: Received) -> Canned:
        key = json.dumps([self._seed, request.body["messages"]], sort_keys=True)
        with self._lock:
            occurrence = self._seen[key]
            self._seen[key] += 1
        being_repaired = len(request.body["messages"]) > 2
        digest = hashlib.sha256(f"{key}{occurrence}".encode()).digest()
        rng = np.random.default_rng(list(digest))
        if being_repaired or occurrence >= self._patience or rng.random() >= self._rate:
            return smart(request)
        name = sorted(FAULTS)[rng.integers(len(FAULTS))]
        with self._lock:
            self.thrown[name] += 1
        return FAULTS[name](request)


def _text(request: Received) -> str:
    return json.dumps(smart_reply(request))


def _many_sub_events(request: Received) -> Canned:
    plan = smart_reply(request)
    if "sub_events" in plan:
        plan["sub_events"] = [{**plan["sub_events"][0], "name": f"sound {i}"} for i in range(16)]
    return say(json.dumps(plan if "sub_events" in plan else [plan] * 16))


def _no_ambient(request: Received) -> Canned:
    plan = smart_reply(request)
    plan["sub_events"] = [event for event in plan.get("sub_events", []) if event["role"] != "ambient"]
    return say(json.dumps(plan))


def _contradiction(request: Received) -> Canned:
    plan = smart_reply(request)
    forward = plan.get("constraints", [{}])[0]
    back = {**forward, "first": forward.get("second"), "second": forward.get("first")}
    return say(json.dumps({**plan, "constraints": [forward, back]}))


FAULTS: dict[str, Callable[[Received], Canned]] = {
    "prose_around": lambda r: say(f"Certainly! Here {{it}} is:\n```json\n{_text(r)}\n```\nAnything else?"),
    "truncated": lambda r: say(_text(r)[:-20], finish_reason="length"),
    "wrong_types": lambda r: say(json.dumps({name: [17] for name in smart_reply(r)})),
    "wrong_enum": lambda r: say(
        _text(r).replace("foreground", "leading").replace("accept", "fine").replace("silent", "hush")
    ),
    "sixteen_sub_events": _many_sub_events,
    "no_ambient": _no_ambient,
    "contradiction": _contradiction,
    "empty_body": lambda _: EMPTY_BODY,
    "empty_content": lambda _: say(""),
    "rate_limited": lambda _: status(429, retry_after="0.01"),
    "server_error": lambda _: status(500),
    "hang": lambda _: HANG,
    "cut_mid_body": lambda _: CUT_MID_BODY,
    "huge": lambda _: HUGE,
    "html": lambda _: HTML,
    "refusal": lambda _: REFUSAL,
    "spoken_refusal": lambda _: SPOKEN_REFUSAL,
}
