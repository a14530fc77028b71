# SPDX-License-Identifier: Apache-2.0
"""aiortc sends and receives sound and pictures. Usage: aiortc_media_peer.py URL ROOM offer|answer CODEC DIR OUT

Sends what media_check has drawn into DIR, 000.png and so on and sound.wav, in a loop, the pictures as CODEC (VP8, H264),
until enough was decoded of what comes; writes that to OUT.png, the last picture, and OUT.wav. Otherwise as aiortc_peer.py.
"""

import asyncio
import fractions
import glob
import sys
import time
import wave

import av
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc_peer import Peer, main

RATE = 48000
CHUNK = RATE // 50  # 20 ms
FPS = 15
PICTURES = 45
SOUND_S = 6  # twelve markers, of which four are wanted: a busy machine lets aiortc send with gaps
MEDIA_S = 30  # to receive so much


class Paced(MediaStreamTrack):
    """A track whose nth frame comes n intervals after its first."""

    def __init__(self, kind, rate, step):
        self.kind = kind
        super().__init__()
        self.step, self.rate, self.count, self.start = step, rate, 0, None

    async def recv(self):
        self.start = self.start or time.monotonic()
        await asyncio.sleep(max(0, self.start + self.count * self.step / self.rate - time.monotonic()))
        frame = self.frame(self.count)
        frame.pts, frame.time_base = self.count * self.step, fractions.Fraction(1, self.rate)
        self.count += 1
        return frame


class Pictures(Paced):
    def __init__(self, folder):
        super().__init__("video", 90000, 90000 // FPS)
        self.frames = [next(av.open(f).decode(video=0)).reformat(format="yuv420p")
                       for f in sorted(glob.glob(folder + "/*.png"))]

    def frame(self, n):
        return self.frames[n % len(self.frames)]


class Sound(Paced):
    def __init__(self, folder):
        super().__init__("audio", RATE, CHUNK)
        with wave.open(folder + "/sound.wav") as f:
            self.samples = f.readframes(f.getnframes())

    def frame(self, n):
        size = CHUNK * 2
        at = n * size % len(self.samples)  # a second is a whole number of chunks
        frame = av.AudioFrame(format="s16", layout="mono", samples=CHUNK)
        frame.planes[0].update(self.samples[at:at + size])
        frame.sample_rate = RATE
        return frame


class MediaPeer(Peer):
    def __init__(self, codec, folder, out):
        self.codec, self.folder, self.out = codec, folder, out
        self.pictures, self.picture, self.sound, self.seconds = 0, None, None, 0
        self.tasks = []
        super().__init__()

    def add_media(self):
        self.pc.addTrack(Sound(self.folder))
        self.pc.addTrack(Pictures(self.folder))
        wanted = [c for c in RTCRtpSender.getCapabilities("video").codecs if c.name in (self.codec, "rtx")]
        self.pc.getTransceivers()[1].setCodecPreferences(wanted)

        @self.pc.on("track")
        def track(track):
            self.tasks.append(asyncio.ensure_future(self.take(track)))

    async def take(self, track):
        while True:
            frame = await track.recv()
            if track.kind == "video":
                self.pictures, self.picture = self.pictures + 1, frame
            else:
                self.write_sound(frame)

    def write_sound(self, frame):
        channels = len(frame.layout.channels)
        if not self.sound:
            self.sound = wave.open(self.out + ".wav", "wb")
            self.sound.setparams((channels, 2, frame.sample_rate, 0, "NONE", ""))
        self.sound.writeframes(bytes(frame.planes[0])[:frame.samples * channels * 2])
        self.seconds += frame.samples / frame.sample_rate

    def write_picture(self):
        rgb = self.picture.reformat(format="rgb24")
        picture = av.VideoFrame(rgb.width, rgb.height, "rgb24")  # without the colour notes of H.264: PNG would get a gamma
        picture.planes[0].update(bytes(rgb.planes[0]))
        encoder = av.CodecContext.create("png", "w")
        encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "rgb24"
        encoder.time_base = fractions.Fraction(1, FPS)
        with open(self.out + ".png", "wb") as f:
            for packet in encoder.encode(picture) + encoder.encode(None):
                f.write(bytes(packet))

    async def media(self):
        end = time.monotonic() + MEDIA_S
        while self.pictures < PICTURES or self.seconds < SOUND_S:
            if time.monotonic() > end:
                raise TimeoutError(f"only {self.pictures} pictures and {self.seconds:.1f} s of sound were decoded")
            for task in self.tasks:
                if task.done():
                    task.result()  # raises what ended it
            await asyncio.sleep(0.05)
        self.sound.close()
        self.write_picture()

    async def report(self):
        size = [self.picture.width, self.picture.height] if self.picture else None
        for task in self.tasks:
            task.cancel()
        return dict(await super().report(), pictures=self.pictures, size=size, seconds=round(self.seconds, 2))


async def run(url, room, role, codec, folder, out):
    return await main(MediaPeer(codec, folder, out), url, room, role)


if __name__ == "__main__":
    sys.exit(asyncio.run(run(*sys.argv[1:])))
