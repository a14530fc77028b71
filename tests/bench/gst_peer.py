#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One side of a 720p30 H.264 call by GStreamer's webrtcbin, in a process of its own.

    gst_peer.py send FILE | receive | feed FILE      (FILE: raw I420 pictures, `rmrtc bench --write-test-video`)

Talks JSON lines on standard input and output: {"sdp", "type"} and {"ice", "mline"} of the other side, and {"look": true},
which is answered with {"cpu_s", "now_s", "frames"}. `feed` does the sender's work without encoding and sending: what
feeding raw pictures costs.
"""
import json
import resource
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

WIDTH, HEIGHT, FPS, BITRATE = 1280, 720, 30, 1500000
LATENCY_MS = 50  # as the ceiling of this library's jitter buffer
CAPS = f"video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1"
SOURCE = f"appsrc name=source is-live=true do-timestamp=true format=time caps={CAPS}"
# As this library sets openh264 up, where the element lets it.
ENCODER = (
    f"openh264enc complexity=low rate-control=bitrate bitrate={BITRATE} max-bitrate={BITRATE} multi-thread=1 gop-size=0 "
    "background-detection=false adaptive-quantization=false scene-change-detection=false enable-frame-skip=false"
)
SEND = (
    f"{SOURCE} ! {ENCODER} ! h264parse config-interval=-1 ! rtph264pay aggregate-mode=zero-latency ! "
    "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000 ! queue ! "
    "webrtcbin name=rtc bundle-policy=max-bundle"
)
DECODE = "rtph264depay ! avdec_h264 max-threads=1 ! fakesink name=sink sync=false signal-handoffs=true"

lock = threading.Lock()
frames = 0
promises = []  # they must outlive the calls that fill them


def tell(message):
    with lock:
        print(json.dumps(message), flush=True)


def look():
    used = resource.getrusage(resource.RUSAGE_SELF)
    tell({"cpu_s": used.ru_utime + used.ru_stime, "now_s": time.monotonic(), "frames": frames})


def count(*_):
    global frames
    frames += 1


def feed(source, path):
    """Pictures forth and back, so that none jumps; their bytes are not copied."""
    size = WIDTH * HEIGHT * 3 // 2
    with open(path, "rb") as f:
        pictures = [Gst.Buffer.new_wrapped(p) for p in iter(lambda: f.read(size), b"") if len(p) == size]
    order = pictures + pictures[-2:0:-1]
    start, n = time.monotonic(), 0
    while True:
        time.sleep(max(0, start + n / FPS - time.monotonic()))
        if source.emit("push-buffer", order[n % len(order)]) != Gst.FlowReturn.OK:
            return
        n += 1


def on_description(promise, rtc, *_):
    promise.wait()
    reply = promise.get_reply()
    description = reply.get_value("offer" if reply.has_field("offer") else "answer")
    promises.append(Gst.Promise.new())
    rtc.emit("set-local-description", description, promises[-1])
    tell({"type": GstWebRTC.webrtc_sdp_type_to_string(description.type), "sdp": description.sdp.as_text()})


def create(rtc, kind):
    promises.append(Gst.Promise.new_with_change_func(on_description, rtc, None))
    rtc.emit(f"create-{kind}", None, promises[-1])


def on_sdp(rtc, message):
    _, sdp = GstSdp.SDPMessage.new_from_text(message["sdp"])
    kind = GstWebRTC.WebRTCSDPType.OFFER if message["type"] == "offer" else GstWebRTC.WebRTCSDPType.ANSWER
    done = Gst.Promise.new()
    rtc.emit("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(kind, sdp), done)
    done.wait()
    if message["type"] == "offer":
        create(rtc, "answer")


def on_pad(rtc, pad, pipeline):
    if pad.direction != Gst.PadDirection.SRC:
        return
    part = Gst.parse_bin_from_description(DECODE, True)
    part.get_by_name("sink").connect("handoff", count)
    pipeline.add(part)
    part.sync_state_with_parent()
    pad.link(part.get_static_pad("sink"))


def listen(rtc, loop):
    for line in sys.stdin:
        message = json.loads(line)
        if "sdp" in message:
            on_sdp(rtc, message)
        elif "ice" in message:
            rtc.emit("add-ice-candidate", message["mline"], message["ice"])
        elif "look" in message:
            look()
    loop.quit()


def main():
    role = sys.argv[1]
    Gst.init(None)
    loop = GLib.MainLoop()
    if role == "feed":
        pipeline = Gst.parse_launch(f"{SOURCE} ! fakesink sync=false")
    elif role == "send":
        pipeline = Gst.parse_launch(SEND)
    else:
        pipeline = Gst.Pipeline.new()
        pipeline.add(Gst.ElementFactory.make("webrtcbin", "rtc"))
        pipeline.get_by_name("rtc").set_property("latency", LATENCY_MS)
        pipeline.get_by_name("rtc").set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    rtc = pipeline.get_by_name("rtc")
    if rtc:
        rtc.connect("on-ice-candidate", lambda _, mline, text: tell({"ice": text, "mline": mline}))
        rtc.connect("pad-added", on_pad, pipeline)
    if role == "send":
        rtc.connect("on-negotiation-needed", lambda _: create(rtc, "offer"))
        rtc.emit("get-transceiver", 0).set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
    pipeline.set_state(Gst.State.PLAYING)
    if role != "receive":
        threading.Thread(target=feed, args=(pipeline.get_by_name("source"), sys.argv[2]), daemon=True).start()
    threading.Thread(target=listen, args=(rtc, loop), daemon=True).start()
    loop.run()
    pipeline.set_state(Gst.State.NULL)


main()
