"""A headless Chromium, driven by the WebDriver protocol over loopback; just what the report's test needs."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_S = 30


def missing() -> str | None:
    """What is not installed, or None."""
    names = (("chromedriver",), ("chromium", "chromium-browser", "google-chrome"))
    absent = [choices[0] for choices in names if not any(map(shutil.which, choices))]
    return f"{' and '.join(absent)} not found: the report is not opened in a browser" if absent else None


def _request(method: str, url: str, body: bytes | None = None) -> Any:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, method=method, data=body, headers=headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:  # noqa: S310
            return json.load(reply)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"]) from error


class Browser:
    """One page in one browser."""

    def __init__(self, url: str) -> None:
        self._url = url

    def _send(self, path: str, body: Any) -> Any:
        return _request("POST", self._url + path, json.dumps(body).encode())

    def open(self, url: str) -> None:
        """Load a page."""
        self._send("/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that `script` returns."""
        return self._send("/execute/sync", {"script": script, "args": arguments})

    def wait(self, condition: str) -> None:
        """Until the JavaScript expression `condition` holds."""
        end = time.monotonic() + PATIENCE_S
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < end, f"{condition} never held"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press and release one key."""
        keys = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self._send("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": keys}]})

    def click(self, selector: str, x: float = 0.5) -> None:
        """Click on an element that is in view, at `x` of its width."""
        box = self.run(
            "const b = document.querySelector(arguments[0]).getBoundingClientRect(); return b.toJSON()", selector
        )
        place = {"x": round(box["x"] + x * box["width"]), "y": round(box["y"] + box["height"] / 2)}
        steps = [
            {"type": "pointerMove", **place},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._send("/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": steps}]})

    def keep_downloads(self, folder: Path) -> None:
        """Let pages download into `folder`."""
        params = {"behavior": "allow", "downloadPath": str(folder)}
        self._send("/goog/cdp/execute", {"cmd": "Browser.setDownloadBehavior", "params": params})

    def screenshot(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(
            self._send("/goog/cdp/execute", {"cmd": "Page.captureScreenshot", "params": {}})["data"]
        )

    def console(self) -> list[str]:
        """Messages of the console since the last call."""
        return [entry["message"] for entry in self._send("/se/log", {"type": "browser"})]

    def requested(self) -> list[str]:
        """Addresses that pages asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self._send("/se/log", {"type": "performance"})]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


@contextmanager
def browser(profile: Path, *, width: int, height: int) -> Iterator[Browser]:
    """A browser whose page has `width` x `height` CSS pixels; its profile goes to the new folder `profile`."""
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        assert driver.stdout is not None
        port = next(found[1] for line in driver.stdout if (found := re.search(r"successfully on port (\d+)", line)))
        quiet = ("first-run", "default-browser-check", "sandbox")
        disabled = ("gpu", "background-networking", "component-update", "sync", "dev-shm-usage", "extensions")
        arguments = ["--headless=new", f"--user-data-dir={profile}", *(f"--no-{name}" for name in quiet)]
        options = {
            "args": [*arguments, *(f"--disable-{name}" for name in disabled)],
            "mobileEmulation": {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1, "touch": False}},
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        service = f"http://127.0.0.1:{port}/session"
        session = _request("POST", service, json.dumps({"capabilities": {"alwaysMatch": wanted}}).encode())
        try:
            yield Browser(f"{service}/{session['sessionId']}")
        finally:
            _request("DELETE", f"{service}/{session['sessionId']}")
    finally:
        driver.terminate()
        driver.wait(PATIENCE_S)
