# SPDX-License-Identifier: Apache-2.0
"""JSON-RPC over a WebSocket, with the standard library only: Debian's python3-aiortc brings no WebSocket client."""

import asyncio
import base64
import json
import os
import urllib.parse

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Signaling:
    """Requests and notifications of one announced peer. Plain ws:// and unfragmented text only."""

    def __init__(self, on_call):
        self.on_call = on_call  # async (method, params)
        self.waiting = {}
        self.next_id = 1
        self.calls = asyncio.Queue()

    async def open(self, url):
        where = urllib.parse.urlsplit(url)
        self.reader, self.writer = await asyncio.open_connection(where.hostname, where.port)
        key = base64.b64encode(os.urandom(16)).decode()
        self.writer.write(
            f"GET {where.path or '/'} HTTP/1.1\r\nHost: {where.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise ConnectionError(head.split(b"\r\n")[0].decode())
        self.tasks = [asyncio.ensure_future(self._receive()), asyncio.ensure_future(self._serve())]

    def _send(self, opcode, payload):
        mask = os.urandom(4)  # RFC 6455 5.3: a client masks every frame
        size = len(payload)
        if size < 126:
            head = bytes([0x80 | opcode, 0x80 | size])
        elif size < 65536:
            head = bytes([0x80 | opcode, 0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x80 | opcode, 0x80 | 127]) + size.to_bytes(8, "big")
        self.writer.write(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    async def _frame(self):
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        return first & 0x0F, await self.reader.readexactly(size)

    async def _receive(self):
        while True:
            opcode, payload = await self._frame()
            if opcode == PING:
                self._send(PONG, payload)
            elif opcode == CLOSE:
                return
            elif opcode == TEXT:
                self._take(json.loads(payload))

    def _take(self, message):
        if "method" in message:
            self.calls.put_nowait((message["method"], message.get("params", {})))
            return
        future = self.waiting.pop(message.get("id"), None)
        if future and "error" in message:
            future.set_exception(RuntimeError(json.dumps(message["error"])))
        elif future:
            future.set_result(message["result"])

    async def _serve(self):
        while True:
            await self.on_call(*await self.calls.get())

    async def request(self, method, params):
        self.waiting[self.next_id] = future = asyncio.get_running_loop().create_future()
        message = {"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params}
        self.next_id += 1
        self._send(TEXT, json.dumps(message).encode())
        return await asyncio.wait_for(future, 5)

    async def close(self):
        for task in self.tasks:
            task.cancel()
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        self.writer.close()
        for result in results:
            if isinstance(result, Exception):
                raise result
