#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU of the same 720p30 H.264 call at 1.5 Mbit/s by this library and by GStreamer's webrtcbin, in turns.

    compare.py RMRTC PICTURES [RUNS]

Sender and receiver are processes of their own; CPU is user and system time of the process (getrusage) over five seconds
after three, the pictures paced as by a camera. The cost of making or feeding them is measured and taken off on both sides.
One JSON line a figure: medians of the runs, and the ratio of the medians.
"""
import json
import os
import statistics
import subprocess
import sys
import threading
import time

# Debian's own Python has the bindings of Debian's GStreamer.
HERE = os.path.dirname(os.path.abspath(__file__))
SETTLE_S, WINDOW_S, ANSWER_S = 3, 5, 20


class Process:
    """A child that talks JSON lines."""

    def __init__(self, args, on_message=None):
        self.child = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answers, self.arrived, self.on_message = [], threading.Condition(), on_message
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.child.stdout:
            message = json.loads(line)
            if "cpu_s" not in message:
                self.on_message(message)
                continue
            with self.arrived:
                self.answers.append(message)
                self.arrived.notify()

    def write(self, text):
        self.child.stdin.write(text + "\n")
        self.child.stdin.flush()

    def ask(self, text):
        self.write(text)
        with self.arrived:
            if not self.arrived.wait_for(lambda: self.answers, ANSWER_S):
                raise RuntimeError(f"no answer from {self.child.args}")
            return self.answers.pop(0)

    def stop(self):
        self.child.stdin.close()
        try:
            self.child.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def window(processes, question):
    before = [p.ask(question) for p in processes]
    time.sleep(WINDOW_S)
    return before, [p.ask(question) for p in processes]


def percent(before, after, seconds):
    own = lambda a: a["cpu_s"] - a.get("source_cpu_s", 0)
    return 100 * (own(after) - own(before)) / seconds


def ours(rmrtc):
    server = subprocess.Popen([rmrtc, "signal", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    url = next(word for word in server.stdout.readline().split() if word.startswith("ws://"))
    role = lambda *args: Process([rmrtc, "bench", "--role", f"url={url}", "audio=0", "codec=h264", *args])
    children = []
    try:
        receiver = role("id=b", "take=count")
        children.append(receiver)
        receiver.ask("look")
        sender = role("id=a", "publish=test", "kbps=1500")
        children.append(sender)
        sender.ask("connected")
        time.sleep(SETTLE_S)
        (s0, r0), (s1, r1) = window([sender, receiver], "look")
    finally:
        for child in children:
            child.stop()
        server.terminate()
        server.wait()
    seconds = (r1["now_us"] - r0["now_us"]) / 1e6
    return {
        "send": percent(s0, s1, (s1["now_us"] - s0["now_us"]) / 1e6),
        "receive": percent(r0, r1, seconds),
        "fps": (r1["pictures"] - r0["pictures"]) / seconds,
    }


def gstreamer(pictures):
    peer = ["/usr/bin/python3", os.path.join(HERE, "gst_peer.py")]
    look = json.dumps({"look": True})
    pair = {}
    receiver = Process([*peer, "receive"], lambda m: pair["sender"].write(json.dumps(m)))
    pair["sender"] = sender = Process([*peer, "send", pictures], lambda m: receiver.write(json.dumps(m)))
    try:
        deadline = time.monotonic() + ANSWER_S
        while receiver.ask(look)["frames"] == 0:
            if time.monotonic() > deadline:
                raise RuntimeError("GStreamer's peers did not connect")
            time.sleep(0.1)
        time.sleep(SETTLE_S)
        (s0, r0), (s1, r1) = window([sender, receiver], look)
    finally:
        sender.stop()
        receiver.stop()
    feeder = Process([*peer, "feed", pictures])
    try:
        feeder.ask(look)
        time.sleep(1)
        (f0,), (f1,) = window([feeder], look)
    finally:
        feeder.stop()
    seconds = r1["now_s"] - r0["now_s"]
    feeding = percent(f0, f1, f1["now_s"] - f0["now_s"])
    return {
        "send": percent(s0, s1, s1["now_s"] - s0["now_s"]) - feeding,
        "receive": percent(r0, r1, seconds),
        "fps": (r1["frames"] - r0["frames"]) / seconds,
        "feeding": feeding,
    }


def main():
    rmrtc, pictures = sys.argv[1:3]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    us, them = [], []
    for _ in range(runs):
        us.append(ours(rmrtc))
        them.append(gstreamer(pictures))
    for name, unit in (("send", "%"), ("receive", "%"), ("fps", "/s")):
        a, b = (statistics.median(run[name] for run in side) for side in (us, them))
        print(
            json.dumps(
                {
                    "metric": name + ("_cpu_h264" if unit == "%" else ""),
                    "unit": unit,
                    "remotemedia": round(a, 2),
                    "gstreamer": round(b, 2),
                    "ratio": round(a / b, 3) if b else None,
                    "n": runs,
                }
            )
        )
    load = os.getloadavg()[0]
    print(f"load average {load:.1f}, {os.cpu_count()} cores; feeding pictures to GStreamer: "
          f"{statistics.median(run['feeding'] for run in them):.1f} % of a core, not included", file=sys.stderr)


main()
