# SPDX-License-Identifier: Apache-2.0
"""A link whose rate falls and returns under sound and pictures: what run_outage.py does then and how it judges.

All rates are means over WINDOW_S of counters read once a second, those of the link of IP packets as its emulator counts
them, those of pictures of RTP payload as the receiver does. The limits are for a shared machine, where a process that
does not run for 0.2 s looks like a full queue; what is seen at low load stands beside them."""
import time

from run_nat import LINE_S

HIGH, LOW = "2mbit", "600kbit"
LOW_BPS = 600e3
SAMPLE_S = 1
WINDOW_S = 3
WARM_S, LOW_S = 10, 16
SETTLE_S = 5        # seen: 1..3 s from the fall until what is sent is below the capacity
STEADY_S = 8        # from here on in the low phase the sound is judged: its buffer has followed, too
BACK_S = 20         # seen: 5..11 s; 15 s is the goal
OVER = 1.05         # of the capacity: the queue takes what is sent above it in one window and gives it to the next
USED = 0.5          # of the capacity at least: who sends nothing is below the capacity, too
LOST = 0.01         # of the packets in the low phase, to a full queue
CONCEALED = 0.05    # of the sound's samples
HEARD = 0.9         # of the packets of sound that are sent
BACK = 0.8          # of the rate of pictures that was there before


class Watch:
    """The counters of the link and of both sides: link[direction] and sides[k] are lists of (when, counters)."""

    def __init__(self, lab, node, joins):
        self.lab, self.node, self.joins = lab, node, joins
        self.link = {"out": [], "in": []}

    def until(self, end):
        while time.monotonic() < end:
            now, stats = time.monotonic(), self.lab.stats(self.node)
            for d, samples in self.link.items():
                samples.append((now, stats[d]))
            time.sleep(max(0, min(SAMPLE_S, end - time.monotonic())))

    def side(self, k):
        return [(line["seen_at"], flat(peer)) for line, peer in self.joins[k].peers() if "media" in peer]


def flat(peer):
    m = peer["media"]
    return {"state": peer["state"], "pictures": m["video_in"]["bytes"], "sound": m["audio_in"]["packets"],
            "sound_sent": m["audio_out"]["packets"], "samples": m["total_samples"], "concealed": m["concealed_samples"]}


def grown(samples, name, begin, end):
    """(by how much a counter grew between the first and the last sample of a time, in how many seconds)."""
    inside = [(t, c[name]) for t, c in samples if begin <= t <= end]
    if len(inside) < 2:
        return 0, 0
    return inside[-1][1] - inside[0][1], inside[-1][0] - inside[0][0]


def share(samples, part, whole, begin, end):
    return grown(samples, part, begin, end)[0] / max(1, grown(samples, whole, begin, end)[0])


def windows(samples, name, begin, end):
    """(its begin, its end, bit/s of a counter of bytes) of every window of that time, one for each sample."""
    inside = [(t, c[name]) for t, c in samples if begin <= t <= end]
    out = []
    for i, (t, v) in enumerate(inside):
        later = next(((u, w) for u, w in inside[i:] if u - t >= WINDOW_S - SAMPLE_S / 2), None)
        if later:
            out.append((t, later[0], 8 * (later[1] - v) / (later[0] - t)))
    return out


def under_after(samples, fall, end):
    """Seconds from the fall from which on every window is below the capacity; None when the last one is not."""
    begin = fall
    for t, _, bps in windows(samples, "rx_bytes", fall, end):
        if bps > OVER * LOW_BPS:
            begin = t + SAMPLE_S
    return begin - fall if begin + WINDOW_S < end else None


def back_after(samples, wanted, back):
    """Seconds from the link's return to the end of the first window with that rate of pictures, or None."""
    seen = windows(samples, "pictures", back, back + BACK_S + 2 * LINE_S)
    return next((end - back for _, end, bps in seen if bps >= wanted), None)


def judge_link(watch, fall, back):
    """(reason or None, figures)"""
    seen = []
    for d, samples in watch.link.items():
        under = under_after(samples, fall, back)
        if under is None or under > SETTLE_S + SAMPLE_S:
            return f"{d}: more is sent than {LOW} for " + (f"{under:.0f} s" if under else "all the time"), ""
        sent, seconds = grown(samples, "rx_bytes", fall + SETTLE_S, back)
        kbps = 8e-3 * sent / max(1, seconds)
        lost = share(samples, "drop_queue", "rx", fall + SETTLE_S, back)
        if kbps * 1e3 < USED * LOW_BPS:
            return f"{d}: only {kbps:.0f} kbit/s of {LOW} are used", ""
        if lost > LOST:
            return f"{d}: {100 * lost:.1f} % lost to the full queue from {SETTLE_S} s after the fall on", ""
        seen.append(f"{d} under after {under:.0f} s, then {kbps:.0f} kbit/s, {100 * lost:.2f} % lost")
    return None, "; ".join(seen)


def judge_sound(name, samples, senders, fall, back):
    if not samples:
        return f"{name} reported no media", ""
    end = samples[-1][0]
    if any(c["state"] != "connected" for t, c in samples if t >= fall):
        return f"{name} lost the connection", ""
    concealed = share(samples, "concealed", "samples", fall + STEADY_S, back)
    if concealed > CONCEALED or not grown(samples, "samples", fall + STEADY_S, back)[0]:
        return f"{name}: {100 * concealed:.1f} % of the sound concealed while the rate was low", ""
    for a, b in ((fall + SETTLE_S, back), (back, end)):
        heard = grown(samples, "sound", a, b)[0] / max(1, grown(senders, "sound_sent", a, b)[0])
        if heard < HEARD:
            return f"{name}: only {100 * heard:.0f} % of the sound's packets came", ""
    return None, f"{name} {100 * concealed:.1f} % concealed"


def run(lab, node, joins):
    """(reason or None, figures) of one fall and return; the two joins are connected and send sound and pictures."""
    watch = Watch(lab, node, joins)
    lab.set(node, rate=HIGH)
    try:
        watch.until(time.monotonic() + WARM_S)
        fall = time.monotonic()
        lab.set(node, rate=LOW)
        watch.until(fall + LOW_S)
        back = time.monotonic()
        lab.set(node, rate=HIGH)
        before = []
        for k in range(len(joins)):
            n, s = grown(watch.side(k), "pictures", fall - WARM_S / 2, fall)
            before.append(8 * n / max(1, s))
        took = [None]
        while any(t is None for t in took) and time.monotonic() < back + BACK_S + LINE_S:
            watch.until(time.monotonic() + SAMPLE_S)
            took = [back_after(watch.side(k), BACK * before[k], back) for k in range(len(joins))]
    finally:
        lab.set(node, rate="0")  # of the next case
    return judge(watch, fall, back, before, took)


def judge(watch, fall, back, before, took):
    reason, figures = judge_link(watch, fall, back)
    for k, j in enumerate(watch.joins):
        if reason:
            break
        reason, seen = judge_sound(j.node, watch.side(k), watch.side(1 - k), fall, back)
        figures += "; " + seen
        if not reason and not before[k]:
            reason = f"{j.node} had no pictures before the fall"
        if not reason and (took[k] is None or took[k] > BACK_S + LINE_S):
            reason = f"{j.node}: pictures below {100 * BACK:.0f} % of {before[k] / 1e3:.0f} kbit/s after {BACK_S} s"
        if not reason:
            figures += f", pictures of {before[k] / 1e3:.0f} kbit/s back after {took[k]:.1f} s"
    return reason, figures
