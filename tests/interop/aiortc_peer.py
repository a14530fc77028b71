# SPDX-License-Identifier: Apache-2.0
"""aiortc as the peer of rmrtc. Usage: aiortc_peer.py URL ROOM offer|answer

Joins the room as "page", offers to "rm" or waits for its offer, sends silence for some seconds once connected, and
prints one JSON line. The exit code is 0 only when it was connected, and still is at the end.
"""

import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from aiortc.sdp import candidate_from_sdp
from websocket_client import Signaling

ME, REMOTE = "page", "rm"
CONNECT_S = 40  # the other side may have to start first, on a busy machine
MEDIA_S = 2.5


class Peer:
    def __init__(self, signaling=None, me=ME, remote=REMOTE):
        self.me, self.remote = me, remote
        self.pc = RTCPeerConnection(RTCConfiguration([]))  # without servers: it would ask one far away
        self.add_media()
        self.signaling = signaling or Signaling(self.on_call)
        self.settled = asyncio.Event()
        self.states = []

        @self.pc.on("connectionstatechange")
        def changed():
            self.states.append(self.pc.connectionState)
            if self.pc.connectionState in ("connected", "failed", "closed"):
                self.settled.set()

    def add_media(self):
        self.pc.addTrack(AudioStreamTrack())

    async def media(self):
        await asyncio.sleep(MEDIA_S)

    async def on_call(self, method, params):
        if method == "peer.offer":
            await self.pc.setRemoteDescription(RTCSessionDescription(params["sdp"], "offer"))
            await self.pc.setLocalDescription(await self.pc.createAnswer())
            await self.send_description("peer.answer")
        elif method == "peer.answer":
            await self.pc.setRemoteDescription(RTCSessionDescription(params["sdp"], "answer"))
        elif method == "peer.ice_candidate" and params["candidate"] and self.pc.remoteDescription:
            candidate = candidate_from_sdp(params["candidate"].split(":", 1)[1])
            candidate.sdpMid = params.get("sdp_mid")
            candidate.sdpMLineIndex = params.get("sdp_m_line_index")
            await self.pc.addIceCandidate(candidate)

    async def offer(self):
        self.pc.createDataChannel("control")
        await self.pc.setLocalDescription(await self.pc.createOffer())
        await self.send_description("peer.offer")

    async def send_description(self, method):
        # aiortc gathers before it describes: all candidates are in the description
        sdp = self.pc.localDescription.sdp
        # not awaited as a request: the reply comes while a call is being served
        asyncio.ensure_future(self.signaling.request(method, {"from": self.me, "to": self.remote, "sdp": sdp}))

    async def run(self, url, room, role):
        await self.signaling.open(url)
        await self.signaling.request("peer.announce", {"peer_id": self.me, "capabilities": ["audio", "video", "data"], "room": room})
        print("announced", flush=True)
        if role == "offer":
            await self.offer()
        await asyncio.wait_for(self.settled.wait(), CONNECT_S)
        if self.pc.connectionState == "connected":
            await self.media()

    async def report(self):
        stats = await self.pc.getStats()
        return {
            "state": self.pc.connectionState,
            "states": self.states,
            "media": [[t.kind, t.currentDirection] for t in self.pc.getTransceivers()],
            "packets_sent": sum(s.packetsSent for s in stats.values() if s.type == "outbound-rtp"),
        }


async def main(peer, url, room, role):
    error = None
    try:
        await peer.run(url, room, role)
    except Exception as e:  # all of them end up in the report
        error = repr(e)
    report = await peer.report()
    print(json.dumps(dict(report, error=error)), flush=True)
    await peer.pc.close()
    await peer.signaling.close()
    return 0 if not error and report["state"] == "connected" else 1


async def main_of(make_peer, *args):
    return await main(make_peer(), *args)  # inside the event loop, which aiortc's objects want


if __name__ == "__main__":
    sys.exit(asyncio.run(main_of(Peer, *sys.argv[1:])))
