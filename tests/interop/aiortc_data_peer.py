# SPDX-License-Identifier: Apache-2.0
"""aiortc as the other side of data_peer.c, whose comment says what both do. Usage: aiortc_data_peer.py URL ROOM offer|answer"""

import asyncio
import sys
import zlib

from aiortc_peer import Peer

DATA_S = 30
LOSSY_TRIES, LOSSY_S = 15, 1
UNREPEATED_MAX = 16384  # as in data_peer.c
SIZES = [1, 0, 2, 1000, 1163, 1200, 16384, 65535, 65536]  # the largest that aiortc takes itself
KINDS = {
    "page-reliable": {},
    "page-unordered": {"ordered": False},
    "page-retransmits": {"maxRetransmits": 5},
    "page-unordered-none": {"ordered": False, "maxRetransmits": 0},
    "page-lifetime": {"maxPacketLifeTime": 3000},
    "page-unordered-lifetime": {"ordered": False, "maxPacketLifeTime": 3000},
    "page-negotiated": {"negotiated": True, "id": 101},
}


def serve(channel):
    """What comes on a channel of the other side goes back; the bulk is only counted."""
    count = {"bytes": 0, "crc": 0}

    @channel.on("message")
    def came(data):
        if channel.label != "rm-bulk":
            channel.send(data)
        elif data == "end":
            channel.send(f"{count['bytes']} {count['crc']}")
        else:
            count["bytes"] += len(data)
            count["crc"] = zlib.crc32(data, count["crc"])


class DataPeer(Peer):
    def __init__(self):
        super().__init__()
        self.control = asyncio.Event()
        self.negotiated = None

        @self.pc.on("datachannel")
        def channel(channel):
            self.control.set()
            if channel.label != "control":
                serve(channel)

    def add_media(self):
        pass  # nothing but data

    async def exchange(self, channel, inbox, size, seed, lossy):
        text = "".join(chr(97 + (i + seed * 7 + i // 997) % 26) for i in range(size))
        message = text.encode() if seed % 2 == 0 else text
        for _ in range(LOSSY_TRIES if lossy else 1):
            channel.send(message)
            try:
                while True:
                    data = await asyncio.wait_for(inbox.get(), LOSSY_S if lossy else DATA_S)
                    if data == message:
                        return
                    if not lossy:
                        raise RuntimeError(f"{channel.label}, {size} bytes: another message came back")
            except asyncio.TimeoutError:
                pass
        raise RuntimeError(f"{channel.label}, {size} bytes: not in time")

    async def test_kind(self, label, options):
        channel = self.negotiated if options.get("negotiated") else self.pc.createDataChannel(label, **options)
        inbox, opened, closed = asyncio.Queue(), asyncio.Event(), asyncio.Event()
        channel.on("message", inbox.put_nowait)
        channel.on("open", opened.set)
        channel.on("close", closed.set)
        if channel.readyState != "open":
            await asyncio.wait_for(opened.wait(), DATA_S)
        lossy = "maxRetransmits" in options or "maxPacketLifeTime" in options
        for seed, size in enumerate(SIZES):
            if options.get("maxRetransmits") != 0 or size <= UNREPEATED_MAX:
                await self.exchange(channel, inbox, size, seed, lossy)
        channel.close()
        await asyncio.wait_for(closed.wait(), DATA_S)

    async def media(self):
        serve(self.pc.createDataChannel("rm-negotiated", negotiated=True, id=100))
        self.negotiated = self.pc.createDataChannel("page-negotiated", **KINDS["page-negotiated"])
        report = "ok"
        try:
            for label, options in KINDS.items():
                await self.test_kind(label, options)
        except Exception as e:  # the other side tells it
            report = repr(e)
        channel = self.pc.createDataChannel("page-report")
        channel.on("open", lambda: channel.send(report))
        while self.pc.connectionState == "connected":  # data_peer ends the connection
            await asyncio.sleep(0.05)


async def data_main(url, room, role):
    peer = DataPeer()
    try:
        await peer.run(url, room, role)
    finally:
        await peer.pc.close()
        await peer.signaling.close()


if __name__ == "__main__":
    asyncio.run(data_main(*sys.argv[1:]))
