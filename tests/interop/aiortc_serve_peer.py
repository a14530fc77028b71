# SPDX-License-Identifier: Apache-2.0
"""A client in the dialect of RemoteMedia's SDK against `rmrtc serve`. Usage: aiortc_serve_peer.py URL

Prints "ok NAME" or "not ok NAME: reason" for each case. The server's pipeline is one PassThrough node, "echo", and it has
room for three clients.
"""

import asyncio
import base64
import fractions
import json
import math
import struct
import sys
import traceback

import av
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from websocket_client import TEXT, Signaling

SERVER = "remotemedia-server"
PATIENCE_S = 10
QUIET_S = 0.7  # long enough for an answer that must not come
RATE = 48000

# ---- protobuf, as much as is needed: fields with a number, a varint or bytes ----


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(**fields):
    """f1=..., f2=...: fields by their numbers."""
    return b"".join(field(int(name[1:]), value) for name, value in fields.items())


def parse(data):
    """{number: last value}"""
    out, at = {}, 0

    def take():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n

    while at < len(data):
        tag = take()
        if tag & 7 == 0:
            out[tag >> 3] = take()
        elif tag & 7 == 2:
            size = take()
            out[tag >> 3], at = data[at:at + size], at + size
        else:
            raise ValueError(f"wire type {tag & 7}")
    return out


def text_buffer(text):
    return message(f5=message(f1=text, f2="utf-8"))


def text_of(data):
    return parse(parse(data)[5])[1].decode()


def addr(direction, node="echo"):
    return message(f1=node, f3=direction)


IN, OUT = 1, 2
DISABLED = 3

# ---- the client ----


class Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self):
        super().__init__()
        self.count, self.start = 0, None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.start = self.start or loop.time()
        await asyncio.sleep(max(0, self.start + self.count * 0.02 - loop.time()))
        size = RATE // 50
        frame = av.AudioFrame(format="s16", layout="mono", samples=size)
        frame.planes[0].update(b"".join(
            struct.pack("<h", int(8000 * math.sin(2 * math.pi * 440 * (self.count * size + i) / RATE)))
            for i in range(size)))
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.count * size, fractions.Fraction(1, RATE)
        self.count += 1
        return frame


class Rpc(Signaling):
    """Keeps what comes without an id, too."""

    def __init__(self):
        self.events = asyncio.Queue()
        self.candidates = asyncio.Queue()
        self.without_id = asyncio.Queue()
        super().__init__(self.note)

    async def note(self, method, params):
        if method == "peer.ice_candidate":
            self.candidates.put_nowait(params)
        else:
            self.events.put_nowait((method, params))

    def _take(self, message):
        if "method" not in message and message.get("id") is None:
            self.without_id.put_nowait(message)
        else:
            super()._take(message)

    def say(self, message):
        self._send(TEXT, json.dumps(message).encode())

    async def refused(self, method, params):
        """The code of the error that has to come."""
        try:
            result = await asyncio.wait_for(self.request(method, params), PATIENCE_S)
        except RuntimeError as e:
            return json.loads(str(e))["code"]
        raise AssertionError(f"{method} {params} was not refused: {result}")

    async def event(self, method, wanted=lambda params: True):
        async def find():
            while True:
                name, params = await self.events.get()
                if name == method and wanted(params):
                    return params
        return await asyncio.wait_for(find(), PATIENCE_S)


class Client:
    def __init__(self, peer_id):
        self.id = peer_id
        self.rpc = Rpc()
        self.pc = None
        self.tasks = []

    async def join(self, url):
        await self.rpc.open(url)
        return await self.rpc.request("peer.announce", {
            "peer_id": self.id, "capabilities": ["audio", "video", "data"], "user_data": {"name": self.id}})

    async def call(self, audio=True, listen=False):
        """An offer to the server. Its candidates go before it, one by one, as those of a hasty browser."""
        self.pc = RTCPeerConnection()
        self.heard, self.messages, self.control_events = 0, asyncio.Queue(), asyncio.Queue()
        if audio:
            self.pc.addTrack(Tone())
        if listen:
            self.pc.addTransceiver("audio", direction="recvonly")

        @self.pc.on("track")
        def on_track(track):
            self.tasks.append(asyncio.ensure_future(self.listen(track)))

        self.data = self.channel("chat", self.messages)
        self.control = self.channel("remotemedia-control", self.control_events)
        await self.pc.setLocalDescription(await self.pc.createOffer())
        lines = self.pc.localDescription.sdp.split("\r\n")
        for line in lines:
            if line.startswith("a=candidate"):
                result = await self.rpc.request("peer.ice_candidate", {
                    "from": self.id, "to": SERVER, "candidate": line[2:], "sdp_mid": "0", "sdp_m_line_index": 0})
                assert result["success"] and result.get("buffered") is not False, result
        sdp = "\r\n".join(line for line in lines if not line.startswith(("a=candidate", "a=end-of-candidates")))
        answer = await asyncio.wait_for(
            self.rpc.request("peer.offer", {"from": self.id, "to": SERVER, "sdp": sdp}), PATIENCE_S)
        assert answer["type"] == "answer" and answer["from"] == SERVER and answer["to"] == self.id, answer
        await self.pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        self.tasks.append(asyncio.ensure_future(self.take_candidates()))
        await asyncio.wait_for(asyncio.gather(self.data.is_open.wait(), self.control.is_open.wait()), PATIENCE_S)

    def channel(self, label, messages):
        channel = self.pc.createDataChannel(label)
        channel.is_open = asyncio.Event()
        channel.on("open", channel.is_open.set)
        channel.on("message", messages.put_nowait)
        return channel

    async def take_candidates(self):
        from aiortc.sdp import candidate_from_sdp
        while True:
            params = await self.rpc.candidates.get()
            if params["candidate"]:
                assert params["from"] == SERVER, params
                candidate = candidate_from_sdp(params["candidate"].split(":", 1)[1])
                candidate.sdpMid, candidate.sdpMLineIndex = params["sdp_mid"], params["sdp_m_line_index"]
                await self.pc.addIceCandidate(candidate)

    async def listen(self, track):
        while True:
            await track.recv()
            self.heard += 1

    async def echo(self, text):
        """Sent as a DataBuffer, and back through the pipeline."""
        self.data.send(text_buffer(text))
        back = text_of(await asyncio.wait_for(self.messages.get(), PATIENCE_S))
        assert back == text, f"{back!r} came back, not {text!r}"

    async def frame(self, **fields):
        self.control.send(message(**fields))

    async def control_event(self, number):
        """The next event has to be of this kind."""
        event = parse(await asyncio.wait_for(self.control_events.get(), PATIENCE_S))
        assert list(event) == [number], f"{event}, not field {number}"
        return parse(event[number])

    async def hang_up(self):
        for task in self.tasks:
            task.cancel()
        self.tasks = []
        if self.pc:
            await self.pc.close()
        self.pc = None

    async def leave(self):
        await self.hang_up()
        await self.rpc.close()


async def no_more(queue):
    await asyncio.sleep(QUIET_S)
    assert queue.empty(), f"unexpected: {queue.get_nowait()}"


# ---- cases, on one client that stays ----


async def methods(c, url):
    stranger = Rpc()
    await stranger.open(url)
    assert await stranger.refused("peer.offer", {"from": "x", "to": SERVER, "sdp": "v=0\r\nm="}) == -32600
    assert await stranger.refused("control.flush_audio", {}) == -32600
    info = await stranger.request("server.info", {})
    assert info["hostname"] and all(set(a) == {"ip", "is_default"} for a in info["addresses"]), info
    await stranger.close()
    joined = await c.join(url)
    assert joined == {"success": True, "peer_id": c.id, "peers_count": 1, "other_peers": []}, joined
    assert await c.rpc.refused("peer.announce", {"peer_id": c.id, "capabilities": []}) == -32602
    for method in ("peer.list", "list_peers"):
        listed = await c.rpc.request(method, {})
        assert listed["count"] == 1 and listed["peers"][0]["peer_id"] == c.id, listed
        assert listed["peers"][0]["metadata"] == {"name": c.id} and listed["peers"][0]["connected_at"] > 1e9, listed
    assert await c.rpc.refused("peer.sing", {}) == -32601
    assert await c.rpc.refused("peer.offer", {"from": c.id, "to": SERVER, "sdp": "v=1"}) == -32002
    for sdp in ("v=0\r\nm=audio\r\n", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"):
        assert await c.rpc.refused("peer.offer", {"from": c.id, "to": SERVER, "sdp": sdp}) == -32002
    assert await c.rpc.refused("peer.offer", {"from": c.id, "to": "nobody", "sdp": "v=0\r\nm="}) == -32000
    assert await c.rpc.refused("peer.ice_candidate", {"from": c.id, "to": SERVER, "candidate": "bad"}) == -32004
    assert await c.rpc.refused("control.flush_audio", {}) == -32602  # no session yet
    c.rpc.say({"jsonrpc": "2.0", "id": 77, "method": "peer.offer", "params": {"from": c.id}})
    answer = await asyncio.wait_for(c.rpc.without_id.get(), PATIENCE_S)
    assert answer["error"]["code"] == -32603 and answer["id"] is None, answer
    c.rpc.say({"jsonrpc": "2.0", "method": "peer.list", "params": {}})
    answer = await asyncio.wait_for(c.rpc.without_id.get(), PATIENCE_S)
    assert answer["result"]["count"] == 1, answer


async def loading_is_told(c, url):
    await c.rpc.request("control.subscribe", {"topic": "__system__"})
    await c.call()
    statuses = []
    while "ready" not in statuses:
        event = await c.rpc.event("control.event")
        assert event["topic"] == "__system__" and event["payload"]["kind"] == "loading", event
        statuses.append(event["payload"]["status"])
    assert statuses == ["initializing", "loading_node", "ready"], statuses
    await c.rpc.request("control.unsubscribe", {"topic": "__system__"})


async def states_are_told(c, url):
    other = Client("second")
    await other.join(url)
    await other.call(audio=False)
    state, seen = None, []
    while state != "connected":
        params = await other.rpc.event("peer.state_change")
        assert params["peer_id"] == "second" and params["timestamp"] > 1e12, params
        assert params.get("previous_state") == state, params
        state = params["connection_state"]
        seen.append(state)
    assert seen == ["connecting", "connected"], seen
    await other.echo("without sound")
    await other.leave()
    assert (await c.rpc.event("peer.left"))["peer_id"] == "second"


async def data_goes_through(c, url):
    for text in ("hello", "", "gr\u00fc\u00dfe \u4e16\u754c", "x" * 60000):
        await c.echo(text)
    for i in range(200):
        c.data.send(text_buffer(f"number {i}"))
    for i in range(200):
        assert text_of(await asyncio.wait_for(c.messages.get(), PATIENCE_S)) == f"number {i}"
    value = {"a": [1, 2.5, None], "b": "text"}
    c.data.send(message(f4=message(f1=json.dumps(value))))
    back = parse(parse(await asyncio.wait_for(c.messages.get(), PATIENCE_S))[4])
    assert json.loads(back[1]) == value, back
    c.data.send(message(f6=message(f1=bytes(range(256)), f2="application/x")))
    back = parse(parse(await asyncio.wait_for(c.messages.get(), PATIENCE_S))[6])
    assert back[1] == bytes(range(256)), back
    c.data.send(b"\xff\xff\xff no message")
    await c.echo("still here")


async def sound_goes_through(c, url):
    before = c.heard
    end = asyncio.get_running_loop().time() + PATIENCE_S
    while c.heard < before + 50:  # a second of 20 ms
        assert asyncio.get_running_loop().time() < end, f"only {c.heard - before} frames in {PATIENCE_S} s"
        await asyncio.sleep(0.05)


async def topics_are_watched(c, url):
    result = await c.rpc.request("control.subscribe", {"topic": "echo.out", "include_audio": True})
    assert result == {"subscribed": True, "topic": "echo.out"}, result
    event = await c.rpc.event("control.event", lambda p: p["kind"] == "audio")
    sound = event["payload"]
    samples = base64.b64decode(sound["samples_b64"])
    assert sound["sample_rate"] == RATE and len(samples) == 4 * sound["size"] and any(samples), sound
    await c.echo("seen")
    event = await c.rpc.event("control.event", lambda p: p["kind"] == "text")
    assert event["topic"] == "echo.out" and event["payload"] == "seen" and event["channel"] == "tts", event
    assert event["ts"] > 1e12, event
    for payload, kind, shown in ((({"json": {"n": 1}}), "json", {"n": 1}), ({"free": 2}, "json", {"free": 2}),
                                 ({"binary_b64": "AAEC"}, "binary", {"size": 3, "b64": "AAEC"}),
                                 ("bare", "text", "bare"), ({"text": "t"}, "text", "t")):
        result = await c.rpc.request("control.publish", {"topic": "echo.in", "payload": payload})
        assert result == {"published": True, "topic": "echo.in"}, result
        event = await c.rpc.event("control.event", lambda p: p["kind"] != "audio")
        assert event["kind"] == kind and event["payload"] == shown, event
        await asyncio.wait_for(c.messages.get(), PATIENCE_S)  # and to the client
    result = await c.rpc.request("control.unsubscribe", {"topic": "echo.out"})
    assert result == {"unsubscribed": True, "topic": "echo.out"}, result
    for method, params in (("subscribe", {"topic": "nobody.out"}), ("subscribe", {"topic": "echo.in"}),
                           ("subscribe", {}), ("publish", {"topic": "echo.out", "payload": "x"}),
                           ("publish", {"topic": "echo.in", "payload": {"binary_b64": "?"}}),
                           ("publish", {"topic": "echo.in"}), ("set_node_state", {"node_id": "echo", "state": "off"}),
                           ("set_node_state", {"node_id": "nobody", "state": "bypass"})):
        code = await c.rpc.refused("control." + method, params)
        assert code == -32602, f"{method} {params}: {code}"


async def a_node_is_switched_off(c, url):
    result = await c.rpc.request("control.set_node_state", {"node_id": "echo", "state": "disabled"})
    assert result == {"success": True, "node_id": "echo", "state": "Disabled"}, result
    c.data.send(text_buffer("into nothing"))
    await no_more(c.messages)
    await c.rpc.request("control.set_node_state", {"node_id": "echo", "state": "bypass"})
    await c.echo("around it")
    await c.rpc.request("control.set_node_state", {"node_id": "echo", "state": "enabled"})
    await c.echo("through it")
    result = await c.rpc.request("control.flush_audio", {})
    assert result["flushed"] is True and result["frames_dropped"] >= 0, result


async def speech_is_paced_and_flushed(c, url):
    """Seconds of sound at once, as from a node that speaks: they come as fast as they are heard, until somebody
    interrupts."""
    other = Client("listener")
    await other.join(url)
    await other.call(audio=False, listen=True)
    try:
        await listen_and_interrupt(other)
    finally:
        await other.leave()


async def listen_and_interrupt(other):
    loop = asyncio.get_running_loop()

    async def speak(seconds):
        for i in range(seconds * 10):  # 100 ms each
            samples = b"".join(struct.pack("<f", math.sin(2 * math.pi * 440 * n / 16000)) for n in range(1600))
            other.data.send(message(f1=message(f1=samples, f2=16000, f3=1, f4=1, f5=1600)))
        await other.echo("spoken")  # behind it through the pipeline

    begin = loop.time()
    await speak(3)
    while other.heard < 140:  # of 150; the last few wait in the jitter buffer of aiortc until more comes
        assert loop.time() < begin + 2 * PATIENCE_S, f"only {other.heard} of 150 frames in {2 * PATIENCE_S} s"
        await asyncio.sleep(0.02)
    took = loop.time() - begin
    assert took > 2, f"3 s of sound came within {took:.1f} s"
    await speak(20)
    dropped = (await other.rpc.request("control.flush_audio", {}))["frames_dropped"]
    assert 50 < dropped < 1000, f"{dropped} frames of 20 s were dropped"
    await asyncio.sleep(1.5)  # what was on its way
    assert other.heard <= 150 + 1000 - dropped, f"{other.heard} heard and {dropped} dropped of 1150"
    heard = other.heard
    await asyncio.sleep(QUIET_S)
    assert other.heard <= heard + 2, f"{other.heard - heard} frames came long after the flush"


async def the_control_channel_works(c, url):
    await c.frame(f2=message(f1=addr(OUT)))
    error = await c.control_event(4)
    assert error[1] == 4, error  # hello has to come first
    await c.frame(f1=message(f1="somebody-else"))
    assert (await c.control_event(4))[1] == 1
    await c.frame(f1=message(f2="me"))
    attached = await c.control_event(1)
    assert attached[2] == b"me" and len(attached[1]) == 36, attached
    await c.frame(f2=message(f1=addr(OUT, "nobody")))
    assert (await c.control_event(4))[1] == 2
    await c.frame(f2=message(f1=addr(IN)))
    heard = parse((await c.control_event(2))[2])  # sound flows all the time
    assert parse(heard[1])[2] == RATE, heard
    await c.frame(f3=message(f1=addr(IN)))
    await c.frame(f8=message(f1="echo", f2=DISABLED))
    await no_more_texts(c, "nothing")
    await c.frame(f9=message(f1="echo"))
    await c.frame(f4=message(f1=addr(IN), f2=text_buffer("published")))
    assert text_of(await asyncio.wait_for(c.messages.get(), PATIENCE_S)) == "published"


async def no_more_texts(c, text):
    """Also waits until the frame before has taken effect: both channels are ordered, but not with one another."""
    await asyncio.sleep(0.2)
    c.data.send(text_buffer(text))
    await no_more(c.messages)


async def items_are_intercepted(c, url):
    while not c.control_events.empty():
        c.control_events.get_nowait()
    await c.rpc.request("control.set_node_state", {"node_id": "echo", "state": "enabled"})
    await c.frame(f5=message(f1=addr(OUT), f2=1000))
    decided = 0

    async def decide():
        nonlocal decided
        while True:
            event = parse(await c.control_events.get())
            request = parse(event[3])
            data = parse(request[3])
            text = parse(data[5])[1] if 5 in data else b""
            decision = {b"change me": message(f2=text_buffer("changed")), b"drop me": message(f3=b"")}
            await c.frame(f7=message(f1=request[2], f2=decision.get(text, message(f1=b""))))
            decided += 1

    task = asyncio.ensure_future(decide())
    try:
        await asyncio.sleep(0.2)
        for text in ("drop me", "change me", "leave me"):
            c.data.send(text_buffer(text))
        for text in ("changed", "leave me"):
            back = text_of(await asyncio.wait_for(c.messages.get(), PATIENCE_S))
            assert back == text, back
        assert decided >= 3, decided
    finally:
        await c.frame(f6=message(f1=addr(OUT)))
        task.cancel()
    await c.echo("free again")


async def who_does_not_read_misses_events(c, url):
    """More events than the sockets hold: the connection stays, and the client is told how many it missed."""
    other = Client("slow")
    await other.join(url)
    await other.call(audio=False)
    try:
        await other.rpc.request("control.subscribe", {"topic": "echo.out"})
        other.rpc.writer.transport.pause_reading()
        for i in range(90):  # 18 MB; within the rate of messages that the server takes
            other.rpc.say({"jsonrpc": "2.0", "id": 10000 + i, "method": "control.publish",
                           "params": {"topic": "echo.in", "payload": "x" * 200000}})
            await asyncio.sleep(0 if i < 30 else 0.1)
        await other.rpc.writer.drain()
        other.rpc.writer.transport.resume_reading()
        # The reply comes behind the events that wait: room for the next event is certain.
        await asyncio.wait_for(other.rpc.request("control.flush_audio", {}), PATIENCE_S)
        await other.rpc.request("control.publish", {"topic": "echo.in", "payload": "last"})
        last = await other.rpc.event("control.event", lambda p: p["payload"] == "last")
        assert last["skipped"] > 0, last
        # the long texts are more than aiortc takes in one message
        assert text_of(await asyncio.wait_for(other.messages.get(), PATIENCE_S)) == "last"
        await other.echo("and data goes on")
    finally:
        await other.leave()


async def an_offer_again_rebuilds(c, url):
    await c.rpc.request("control.set_node_state", {"node_id": "echo", "state": "disabled"})
    await c.rpc.request("control.subscribe", {"topic": "echo.out"})
    await c.hang_up()
    await c.call()
    await c.echo("in a new session")  # where nothing is disabled
    event = await c.rpc.event("control.event", lambda p: p["kind"] == "text")
    assert event["payload"] == "in a new session", event  # the subscription is of the client
    await sound_goes_through(c, url)


async def clients_call_one_another(c, url):
    other = Client("other")
    joined = await other.join(url)
    assert joined["other_peers"] == [c.id], joined
    assert (await c.rpc.event("peer.joined"))["peer_id"] == "other"
    result = await other.rpc.request("peer.offer", {"from": "other", "to": c.id, "sdp": "v=0\r\nm=audio"})
    assert result == {"success": True, "to_peer_id": c.id}, result
    assert (await c.rpc.event("peer.offer"))["from"] == "other"
    await c.rpc.request("peer.answer", {"from": c.id, "to": "other", "sdp": "v=0"})
    assert (await other.rpc.event("peer.answer"))["sdp"] == "v=0"
    third, fourth = Client("third"), Rpc()
    await third.join(url)
    await fourth.open(url)
    assert await fourth.refused("peer.announce", {"peer_id": "fourth", "capabilities": []}) == -32001
    assert await fourth.refused("peer.announce", {"peer_id": SERVER, "capabilities": []}) == -32602
    await fourth.close()
    await third.leave()
    await other.leave()


CASES = [methods, loading_is_told, states_are_told, data_goes_through, sound_goes_through, topics_are_watched,
         a_node_is_switched_off, who_does_not_read_misses_events, speech_is_paced_and_flushed, the_control_channel_works, items_are_intercepted, an_offer_again_rebuilds,
         clients_call_one_another]


async def main(url):
    client = Client("client")
    failed = 0
    for case in CASES:
        name = "serve-" + case.__name__.replace("_", "-")
        try:
            await case(client, url)
            print("ok", name, flush=True)
        except Exception as e:  # all of them are results
            failed += 1
            traceback.print_exc()
            print(f"not ok {name}: {e!r}", flush=True)
            if case in (methods, loading_is_told):
                break  # the others need what these make
    await client.leave()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
