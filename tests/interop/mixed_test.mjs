// SPDX-License-Identifier: Apache-2.0
// A mesh of three implementations: two rmrtc, our page in Chromium, aiortc; every pair of them sends sound and pictures
// both ways, and goes on when others leave. And a conference. Usage: node mixed_test.mjs [CASE...]; see run_mixed.sh.
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {setTimeout as sleep} from 'node:timers/promises';

import {
    BROWSER_ARGUMENTS, Join, browserTest, check, equal, servePage, startCommand, startSignaling, within,
} from './harness.mjs';

const PYTHON = '/usr/bin/python3'; /* Debian's: another one may come first and lack the package */
const CASE_MS = 140000;
const JOINED_MS = 15000;
const FLOWS_MS = 60000; /* for four participants that encode and decode in software, on a machine that may be busy */
const GONE_MS = 10000;
const POLL_MS = 200;
const PICTURES = 15; /* in each direction, beyond what there was: a second of them */
const CHUNKS = 50;   /* of 20 ms */
const TONES = [500, 900, 1300];
const AUDIBLE_DB = -40; /* the tones have -14 dB, less a window's loss */
const APART_DB = 30;    /* of a tone that is in the mix, and one that is not */

let browser, signaling, page_address, interop_page;

/* Participants have id, join(), leave() and flows(): for each other one {state, pictures, chunks, codec, sends (the
 * codec of the other way), connection}, which is another after a reconnection. */

class Rmrtc {
    constructor(room, id, codec) {
        Object.assign(this, {room, id, codec});
    }

    join() {
        this.process = new Join(signaling, this.room, this.id, [
            '--publish', 'test', '--size', '320x180', '--fps', 15, '--bitrate', 300, '--video-codec', this.codec,
            '--audio-frame', 20, /* aiortc 1.4 takes no other length */
            '--duration', CASE_MS / 1000,
        ]);
        return this.process.ready();
    }

    flows() {
        return Object.fromEntries((this.process.lines.at(-1)?.peers ?? []).map((p) => [p.peer_id, {
            state: p.state,
            pictures: p.media?.video_in?.frames ?? 0,
            chunks: p.media?.audio_in?.packets ?? 0,
            codec: p.media?.video_in?.codec ?? '',
            sends: p.media?.video_out?.codec,
            connection: String(p.steps_ms?.dtls), /* when it was made; paths may change */
            error: p.error,
        }]));
    }

    async leave() {
        const {code} = await this.process.stop();
        equal(code, 0, `the exit code of ${this.id}`);
    }
}

/* Runs in the page before its scripts: keeps every connection, and finds the one whose tracks a tile shows. */
function watchConnections() {
    const connections = [];
    const Native = globalThis.RTCPeerConnection;
    globalThis.RTCPeerConnection = class extends Native {
        constructor(...args) {
            super(...args);
            connections.push(this);
        }
    };
    const flow = async (tile, pc) => {
        const stats = pc ? [...(await pc.getStats()).values()] : [];
        const of = (kind) => stats.find((s) => s.type === 'inbound-rtp' && s.kind === kind) ?? {};
        const sent = stats.find((s) => s.type === 'outbound-rtp' && s.kind === 'video') ?? {};
        const codec = (stream) => stats.find((s) => s.id === stream.codecId)?.mimeType.replace('video/', '') ?? '';
        return {
            state: tile.dataset.state,
            pictures: of('video').framesDecoded ?? 0,
            chunks: of('audio').packetsReceived ?? 0,
            codec: codec(of('video')),
            sends: codec(sent),
            connection: String(connections.indexOf(pc)),
            error: tile.querySelector('.overlay').textContent,
        };
    };
    globalThis.flows = async () => {
        const out = {};
        for (const tile of document.querySelectorAll('.tile:not(.own)')) {
            const shown = tile.querySelector('video').srcObject?.getTracks() ?? [];
            out[tile.dataset.peer] =
                await flow(tile, connections.find((pc) => pc.getReceivers().some((r) => shown.includes(r.track))));
        }
        return out;
    };
}

class Page {
    constructor(room, id, codec) {
        Object.assign(this, {room, id, codec});
    }

    async join() {
        this.context = await browser.newContext({viewport: {width: 480, height: 420}});
        this.page = await this.context.newPage();
        this.errors = [];
        this.page.on('pageerror', (e) => this.errors.push(e.message));
        await this.page.addInitScript(watchConnections);
        await this.page.goto(`${page_address}?${new URLSearchParams(
            {room: this.room, name: this.id, source: 'test', codec: this.codec})}`);
        await this.page.click('#join-button', {noWaitAfter: true});
        await this.page.locator('#signaling[data-state=ready]').waitFor({timeout: JOINED_MS});
    }

    flows() {
        return this.page.evaluate(() => flows());
    }

    async leave() {
        await this.page.click('#hangup', {noWaitAfter: true});
        equal(this.errors, [], 'errors in the page');
    }
}

class Aiortc {
    constructor(room, id) {
        Object.assign(this, {room, id, line: null, stderr: ''});
    }

    async join() {
        this.process = startCommand(PYTHON, ['aiortc_mesh_peer.py', signaling, this.room, this.id],
                                    {env: {...process.env, PYTHONDONTWRITEBYTECODE: '1'}});
        this.ended = once(this.process, 'exit');
        this.process.stderr.on('data', (d) => this.stderr += d);
        const lines = createInterface({input: this.process.stdout});
        const first = once(lines, 'line');
        lines.on('line', (line) => this.line = JSON.parse(line));
        await within(JOINED_MS, 'aiortc is in the room', Promise.race([first, this.ended.then(() => {
            throw new Error(`aiortc ended: ${this.stderr}`);
        })]));
    }

    flows() {
        const more = {codec: '', connection: '', error: this.line.errors.join(' ')};
        return Object.fromEntries(Object.entries(this.line.peers).map(([id, p]) => [id, {...p, ...more}]));
    }

    async leave() {
        this.process.kill('SIGTERM');
        const [code] = await within(GONE_MS, 'aiortc ends', this.ended);
        check(code === 0, `aiortc ended with ${code}: ${JSON.stringify(this.line.errors)} ${this.stderr.slice(-600)}`);
    }
}

/* {who: {other: flow}} of everybody. */
async function look(all) {
    return Object.fromEntries(await Promise.all(all.map(async (p) => [p.id, await p.flows()])));
}

async function eventually(what, ms, test) {
    for (const end = Date.now() + ms;;) {
        const wrong = await test();
        if (!wrong)
            return;
        check(Date.now() < end, `${what}: not within ${ms / 1000} s: ${wrong}`);
        await sleep(POLL_MS);
    }
}

/* Everybody of `all` is connected to everybody else and nobody more, and decodes what comes; returns the last look,
 * and what came last. */
async function everythingFlows(all) {
    const before = await look(all);
    let now, last = [];
    const ids = all.map((p) => p.id);
    await eventually('sound and pictures in every direction', FLOWS_MS, async () => {
        now = await look(all);
        const wrong = [], missing = [];
        for (const id of ids)
            for (const other of ids.filter((o) => o !== id)) {
                const was = before[id][other] ?? {pictures: 0, chunks: 0}, is = now[id][other];
                const flows = is?.state === 'connected' && is.pictures >= was.pictures + PICTURES &&
                              is.chunks >= was.chunks + CHUNKS;
                if (flows)
                    continue;
                missing.push(`${other}-${id}`);
                wrong.push(`${other} to ${id}: ${JSON.stringify(is)}, there ${JSON.stringify(now[other][id])}`);
            }
        last = missing.length ? missing : last;
        return wrong.join(', ');
    });
    return {seen: now, last};
}

/* Nobody shows a peer that has gone; the other connections are those of before. */
async function goneEverywhere(left, id, before) {
    await eventually(`${id} is gone`, GONE_MS, async () => {
        const now = await look(left);
        return left.filter((p) => now[p.id][id] && now[p.id][id].state !== 'closed').map((p) => p.id).join();
    });
    const now = await look(left);
    for (const a of left)
        for (const b of left.filter((p) => p !== a)) {
            const is = now[a.id][b.id];
            check(is?.state === 'connected' && is.connection === before[a.id][b.id].connection,
                  `when ${id} left, the connection of ${a.id} to ${b.id} became ${JSON.stringify(is)}, ` +
                  `from ${JSON.stringify(before[a.id][b.id])}`);
        }
}

/* Pictures from whom to whom are in which codec, as the receiver says, or a sender that does. */
const codecs = (seen) => Object.entries(seen).flatMap(([to, flows]) => Object.entries(flows)
    .map(([from, f]) => `${from}-${to} ${f.codec || seen[from][to].sends || '?'}`)).join(', ');

/* An rmrtc whose peers want different codecs encodes in each of them. */
function checkEncoders(seen) {
    const most = Math.max(...Object.values(seen).map((flows) =>
        new Set(Object.values(flows).map((f) => f.sends).filter(Boolean)).size));
    check(most >= 2, `nobody of rmrtc sends in two codecs: ${codecs(seen)}`);
}

/* They come one after the other, so that the later offers to the earlier, and leave in the order of `leaving`. */
async function mesh(joining, leaving) {
    const began = Date.now();
    for (const p of joining)
        await p.join();
    let left = joining, {seen, last} = await everythingFlows(left);
    checkEncoders(seen);
    const note = `all 12 directions after ${((Date.now() - began) / 1000).toFixed(1)} s, ` +
                 `${last} last; ${codecs(seen)}`;
    for (const p of leaving) {
        await p.leave();
        left = left.filter((other) => other !== p);
        await goneEverywhere(left, p.id, seen);
        if (left.length > 1)
            ({seen} = await everythingFlows(left));
    }
    return note;
}

const four = (room, {ann, page, rob}) =>
    [new Rmrtc(room, 'ann', ann), new Page(room, 'page', page), new Aiortc(room, 'dan'), new Rmrtc(room, 'rob', rob)];

/* Runs in page.js: participants of a conference, each with a tone of its own, connected with the mixer only. */
async function talk([url, room, tones, mixer]) {
    const audio = new AudioContext({sampleRate: 48000});
    class Talker extends Peer {
        localStream() {
            const tone = new OscillatorNode(audio, {frequency: this.hz});
            const out = new MediaStreamAudioDestinationNode(audio, {channelCount: 1});
            tone.connect(new GainNode(audio, {gain: 0.2})).connect(out);
            tone.start();
            return out.stream;
        }

        onTrack(track) {
            if (track.kind !== 'audio')
                return;
            const element = document.createElement('audio'); /* Chromium decodes remote sound only where one plays it */
            element.srcObject = new MediaStream([track]);
            element.muted = element.autoplay = true;
            document.body.append(element);
            this.analyser = new AnalyserNode(audio, {fftSize: 16384, smoothingTimeConstant: 0});
            audio.createMediaStreamSource(element.srcObject).connect(this.analyser);
        }

        /* dB of each tone. */
        heard() {
            const db = new Float32Array(this.analyser?.frequencyBinCount ?? 0);
            this.analyser?.getFloatFrequencyData(db);
            const bin = (hz) => Math.round(hz * 16384 / 48000);
            return tones.map((hz) => Math.round(Math.max(...db.slice(bin(hz) - 1, bin(hz) + 2), -200)));
        }
    }
    globalThis.talkers = await Promise.all(tones.map(async (hz) => {
        const t = new Talker();
        t.hz = hz;
        await t.join(url, room, `tone-${hz}`);
        await t.create(mixer, {audio: true});
        await t.offer();
        return t;
    }));
}

/* Chromium's participants hear each other through `rmrtc join --mix`, and not themselves. */
async function conference() {
    const mixer = new Join(signaling, 'conference', 'mixer', ['--mix', '--duration', CASE_MS / 1000]);
    await mixer.ready();
    const context = await browser.newContext();
    const page = await context.newPage();
    try {
        await page.goto(interop_page.url);
        await page.evaluate(talk, [signaling, 'conference', TONES, 'mixer']);
        const hear = async (who) => {
            let heard;
            await eventually(`${who.length} hear all others and not themselves`, FLOWS_MS, async () => {
                heard = await page.evaluate(() => talkers.map((t) => t.heard()));
                return who.every((i) => TONES.every((_, j) => who.includes(j) && j !== i ? heard[i][j] > AUDIBLE_DB :
                    heard[i][j] < AUDIBLE_DB - APART_DB)) ? '' : JSON.stringify(heard);
            });
            return heard;
        };
        const heard = await hear([0, 1, 2]);
        await page.evaluate(() => {
            talkers[2].close();
            return talkers[2].signaling.request('peer.disconnect', {peer_id: talkers[2].id});
        });
        await hear([0, 1]);
        equal(await page.evaluate(() => talkers.flatMap((t) => t.errors)), [], 'errors in the page');
        return `dB of ${TONES} Hz that each hears: ${JSON.stringify(heard)}`;
    } finally {
        await context.close();
        await mixer.stop();
    }
}

const cases = {
    'mixed-mesh': () => {
        const [ann, page, dan, rob] = four('mixed', {ann: 'vp9', page: 'h264', rob: 'h264'});
        return mesh([ann, page, dan, rob], [dan, rob, page, ann]);
    },
    'mixed-mesh-the-other-way-round': () => {
        const [ann, page, dan, rob] = four('mixed-back', {ann: 'vp8', page: 'vp9', rob: 'h264'});
        return mesh([rob, dan, page, ann], [page, ann, dan, rob]);
    },
    'mixed-conference': conference,
};

await browserTest('mixed', cases, async (started, atEnd) => {
    browser = started;
    interop_page = await servePage();
    atEnd(() => interop_page.close());
    signaling = await startSignaling();
    page_address = signaling.replace(/^ws/, 'http').replace(/ws$/, '');
}, {args: [...BROWSER_ARGUMENTS, '--autoplay-policy=no-user-gesture-required'], ms: CASE_MS});
