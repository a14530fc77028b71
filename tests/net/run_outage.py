#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two `rmrtc join` processes with sound in network namespaces (netlab), and outages of one's network: cuts, the interface
down and up, a new address, a NAT that forgets. Checks that both hear each other again in time and on the same connection.
One more case is a link whose rate falls and returns, with pictures (link_rate.py).
Prints `ok NAME (figures)`, `not ok NAME: reason`, `skip NAME: reason`. Exit: 0 all ok, 1 a case failed, 2 usage, 77 all
skipped. Needs root, ip, nft, a C compiler."""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import link_rate  # noqa: E402
from run_nat import Join, SIGNAL_PORT, TURN_PORT, main_of, start_servers  # noqa: E402

CONNECT_S = 15
BACK_S = 5       # SC-008; the goal is 2 s
LINE_S = 1       # the tool reports once a second: what happened is seen up to this much late
STEP_S = 0.05
DELAY = "25ms"   # of a's link, each way
MOST_S = 70      # of a case; the tool leaves then
PICTURES = ["--size", "640x360", "--bitrate", "1500"]

HOSTS = {"s": None, "a": None, "o": None, "b": "nb"}
NATS = {"nb": "port-restricted"}


class Case:
    """name, the host whose network goes away, and what is done to it; run(lab, node) returns when it is back. With
    `follow` in its place, follow(lab, node, joins) does all and judges, and there are pictures beside the sound."""

    def __init__(self, name, node, run=None, stun=False, follow=None):
        self.name, self.node, self.run, self.stun, self.follow = name, node, run, stun, follow


def cut(seconds):
    def run(lab, node):
        lab.cut(node, int(seconds * 1000))
        time.sleep(seconds)
    return run


def interface(lab, node):
    lab.ifdown(node, True)
    time.sleep(3)
    lab.ifdown(node, False)


def new_address(lab, node):
    lab.readdr(node)


CASES = [
    Case("a cut of 0.5 s", "a", cut(0.5)),
    Case("a cut of 3 s", "a", cut(3)),
    Case("a cut of 10 s", "a", cut(10)),
    Case("interface down for 3 s and up", "a", interface),
    Case("a new address", "a", new_address),
    Case("a NAT's mappings lost", "b", new_address, stun=True),
    Case("a rate of 2, 0.6 and 2 Mbit/s", "a", follow=link_rate.run),
]


def command(rmrtc, case, room, peer, server):
    c = [rmrtc, "join", f"ws://{server}:{SIGNAL_PORT}/ws", "--peer-id", peer, "--room", room, "--json", "--publish", "test",
         "--duration", str(MOST_S)]
    c += PICTURES if case.follow else ["--no-video"]
    return c + (["--stun", f"stun:{server}:{TURN_PORT}"] if case.stun else [])


def newest(join):
    """(when it was seen, the peer) of the newest report."""
    seen = join.peers()
    return (seen[-1][0]["seen_at"], seen[-1][1]) if seen else (0, {})


def wait_connected(joins):
    end = time.monotonic() + CONNECT_S
    while time.monotonic() < end:
        if all(newest(j)[1].get("state") == "connected" and newest(j)[1].get("packets_in", 0) > 100 for j in joins):
            return True
        time.sleep(STEP_S)
    return False


def wait_heard(joins, back):
    """Seconds from `back` until both report that they hear each other again, or None. What a report tells is up to LINE_S
    old: packets that came between the two reports after `back` count."""
    end, after = back + BACK_S + 2 * LINE_S, [None] * len(joins)
    while time.monotonic() < end:
        for k, j in enumerate(joins):
            reports = [(line["seen_at"], p) for line, p in j.peers() if line["seen_at"] > back]
            if after[k] is None:
                for (_, first), (at, second) in zip(reports, reports[1:]):
                    if second.get("state") == "connected" and second["packets_in"] > first["packets_in"] + 20:
                        after[k] = at - back
                        break
        if all(a is not None for a in after):
            return max(after)
        time.sleep(STEP_S)
    return None


def judge(case, joins, steps, took):
    if took is None:
        return f"not back after {BACK_S} s: " + ", ".join(f"{j.node} {newest(j)[1].get('state')}" for j in joins)
    if took > BACK_S + LINE_S:
        return f"back only after {took:.1f} s"
    for j, before in zip(joins, steps):
        if newest(j)[1].get("steps_ms", {}).get("dtls") != before:
            return f"{j.node} has new keys: the connection was made anew"
        if j.bad:
            return f"{j.node} printed what is not JSON: {j.bad[:80]}"
    return None


def run_case(lab, case, number, rmrtc, server, logs):
    """(None, figures) when it went well, else (the reason, "")."""
    joins = []
    try:
        for node in ("o", case.node):
            with open(os.path.join(logs, f"{number:02d}-{node}.log"), "w") as log:
                joins.append(Join(lab, node, command(rmrtc, case, f"case{number}", f"{node}-{number}", server), log))
        if not wait_connected(joins):
            return f"not connected in {CONNECT_S} s", ""
        steps = [newest(j)[1].get("steps_ms", {}).get("dtls") for j in joins]
        if case.follow:
            reason, figures = case.follow(lab, case.node, joins)
            return reason or judge(case, joins, steps, 0), figures
        case.run(lab, case.node)
        back = time.monotonic()
        took = wait_heard(joins, back)
        return judge(case, joins, steps, took), f"back, as reported once a second, within {took:.1f} s" if took else ""
    finally:
        for j in joins:
            j.stop()


def run_cases(lab, cases, rmrtc, logs):
    lab.up({h: {"via": n} if n else {} for h, n in HOSTS.items()}, {n: {"type": t} for n, t in NATS.items()})
    server = lab.s["nodes"]["s"]["ip"]
    start_servers(lab, rmrtc, server, logs)
    lab.set("a", delay=DELAY)
    failed = 0
    for number, case in cases:
        reason, figures = run_case(lab, case, number, rmrtc, server, logs)
        failed += reason is not None
        print(f"not ok {case.name}: {reason}" if reason else f"ok {case.name} ({figures})", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main_of(__doc__, "outage", CASES, run_cases))
