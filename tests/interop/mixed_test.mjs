// SPDX-License-Identifier: Apache-2.0
// A mesh of three implementations: two rmrtc, our page in Chromium, aiortc; every pair of them sends sound and pictures both
// ways, and goes on when others leave. Usage: node mixed_test.mjs [CASE...]; see run_mixed.sh for the environment.
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {setTimeout as sleep} from 'node:timers/promises';

import {BROWSER_ARGUMENTS, Join, browserTest, check, equal, startCommand, startSignaling, within} from './harness.mjs';

const PYTHON = '/usr/bin/python3'; /* Debian's: another one may come first and lack the package */
const CASE_MS = 140000;
const JOINED_MS = 15000;
const FLOWS_MS = 60000; /* for four participants that encode and decode in software, on a machine that may be busy */
const GONE_MS = 10000;
const POLL_MS = 200;
const PICTURES = 15; /* in each direction, beyond what there was: a second of them */
const CHUNKS = 50;   /* of 20 ms */

let browser, signaling, page_address;

/* Participants have id, join(), flows(): for each other one {state, pictures, chunks, path}, disturbed(ids): what befell
 * connections to these, and leave(). A path is another after a reconnection. */

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
            path: `${p.local_type} ${p.remote_address}`,
            sends: p.media?.video_out,
            target: [p.media?.target_bitrate_bps, p.media?.available_outgoing_bitrate, p.media?.rtt_ms],
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
        const codec = stats.find((s) => s.id === of('video').codecId)?.mimeType ?? '';
        return {
            state: tile.dataset.state,
            pictures: of('video').framesDecoded ?? 0,
            chunks: of('audio').packetsReceived ?? 0,
            codec: codec.replace('video/', ''),
            path: String(connections.indexOf(pc)),
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
        return Object.fromEntries(Object.entries(this.line.peers).map(([id, p]) => [id, {...p, codec: '', path: '', error: this.line.errors.join(' ')}]));
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

/* Everybody of `all` is connected to everybody else and nobody more, and decodes what comes; returns the last look. */
async function everythingFlows(all) {
    const before = await look(all);
    let now;
    const ids = all.map((p) => p.id);
    await eventually('sound and pictures in every direction', FLOWS_MS, async () => {
        now = await look(all);
        const wrong = [];
        for (const id of ids)
            for (const other of ids.filter((o) => o !== id)) {
                const was = before[id][other] ?? {pictures: 0, chunks: 0}, is = now[id][other];
                if (is?.state !== 'connected' || is.pictures < was.pictures + PICTURES || is.chunks < was.chunks + CHUNKS)
                    wrong.push(`${other} to ${id}: ${JSON.stringify(is)}, on the other side ${JSON.stringify(now[other][id])}`);
            }
        return wrong.join(', ');
    });
    return now;
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
            check(is?.state === 'connected' && is.path === before[a.id][b.id].path,
                  `when ${id} left, the connection of ${a.id} to ${b.id} became ${JSON.stringify(is)}, ` +
                  `from ${JSON.stringify(before[a.id][b.id])}`);
        }
}

const codecs = (seen) => Object.entries(seen).flatMap(([to, flows]) => Object.entries(flows)
    .filter(([, f]) => f.codec).map(([from, f]) => `${from}-${to} ${f.codec}`)).join(', ');

/* They come one after the other, so that the later offers to the earlier, and leave in the order of `leaving`. */
async function mesh(joining, leaving) {
    const began = Date.now();
    for (const p of joining)
        await p.join();
    let left = joining, seen = await everythingFlows(left);
    const note = `all 12 directions after ${((Date.now() - began) / 1000).toFixed(1)} s; ${codecs(seen)}`;
    for (const p of leaving) {
        await p.leave();
        left = left.filter((other) => other !== p);
        await goneEverywhere(left, p.id, seen);
        if (left.length > 1)
            seen = await everythingFlows(left);
    }
    return note;
}

const cases = {
    'mixed-mesh': () => {
        const of = (Kind, id, codec) => new Kind('mixed', id, codec);
        const ann = of(Rmrtc, 'ann', 'vp9'), page = of(Page, 'page', 'h264'), dan = of(Aiortc, 'dan'), rob = of(Rmrtc, 'rob', 'h264');
        return mesh([ann, page, dan, rob], [dan, rob, page, ann]);
    },
    'mixed-mesh-the-other-way-round': () => {
        const of = (Kind, id, codec) => new Kind('mixed-back', id, codec);
        const ann = of(Rmrtc, 'ann', 'vp8'), page = of(Page, 'page', 'vp9'), dan = of(Aiortc, 'dan'), rob = of(Rmrtc, 'rob', 'h264');
        return mesh([rob, dan, page, ann], [page, ann, dan, rob]);
    },
};

await browserTest('mixed', cases, async (started) => {
    browser = started;
    signaling = await startSignaling();
    page_address = signaling.replace(/^ws/, 'http').replace(/ws$/, '');
}, {args: [...BROWSER_ARGUMENTS, '--autoplay-policy=no-user-gesture-required'], ms: CASE_MS});
