#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Connects two `rmrtc join` processes through NATs made of network namespaces (netlab) and checks how they connect,
or that they fail with a reason in time. Prints `ok NAME (figures)`, `not ok NAME: reason`, `skip NAME: reason`.
Exit: 0 all ok, 1 a cell failed, 2 usage, 77 all skipped. Needs root, ip, nft, turnserver."""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "netlab"))
from netlab import Lab  # noqa: E402

SIGNAL_PORT, TURN_PORT = 8080, 3478
CONNECT_S = 15      # a connectable cell connects by then
REASON_S = 10       # a cell that cannot connect says why by then
LINE_S = 1          # the tool reports once a second: an error is seen up to this much late
NO_PATH = ("RM_E_ICE_NO_RELAY",)
NO_UDP = ("RM_E_ICE_NO_RELAY", "RM_E_STUN_TIMEOUT")
NO_TURN = ("RM_E_TURN_TIMEOUT", "RM_E_ICE_NO_RELAY", "RM_E_STUN_TIMEOUT")
# This side is fine, the other is not: its own view, or the reason the other side gave.
NO_PAIR = ("RM_E_ICE_FAILED", "RM_E_ICE_NO_RELAY", "RM_E_CONNECTION_TIMEOUT") + NO_TURN

NATS = {"np": "port-restricted", "nq": "port-restricted", "ny": "symmetric", "nz": "symmetric",
        "na": "addr-restricted", "nf": "full-cone", "nb": "udp-blocked"}
HOSTS = {"s": None, "o": None, "p": "np", "q": "nq", "y": "ny", "z": "nz", "a": "na", "f": "nf", "b": "nb", "u": None}


class Cell:
    """name; two hosts of the lab; servers and options of both; want: "direct", "relay", or the errors allowed
    on the left and on the right."""

    def __init__(self, name, left, right, want, stun=False, turn=False, relay_only=False):
        self.name, self.hosts, self.want = name, (left, right), want
        self.stun, self.turn, self.relay_only = stun, turn, relay_only


CELLS = [
    Cell("host to host", "o", "u", "direct"),
    Cell("port-restricted to port-restricted by STUN", "p", "q", "direct", stun=True),
    Cell("full-cone to symmetric by STUN", "f", "y", "direct", stun=True),
    Cell("address-restricted to symmetric by STUN", "a", "y", "direct", stun=True),
    Cell("relay-only on both sides", "p", "q", "relay", turn=True, relay_only=True),
    Cell("symmetric to symmetric with TURN", "y", "z", "relay", stun=True, turn=True),
    Cell("port-restricted to symmetric with TURN", "p", "y", "relay", stun=True, turn=True),
    Cell("symmetric to symmetric without TURN fails with its reason", "y", "z", (NO_PATH, NO_PATH), stun=True),
    Cell("port-restricted to symmetric without TURN fails with its reason", "p", "y", (NO_PATH, NO_PATH), stun=True),
    Cell("UDP blocked fails with its reason", "b", "o", (NO_UDP, NO_PATH), stun=True),
    Cell("UDP blocked with TURN over UDP fails with its reason", "b", "o", (NO_TURN, NO_PAIR), stun=True, turn=True),
]

# A STUN Binding request to argv[1]:argv[2] until an answer comes, for at most 10 s.
STUN_PROBE = r"""
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.2)
end = time.monotonic() + 10
while time.monotonic() < end:
    try:
        s.sendto(b"\0\1\0\0\x21\x12\xa4\x42" + b"probeprobe12", (sys.argv[1], int(sys.argv[2])))
        if s.recv(2048)[:2] == b"\1\1": sys.exit(0)
    except OSError: pass
sys.exit(1)
"""


class Join:
    """One `rmrtc join --json`; its lines are read as they come."""

    def __init__(self, lab, node, command, log):
        self.node, self.lines, self.bad = node, [], None
        self.proc = lab.popen(node, command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for text in self.proc.stdout:
            try:
                line = json.loads(text)
                line["seen_at"] = time.monotonic()
                self.lines.append(line)
            except ValueError:
                self.bad = text.strip()

    def peers(self):
        """(line, peer) of every report."""
        return [(line, peer) for line in list(self.lines) for peer in line.get("peers", [])]

    def connected(self):
        return next((p for _, p in self.peers() if p.get("state") == "connected"), None)

    def error(self):
        """(name, seconds since the peer was first reported) of the first error of a peer, or None."""
        seen = self.peers()
        for line, peer in seen:
            if peer.get("error"):
                return peer["error"].get("name"), line["seen_at"] - seen[0][0]["seen_at"]
        return None

    def summary(self):
        return next((line for line in self.lines if line.get("summary") is True), None)

    def stop(self):
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)  # `ip netns exec` became the tool itself
        try:
            self.proc.wait(5)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        self.thread.join(2)
        return self.proc.returncode


def command(rmrtc, cell, room, peer, server):
    c = [rmrtc, "join", f"ws://{server}:{SIGNAL_PORT}/ws", "--peer-id", peer, "--room", room, "--json", "--duration",
         str(CONNECT_S + REASON_S)]
    if cell.stun:
        c += ["--stun", f"stun:{server}:{TURN_PORT}"]
    if cell.turn:
        c += ["--turn", f"turn:user:pass@{server}:{TURN_PORT}"]
    if cell.relay_only:
        c += ["--relay-only"]
    return c


def judge_connected(cell, joins, codes):
    for j, code in zip(joins, codes):
        peer = j.connected()
        if not peer:
            error = j.error()
            return f"{j.node} did not connect in {CONNECT_S} s" + (f" ({error[0]})" if error else "")
        types = (peer.get("local_type"), peer.get("remote_type"))
        if cell.want == "direct" and "relay" in types:
            return f"{j.node} went by relay: {types[0]}-{types[1]}"
        if cell.want == "relay" and "relay" not in types:
            return f"{j.node} needs no relay here? {types[0]}-{types[1]}"
        if cell.relay_only and types[0] != "relay":
            return f"{j.node} is relay-only but used {types[0]}"
        if cell.want == "direct" and cell.stun and types[1] == "host":
            return f"{j.node} reached a host candidate behind a NAT: {types[0]}-{types[1]}"
        if code != 0:
            return f"{j.node} connected but its exit code is {code}"
        if not j.summary():
            return f"{j.node} printed no summary"
    return None


def judge_failed(cell, joins, codes):
    for j, code, want in zip(joins, codes, cell.want):
        if j.connected():
            return f"{j.node} connected: {j.connected().get('local_type')}-{j.connected().get('remote_type')}"
        error = j.error()
        if not error:
            return f"{j.node} gave no reason in {REASON_S} s"
        if error[0] not in want:
            return f"{j.node} gave {error[0]}, not {' or '.join(want)}"
        if error[1] > REASON_S + LINE_S:
            return f"{j.node} gave its reason after {error[1]:.1f} s"
        if code == 0:
            return f"{j.node} failed but its exit code is 0"
    return None


def figures(joins):
    out = []
    for j in joins:
        peer, error = j.connected(), j.error()
        if peer:
            ms = (peer.get("steps_ms") or {}).get("connected")
            out.append(f"{j.node} {peer.get('local_type')}-{peer.get('remote_type')}" +
                       (f" {ms:.0f} ms" if ms is not None else ""))
        elif error:
            out.append(f"{j.node} {error[0]} after {error[1]:.0f} s")
    return ", ".join(out)


def run_cell(lab, cell, number, rmrtc, server, logs):
    """None when it went well, else the reason."""
    joins = []
    try:
        for k, node in enumerate(cell.hosts):
            log = open(os.path.join(logs, f"{number:02d}-{node}.log"), "w")
            joins.append(Join(lab, node, command(rmrtc, cell, f"cell{number}", f"{node}-{k}", server), log))
            log.close()
        connects = isinstance(cell.want, str)
        end = time.monotonic() + (CONNECT_S if connects else REASON_S + 2 * LINE_S)
        while time.monotonic() < end and all(j.proc.poll() is None for j in joins):
            if all(j.connected() for j in joins) or (not connects and all(j.error() for j in joins)):
                break
            time.sleep(0.05)
        codes = [j.stop() for j in joins]
        for j in joins:
            if j.bad:
                return f"{j.node} printed what is not JSON: {j.bad[:80]}", ""
        return (judge_connected if connects else judge_failed)(cell, joins, codes), figures(joins)
    finally:
        for j in joins:
            j.stop()


def why_not():
    """Why nothing can run here, or None."""
    if os.geteuid() != 0:
        return "not root"
    for tool in ("ip", "nft", "turnserver", "cc"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun"
    name = f"rmprobe{os.getpid()}"
    probe = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if probe.returncode:
        return "network namespaces are not permitted: " + probe.stderr.strip()
    # Entering one remounts /sys, which a container or chroot may refuse even where making one is allowed.
    inside = subprocess.run(["ip", "netns", "exec", name, "true"], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    if inside.returncode:
        return "network namespaces cannot be entered: " + inside.stderr.strip().replace("\n", " ")
    return None


def start_servers(lab, rmrtc, server, logs):
    log = open(os.path.join(logs, "turnserver.log"), "w")
    lab.popen("s", ["turnserver", "-n", "--lt-cred-mech", "-u", "user:pass", "-r", "lab", "-L", server, "--no-tls",
                    "--no-dtls", "--no-cli", "--log-file", "stdout", "--pidfile", os.path.join(logs, "turn.pid"),
                    "--userdb", os.path.join(logs, "turn.db")], stdout=log, stderr=log)
    errors = open(os.path.join(logs, "signal.log"), "w")
    hub = lab.popen("s", [rmrtc, "signal", "--listen", f"{server}:{SIGNAL_PORT}"], stdout=subprocess.PIPE,
                    stderr=errors, text=True)
    if "listening" not in hub.stdout.readline():
        raise RuntimeError(f"rmrtc signal did not start, see {logs}/signal.log")
    if lab.popen("o", [sys.executable, "-c", STUN_PROBE, server, str(TURN_PORT)]).wait():
        raise RuntimeError(f"turnserver does not answer, see {logs}/turnserver.log")


def run_cells(lab, cells, rmrtc, logs):
    lab.up({h: {"via": n} if n else {} for h, n in HOSTS.items()}, {n: {"type": t} for n, t in NATS.items()})
    server = lab.s["nodes"]["s"]["ip"]
    start_servers(lab, rmrtc, server, logs)
    failed = 0
    for number, cell in cells:
        reason, seen = run_cell(lab, cell, number, rmrtc, server, logs)
        failed += reason is not None
        print(f"not ok {cell.name}: {reason}" if reason else f"ok {cell.name} ({seen})", flush=True)
    return failed


def main_of(doc, prefix, things, run):
    """Runs those asked for of `things`, which have names; run(lab, [(number, thing)], rmrtc, logs) says how many failed."""
    p = argparse.ArgumentParser(description=doc)
    p.add_argument("--rmrtc", default=os.path.join(HERE, "..", "..", "build", "bin", "rmrtc"), help="the tool to run")
    p.add_argument("--logs", help="directory for the logs; kept. Default: a temporary one, kept when something fails")
    p.add_argument("names", nargs="*", help="only those whose name contains one of these")
    o = p.parse_args()
    things = [(i, t) for i, t in enumerate(things) if not o.names or any(n in t.name for n in o.names)]
    reason = why_not()
    if reason:
        for _, t in things:
            print(f"skip {t.name}: {reason}")
        return 77
    rmrtc = os.path.abspath(o.rmrtc)
    if not os.access(rmrtc, os.X_OK):
        print(f"no such program: {rmrtc}; build it or pass --rmrtc", file=sys.stderr)
        return 2
    logs = os.path.abspath(o.logs) if o.logs else tempfile.mkdtemp(prefix=f"rm-{prefix}-")
    os.makedirs(logs, exist_ok=True)
    for s in (signal.SIGTERM, signal.SIGHUP):  # so that the lab is torn down then, too
        signal.signal(s, lambda *_: sys.exit(1))
    failed = len(things)
    try:
        with Lab(f"{prefix[0]}{os.getpid()}") as lab:
            failed = run(lab, things, rmrtc, logs)
    except RuntimeError as e:
        print(f"not ok lab: {e}")
        failed += 1
    if failed == 0 and not o.logs:
        shutil.rmtree(logs)
    elif failed:
        print(f"# logs: {logs}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main_of(__doc__, "nat", CELLS, run_cells))
