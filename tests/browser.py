"""A headless Chromium, driven over the two pipes of its DevTools protocol."""

import contextlib
import json
import os
import shutil
import subprocess

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()


class Browser:
    """One page of a browser; `errors` holds what its console has complained about."""

    def __init__(self, folder):
        their_in, self.to = os.pipe()
        self.back, their_out = os.pipe()
        pipes = f'exec "$@" 3<&{their_in} 4>&{their_out}'
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", "--remote-debugging-pipe"]
        self.process = subprocess.Popen(
            ["bash", "-c", pipes, "bash", *command],
            pass_fds=(their_in, their_out),
            stderr=subprocess.DEVNULL,
        )
        os.close(their_in)
        os.close(their_out)
        self.number, self.rest, self.events, self.errors, self.session = 0, b"", [], [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in "Page", "Runtime", "Log":
            self.call(f"{domain}.enable")

    def close(self):
        with contextlib.suppress(OSError):
            os.close(self.to)
        self.process.kill()
        self.process.wait()
        os.close(self.back)

    def call(self, method, **params):
        """Call a method of the protocol and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer}"
                return answer["result"]

    def _next(self):
        """Return the next message; complaints of the page's console are kept."""
        while b"\0" not in self.rest:
            chunk = os.read(self.back, 2**20)
            assert chunk, "the browser has ended"
            self.rest += chunk
        line, _, self.rest = self.rest.partition(b"\0")
        message = json.loads(line)
        method, params = message.get("method", ""), message.get("params", {})
        self.events.append(method)
        if method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(params["entry"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.errors.append(params["args"])
        return message

    def open(self, path, *, width=1200, dark=False):
        """Open a file as a window of this width shows it, light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while "Page.loadEventFired" not in self.events:
            self._next()

    def value(self, script):
        """Evaluate an expression in the page, awaiting promises; returns its value."""
        done = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def drag(self, start, end):
        """Press the mouse at a point of the window, move it to another one, and let go."""
        for kind, (x, y) in ("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1,
                clickCount=1,
            )  # fmt: skip

    def press(self, key):
        """Press a key that writes nothing, such as ArrowRight or Tab."""
        for kind in "keyDown", "keyUp":
            code = {"ArrowRight": 39, "ArrowLeft": 37, "Tab": 9}[key]
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)
