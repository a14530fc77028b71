/* SPDX-License-Identifier: Apache-2.0 */
/* Runs inside the browser, after page.js: sends test pictures and test sound that media_check has drawn, shows what
 * comes, and hands it out as files. Driven by chromium_media_test.mjs through the global `peer`. */

const RATE = 48000;
const FIGURES = [
    'frameWidth', 'frameHeight', 'framesDecoded', 'keyFramesDecoded', 'framesDropped', 'framesEncoded', 'keyFramesEncoded',
    'packetsReceived', 'packetsLost', 'packetsSent', 'retransmittedPacketsSent', 'nackCount', 'pliCount', 'firCount',
    'targetBitrate', 'concealedSamples', 'totalSamplesReceived', 'freezeCount',
];
const CAPTURE_S = 8; /* of received sound; older is forgotten */
const RECORDER = `registerProcessor('recorder', class extends AudioWorkletProcessor {
    process([input]) {
        if (input.length)
            this.port.postMessage(input[0].slice());
        return true;
    }
});`;

const base64 = async (blob) => {
    const url = await new Promise((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result);
        reader.readAsDataURL(blob);
    });
    return url.split(',')[1];
};

class MediaPeer extends Peer {
    /* Loads DIR/000.png ... and DIR/sound.wav, which then play in a loop. */
    async prepare(dir, count, fps) {
        this.pictures = await Promise.all(Array.from({length: count}, async (_, i) => {
            const response = await fetch(`${dir}/${String(i).padStart(3, '0')}.png`);
            return createImageBitmap(await response.blob(), {colorSpaceConversion: 'none'});
        }));
        this.audio = new AudioContext({sampleRate: RATE});
        await this.audio.resume();
        await this.audio.audioWorklet.addModule(URL.createObjectURL(new Blob([RECORDER], {type: 'text/javascript'})));
        this.received = [];
        const sound = await fetch(`${dir}/sound.wav`).then((r) => r.arrayBuffer());
        this.sound = this.audio.createBufferSource();
        this.sound.buffer = await this.audio.decodeAudioData(sound);
        this.sound.loop = true;
        this.speaker = this.audio.createMediaStreamDestination();
        this.speaker.channelCount = 1;
        this.sound.connect(this.speaker);
        this.sound.start();
        this.camera = this.startCamera(fps);
    }

    /* A canvas that shows the pictures in turn. */
    startCamera(fps) {
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [this.pictures[0].width, this.pictures[0].height];
        const context = canvas.getContext('2d', {alpha: false});
        let next = 0;
        const draw = () => context.drawImage(this.pictures[next++ % this.pictures.length], 0, 0);
        draw();
        setInterval(draw, 1000 / fps);
        const [track] = canvas.captureStream(fps).getVideoTracks();
        track.contentHint = 'detail'; /* rather fewer pictures than smaller ones */
        return track;
    }

    localStream({audio, video}) {
        const tracks = audio ? this.speaker.stream.getAudioTracks() : [];
        return new MediaStream(video ? [...tracks, this.camera] : tracks);
    }

    /* Called for each remote track. */
    onTrack(track) {
        const element = document.createElement(track.kind);
        element.srcObject = new MediaStream([track]);
        element.autoplay = element.muted = element.playsInline = true;
        document.body.append(element);
        if (track.kind === 'video')
            this.screen = element;
        else
            this.listen(element.srcObject); /* Chromium decodes remote sound only where an element plays it, too */
    }

    listen(stream) {
        const recorder = new AudioWorkletNode(this.audio, 'recorder');
        recorder.port.onmessage = ({data}) => {
            this.received.push(data);
            if (this.received.length * data.length > CAPTURE_S * RATE)
                this.received.shift();
        };
        this.audio.createMediaStreamSource(stream).connect(recorder).connect(this.audio.destination);
    }

    forgetSound() {
        this.received = [];
    }

    soundSeconds() {
        return this.received.reduce((n, chunk) => n + chunk.length, 0) / RATE;
    }

    /* What was heard, as a WAV file. */
    takeSound() {
        const bytes = this.soundSeconds() * RATE * 4;
        const header = new DataView(new ArrayBuffer(44));
        const text = (at, s) => [...s].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)));
        text(0, 'RIFF');
        header.setUint32(4, 36 + bytes, true);
        text(8, 'WAVEfmt ');
        header.setUint32(16, 16, true);
        header.setUint16(20, 3, true); /* floats */
        header.setUint16(22, 1, true);
        header.setUint32(24, RATE, true);
        header.setUint32(28, RATE * 4, true);
        header.setUint16(32, 4, true);
        header.setUint16(34, 32, true);
        text(36, 'data');
        header.setUint32(40, bytes, true);
        return base64(new Blob([header, ...this.received]));
    }

    /* What is seen, as a PNG file; null before the first picture. */
    async takePicture() {
        const {videoWidth: width, videoHeight: height} = this.screen ?? {};
        if (!width)
            return null;
        const canvas = new OffscreenCanvas(width, height);
        canvas.getContext('2d').drawImage(this.screen, 0, 0);
        return base64(await canvas.convertToBlob());
    }

    /* RTP statistics by direction and kind. */
    async streams() {
        const stats = [...(await this.pc.getStats()).values()];
        const out = {};
        for (const s of stats.filter((s) => s.type === 'inbound-rtp' || s.type === 'outbound-rtp')) {
            const kind = `${s.kind}_${s.type === 'inbound-rtp' ? 'in' : 'out'}`;
            out[kind] = {codec: stats.find((c) => c.id === s.codecId)?.mimeType};
            for (const key of FIGURES.filter((key) => key in s))
                out[kind][key] = s[key];
        }
        return out;
    }

    /* how: 'on', 'covered' (its track is disabled) or 'away' (no track is sent). */
    async setCamera(how) {
        this.sender ??= this.pc.getSenders().find((s) => s.track === this.camera);
        this.camera.enabled = how !== 'covered';
        await this.sender.replaceTrack(how === 'away' ? null : this.camera);
    }
}

globalThis.peer = new MediaPeer();
