/* SPDX-License-Identifier: Apache-2.0 */
/* What this browser sends: camera and microphone, or a test pattern: a figure that moves before a still background,
 * with a clock, and a beep every second. */
import {audioContext} from './level.js';

const WIDTH = 640, HEIGHT = 360, FPS = 30;
const BARS = ['#c8c8c8', '#c8c800', '#00c8c8', '#00c800', '#c800c8', '#c80000', '#0000c8', '#202020'];
const TONES_HZ = [262, 294, 330, 392, 440, 523];
const TONE_GAIN = 0.2; /* loud enough for a meter, soft enough for ears */

export const canCapture = () => !!navigator.mediaDevices?.getUserMedia;

/* Kinds of devices there are; names come only after permission, so only their presence counts. */
export async function devices() {
    const list = canCapture() ? await navigator.mediaDevices.enumerateDevices().catch(() => []) : [];
    return {audio: list.some((d) => d.kind === 'audioinput'), video: list.some((d) => d.kind === 'videoinput')};
}

/* What went wrong with a device, in a sentence. */
export function describe(error) {
    switch (error.name) {
    case 'NotAllowedError':
        return 'Camera and microphone were denied. Allow them beside the address bar, and join again.';
    case 'NotFoundError':
        return 'No camera or microphone was found.';
    case 'NotReadableError':
    case 'AbortError':
        return 'The camera or microphone does not start; perhaps another program uses it.';
    case 'OverconstrainedError':
        return 'The camera has no fitting picture size.';
    default:
        return `Camera and microphone: ${error.message}`;
    }
}

/* A number for a name, so that two peers look and sound different. */
const seed = (name) => [...name].reduce((n, c) => (n * 31 + c.charCodeAt(0)) >>> 0, 7);

function drawBackground(c) {
    const bar = WIDTH / BARS.length;
    BARS.forEach((colour, i) => {
        c.fillStyle = colour;
        c.fillRect(i * bar, 0, bar + 1, HEIGHT * 0.62);
    });
    for (let x = 0; x < WIDTH; x += 16)
        for (let y = HEIGHT * 0.62; y < HEIGHT; y += 16) {
            c.fillStyle = (x / 16 + Math.floor(y / 16)) % 2 ? '#3a4150' : '#8790a3';
            c.fillRect(x, y, 16, 16);
        }
}

function drawFigure(c, seconds, hue) {
    const x = WIDTH / 2 + Math.sin(seconds * 0.9) * WIDTH * 0.2, y = HEIGHT * 0.42 + Math.sin(seconds * 2.3) * 8;
    const wave = Math.sin(seconds * 5) * 0.5;
    c.fillStyle = `hsl(${hue} 60% 42%)`;
    c.beginPath();
    c.ellipse(x, y + 220, 118, 158, 0, Math.PI, 2 * Math.PI);
    c.fill();
    c.strokeStyle = c.fillStyle;
    c.lineWidth = 34;
    c.lineCap = 'round';
    c.beginPath();
    c.moveTo(x + 92, y + 130);
    c.lineTo(x + 140, y + 60);
    c.lineTo(x + 140 + wave * 60, y - 14);
    c.stroke();
    c.fillStyle = `hsl(${hue} 45% 76%)`;
    c.beginPath();
    c.ellipse(x, y, 54, 66, 0, 0, 2 * Math.PI);
    c.fill();
    c.fillStyle = '#20242e';
    for (const side of [-20, 20]) {
        c.beginPath();
        c.arc(x + side, y - 8, 6, 0, 2 * Math.PI);
        c.fill();
    }
    c.beginPath();
    c.ellipse(x, y + 28, 18, 4 + Math.abs(wave) * 14, 0, 0, 2 * Math.PI);
    c.fill();
}

function drawText(c, name) {
    const time = new Date().toISOString().slice(11, 23);
    c.fillStyle = 'rgb(0 0 0 / 65%)';
    c.fillRect(12, 12, 238, 62);
    c.fillStyle = '#fff';
    c.font = '600 20px system-ui, sans-serif';
    c.fillText(name, 24, 38, 214);
    c.font = '20px ui-monospace, monospace';
    c.fillText(time, 24, 63, 214);
}

function testPicture(name) {
    const canvas = document.createElement('canvas');
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    const c = canvas.getContext('2d', {alpha: false});
    const still = document.createElement('canvas');
    still.width = WIDTH;
    still.height = HEIGHT;
    drawBackground(still.getContext('2d', {alpha: false}));
    const hue = seed(name) % 360;
    const draw = () => {
        c.drawImage(still, 0, 0);
        drawFigure(c, performance.now() / 1000, hue);
        drawText(c, name);
    };
    draw();
    const timer = setInterval(draw, 1000 / FPS); /* frames of animation stop in a page that is not seen */
    const [track] = canvas.captureStream(FPS).getVideoTracks();
    track.contentHint = 'motion';
    return {track, stop: () => clearInterval(timer)};
}

/* A tone whose loudness rises and falls once a second; the audio clock does it, not a timer. */
function testSound(name) {
    const context = audioContext();
    const tone = new OscillatorNode(context, {frequency: TONES_HZ[seed(name) % TONES_HZ.length]});
    const swell = new OscillatorNode(context, {frequency: 1});
    const depth = new GainNode(context, {gain: TONE_GAIN / 2});
    const volume = new GainNode(context, {gain: TONE_GAIN / 2});
    const out = new MediaStreamAudioDestinationNode(context);
    swell.connect(depth).connect(volume.gain);
    tone.connect(volume).connect(out);
    tone.start();
    swell.start();
    const stop = () => [tone, swell].forEach((node) => {
        node.stop();
        node.disconnect();
    });
    return {track: out.stream.getAudioTracks()[0], stop};
}

/* {stream, label, warning, stop}: always one audio and one video track; what a device does not give, the test pattern
 * does, with a warning that says so. */
export async function open(kind, name) {
    const stream = new MediaStream();
    const stops = [];
    let warning = '';
    if (kind === 'camera') {
        try {
            if (!canCapture())
                throw new Error('the browser gives them to pages over https or from this machine only.');
            const have = await devices();
            const got = await navigator.mediaDevices.getUserMedia({
                audio: have.audio || !have.video,
                video: (have.video || !have.audio) && {width: {ideal: 1280}, height: {ideal: 720}, frameRate: {ideal: 30}},
            });
            got.getTracks().forEach((track) => stream.addTrack(track));
        } catch (e) {
            warning = `${describe(e)} The test pattern is sent instead.`;
        }
    }
    const missing = {audio: !stream.getAudioTracks().length, video: !stream.getVideoTracks().length};
    if (kind === 'camera' && missing.audio !== missing.video)
        warning = `There is no ${missing.audio ? 'microphone' : 'camera'}; a test ${missing.audio ? 'tone' : 'picture'} ` +
                  'is sent instead.';
    for (const made of [missing.audio && testSound(name), missing.video && testPicture(name)].filter(Boolean)) {
        stream.addTrack(made.track);
        stops.push(made.stop);
    }
    const stop = () => {
        stream.getTracks().forEach((track) => track.stop());
        stops.forEach((f) => f());
    };
    return {stream, label: missing.video ? 'test pattern' : 'camera', warning, stop};
}
