"""More clients than may wait at the edge."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request

import zmq


class Overflow:
    """Ten clients a port, so that more wait than may; each notes who answered, or how it was turned away."""

    def __init__(self, rig):
        self.rig, self.names, self.wrong, self._over = rig, set(), [], threading.Event()
        self._threads = [threading.Thread(target=self._loop, args=(a,)) for a in (self._get, self._req) * 10]

    def __enter__(self):
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_):
        """Ask no more."""
        time.sleep(0.5)
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _loop(self, ask):
        while not self._over.wait(0.02):
            try:
                self.names.add(ask())
            except Exception as error:  # noqa: BLE001  (every way to fail counts)
                self.wrong.append(repr(error))

    def _get(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rig.http}/", timeout=20) as reply:
                return json.load(reply)["name"]
        except urllib.error.HTTPError as error:
            with error:
                return str(error.code) if error.headers["Retry-After"] else "no Retry-After"

    def _req(self):
        with zmq.Context() as context, context.socket(zmq.REQ) as asking:
            asking.linger, asking.rcvtimeo = 0, 20_000
            asking.connect(f"tcp://127.0.0.1:{self.rig.zmq}")
            asking.send_json({"method": "health"})
            told = asking.recv_json()
            return told.get("name") or told["code"]
