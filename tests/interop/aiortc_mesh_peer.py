# SPDX-License-Identifier: Apache-2.0
"""aiortc as a participant of a mesh. Usage: aiortc_mesh_peer.py URL ROOM ID

Offers to everybody in the room and answers whoever comes later; sends a tone and a moving picture to each. Prints a
JSON line twice a second: for each peer the state of the connection and how many pictures and pieces of sound were decoded.
Leaves the room on SIGTERM, with a goodbye, and exits with 0 if nothing went wrong.
"""

import array
import asyncio
import json
import math
import signal
import sys

import av
from aiortc.codecs import HEADER_EXTENSIONS
from aiortc_media_peer import CHUNK, FPS, RATE, Paced
from aiortc_peer import Peer
from websocket_client import Signaling

WIDTH, HEIGHT = 320, 180
LOOP = FPS  # pictures: a second
TONE_HZ, TONE_PEAK = 500, 8000
REPORT_S = 0.5

# aiortc 1.4 gives the number of the audio level to a picture's send time as well, which RFC 9143 12 forbids and Chromium
# refuses.
for extension in HEADER_EXTENSIONS["video"]:
    if extension.uri.endswith("abs-send-time"):
        extension.id = 1 + max(e.id for e in HEADER_EXTENSIONS["audio"])


def picture(n):
    """Stripes that move by their own width in a second."""
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    shift = n * WIDTH // LOOP
    frame.planes[0].update(bytes(40 + (x + shift) % WIDTH * 160 // WIDTH for x in range(WIDTH)) * HEIGHT)
    for plane in frame.planes[1:]:
        plane.update(bytes([128]) * (plane.line_size * plane.height))
    return frame


class Stripes(Paced):
    frames = [picture(n) for n in range(LOOP)]

    def __init__(self):
        super().__init__("video", 90000, 90000 // FPS)

    def frame(self, n):
        return self.frames[n % LOOP]


class Tone(Paced):
    # whole periods in each chunk: one is like the other
    wave = (int(TONE_PEAK * math.sin(2 * math.pi * TONE_HZ * i / RATE)) for i in range(CHUNK))
    samples = array.array("h", wave).tobytes()

    def __init__(self):
        super().__init__("audio", RATE, CHUNK)

    def frame(self, n):
        frame = av.AudioFrame(format="s16", layout="mono", samples=CHUNK)
        frame.planes[0].update(self.samples)
        frame.sample_rate = RATE
        return frame


class Connection(Peer):
    """To one of the others."""

    def __init__(self, signaling, me, remote):
        self.pictures, self.chunks, self.size, self.tasks = 0, 0, None, []
        super().__init__(signaling, me, remote)

    def add_media(self):
        self.pc.addTrack(Tone())
        self.pc.addTrack(Stripes())

        @self.pc.on("track")
        def track(track):
            self.tasks.append(asyncio.ensure_future(self.take(track)))

    async def ask_for_a_picture(self):
        """aiortc may miss the first packets of a stream, and then waits for a key frame without asking for one."""
        for receiver in (t.receiver for t in self.pc.getTransceivers() if t.kind == "video" and not self.pictures):
            for source in receiver.getSynchronizationSources():
                await receiver._send_rtcp_pli(source.source)

    async def take(self, track):
        while True:
            frame = await track.recv()
            if track.kind == "video":
                self.pictures, self.size = self.pictures + 1, [frame.width, frame.height]
            else:
                self.chunks += 1

    def report(self):
        return {"state": self.pc.connectionState, "pictures": self.pictures, "size": self.size, "chunks": self.chunks}

    async def close(self):
        for task in self.tasks:
            task.cancel()
        await self.pc.close()


class Mesh:
    def __init__(self, me):
        self.me, self.connections, self.errors = me, {}, []
        self.signaling = Signaling(self.on_call)

    async def connect(self, remote):
        old = self.connections.pop(remote, None)
        if old:
            await old.close()
        self.connections[remote] = Connection(self.signaling, self.me, remote)
        return self.connections[remote]

    async def on_call(self, method, params):
        try:
            await self.handle(method, params)
        except Exception as e:  # one peer's fault is not another's
            self.errors.append(f"{method} from {params.get('from')}: {e!r}")

    async def handle(self, method, params):
        about = params.get("from") or params.get("peer_id")
        if method == "peer.disconnected":
            gone = self.connections.pop(about, None)
            if gone:
                await gone.close()
        elif method == "peer.left":
            pass  # perhaps only its WebSocket has gone; a connection that runs does not need it
        elif method == "peer.offer" and about not in self.connections:
            await (await self.connect(about)).on_call(method, params)
        elif about in self.connections:
            await self.connections[about].on_call(method, params)

    async def run(self, url, room):
        left = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, left.set)
        await self.signaling.open(url)
        announced = await self.signaling.request(
            "peer.announce", {"peer_id": self.me, "capabilities": ["audio", "video", "data"], "room": room})
        for other in announced["other_peers"]:
            await (await self.connect(other)).offer()
        while not left.is_set():
            self.print()
            for connection in list(self.connections.values()):
                await connection.ask_for_a_picture()
            try:
                await asyncio.wait_for(left.wait(), REPORT_S)
            except asyncio.TimeoutError:
                pass
        await self.signaling.request("peer.disconnect", {"peer_id": self.me})
        for connection in self.connections.values():
            await connection.close()
        await self.signaling.close()
        return 1 if self.errors else 0

    def print(self):
        peers = {remote: c.report() for remote, c in self.connections.items()}
        print(json.dumps({"peers": peers, "errors": self.errors}), flush=True)


async def run(url, room, me):
    return await Mesh(me).run(url, room)


if __name__ == "__main__":
    sys.exit(asyncio.run(run(*sys.argv[1:])))
