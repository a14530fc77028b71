// SPDX-License-Identifier: Apache-2.0
// What the tests of the web page share: servers, pages in a room, and what can be seen and heard on them.
import {once} from 'node:events';
import {createInterface} from 'node:readline';

import {check, equal, start, within} from './harness.mjs';

const SMALL = {width: 480, height: 420}; /* Chromium composes in software here: the fewer pixels, the more frames */
export const CONNECT_MS = 20000;
export const GONE_MS = 8000;
const MOVED_FRAMES = 8; /* decoded, beyond the first ones */
const MOVED_PIXELS = 1.0; /* mean difference of two pictures, of 255; noise of a codec on a still one is below 0.3 */
export const POLL_MS = 100;
const LEVEL_SWING = 0.05; /* of the meter's whole width */

/* rmrtc signal, with its two lines of output. */
export class Server {
    static async start(args = ['--listen', '127.0.0.1:0']) {
        const s = new Server();
        s.child = start(['signal', ...args]);
        const lines = createInterface({input: s.child.stdout})[Symbol.asyncIterator]();
        const next = async () => (await within(5000, 'rmrtc signal starts', lines.next())).value ?? '';
        [s.url, s.page] = [(await next()).replace('listening on ', ''), (await next()).replace('page: ', '')];
        check(/^wss?:\/\/.*\/ws$/.test(s.url), `rmrtc signal says "${s.url}" first`);
        check(/^https?:\/\/.*:\d+\/$/.test(s.page), `rmrtc signal says "${s.page}" second`);
        return s;
    }

    get address() {
        return new URL(this.page).host;
    }

    async stop(signal = 'SIGTERM') {
        const ended = once(this.child, 'exit');
        this.child.kill(signal);
        await within(5000, 'rmrtc signal ends', ended);
    }
}

/* Pages of one case; each in a context of its own, all checked for errors in the console at the end. */
export class House {
    static browser; /* where nothing else is said */
    static at;
    #contexts = [];
    errors = [];

    constructor(room) {
        this.room = room;
    }

    async open(query = {}, {at = House.at, hash = '', from = House.browser, says = null, ...context} = {}) {
        const c = await from.newContext({viewport: SMALL, ...context});
        const page = await c.newPage();
        this.#contexts.push(c);
        const who = query.name ?? 'page';
        page.on('pageerror', (e) => this.errors.push(`${who}: ${e.stack}`));
        page.on('console', (m) => {
            /* A server that is away is part of a case; Chromium says so in the console. */
            if (m.type() === 'error' && !/WebSocket connection to|ERR_CONNECTION_REFUSED/.test(m.text()))
                this.errors.push(`${who}: ${m.text()}`);
        });
        /* Whatever Playwright evaluates counts as a touch of the page: so listen only. */
        const said = says && page.waitForEvent('console', {predicate: (m) => says.test(m.text()), timeout: CONNECT_MS});
        await page.goto(`${at}?${new URLSearchParams({room: this.room, ...query})}${hash}`);
        await said;
        return page;
    }

    /* A page in the room, joined by a click. H.264 costs the least here, and what is looked at is mostly not the codec. */
    async join(name, query = {}, options = {}) {
        const page = await this.open({name, source: 'test', codec: 'h264', ...query}, options);
        await press(page, '#join-button');
        return page;
    }

    async close() {
        await Promise.all(this.#contexts.map((c) => c.close()));
    }
}

/* Playwright would wait for navigations, and takes the changed query for one. */
export const press = (page, selector) => page.click(selector, {noWaitAfter: true});
export const tile = (page, id) => page.locator(`article[data-peer="${id}"]`);
export const stat = (page, id, key) => tile(page, id).locator(`[data-stat="${key}"]`).textContent();
export const pill = (page, state) => page.locator(`#signaling[data-state=${state}]`).waitFor({timeout: CONNECT_MS});

export const node = (page, id) => page.locator(`.node[data-peer="${id}"]`);
export const nodes = (page) => page.locator('.node').evaluateAll((all) => all.map((n) => n.dataset.peer).sort());

export async function connected(page, id) {
    await page.locator(`article[data-peer="${id}"][data-state=connected]`).waitFor({timeout: CONNECT_MS})
        .catch(async () => {
            throw new Error(`${id} is not connected: ${JSON.stringify(await page.locator('body').innerText())}`);
        });
}

export async function gone(page, id) {
    await tile(page, id).waitFor({state: 'detached', timeout: GONE_MS}).catch(() => {
        throw new Error(`the tile of ${id} is still there`);
    });
}

/* What a tile's video has decoded, and its picture as 64 x 36 pixels. */
export const look = (page, id) => tile(page, id).locator('video').evaluate((video) => {
    const canvas = document.createElement('canvas');
    canvas.width = 64;
    canvas.height = 36;
    const c = canvas.getContext('2d', {willReadFrequently: true});
    c.drawImage(video, 0, 0, 64, 36);
    return {
        frames: video.getVideoPlaybackQuality().totalVideoFrames,
        time: video.currentTime,
        width: video.videoWidth,
        height: video.videoHeight,
        pixels: [...c.getImageData(0, 0, 64, 36).data].filter((_, i) => i % 4 !== 3),
    };
});

export const difference = (a, b) => a.pixels.reduce((n, x, i) => n + Math.abs(x - b.pixels[i]), 0) / a.pixels.length;

/* The picture of a peer moves: frames are decoded, time goes on, pixels change. */
export async function moves(page, id) {
    const deadline = Date.now() + CONNECT_MS;
    let first = await look(page, id), most = 0;
    for (;;) {
        await page.evaluate((ms) => new Promise((resolve) => setTimeout(resolve, ms)), POLL_MS);
        const last = await look(page, id);
        if (!first.width)
            first = last;
        most = Math.max(most, difference(first, last));
        if (last.frames >= first.frames + MOVED_FRAMES && last.time > first.time && most > MOVED_PIXELS)
            return {width: last.width, height: last.height, frames: last.frames, difference: Number(most.toFixed(1))};
        check(Date.now() < deadline, `the video of ${id} does not move: ${last.frames - first.frames} frames, ` +
            `${last.time - first.time} s, difference ${most}, ${last.width}x${last.height}`);
    }
}

/* The meter of a tile goes up and down. */
export async function sounds(page, id) {
    const swing = await tile(page, id).locator('.level i').evaluate((bar, ms) => new Promise((resolve) => {
        let low = 1, high = 0;
        const end = performance.now() + ms;
        const measure = () => {
            const level = Number(bar.style.getPropertyValue('--level'));
            low = Math.min(low, level);
            high = Math.max(high, level);
            performance.now() < end ? requestAnimationFrame(measure) : resolve(high - low);
        };
        measure();
    }), 2000);
    check(swing > LEVEL_SWING, `the level of ${id} moves by ${swing} only`);
    return Number(swing.toFixed(2));
}

/* The figures of a tile, when all of them are there. */
export async function figures(page, id) {
    const wanted = {
        resolution: /^\d+×\d+$/,
        fps: /^[1-9]\d* fps$/,
        codec: /^(VP8|VP9|H\.264|AV1) \+ Opus$/,
        down: /^[1-9][\d.]* [kM]bit\/s$/,
        up: /^[1-9][\d.]* [kM]bit\/s$/,
        loss: /^\d+\.\d %$/,
        'loss-up': /^\d+\.\d %$/,
        jitter: /^[\d.]+ ms$/,
        rtt: /^[\d.]+ ms$/,
        concealed: /^\d+\.\d %$/,
        freezes: /^\d+$/,
        pair: /^(host|srflx|prflx) – (host|srflx|prflx) udp$/,
        sent: /^\d+×\d+ [1-9]\d* fps$/,
    };
    const read = () => tile(page, id).locator('[data-stat]').evaluateAll(
        (all) => Object.fromEntries(all.map((dd) => [dd.dataset.stat, dd.textContent])));
    const deadline = Date.now() + CONNECT_MS;
    for (;;) {
        const f = await read();
        const missing = Object.keys(wanted).filter((key) => !wanted[key].test(f[key] ?? ''));
        if (!missing.length)
            return f;
        check(Date.now() < deadline, `figures of ${id}: ${missing} in ${JSON.stringify(f)}`);
        await page.evaluate((ms) => new Promise((resolve) => setTimeout(resolve, ms)), POLL_MS);
    }
}

/* Colours of a PNG within boxes: how many, and the share of the commonest. */
export async function colours(page, png, boxes) {
    const blank = await page.context().newPage();
    try {
        return await blank.evaluate(async ([base64, boxes]) => {
            const image = new Image();
            image.src = `data:image/png;base64,${base64}`;
            await image.decode();
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [image.width, image.height];
            const c = canvas.getContext('2d');
            c.drawImage(image, 0, 0);
            return boxes.map((b) => {
                const {data} = c.getImageData(b.x, b.y, b.width, b.height);
                const seen = new Map();
                for (let i = 0; i < data.length; i += 4) {
                    const key = (data[i] >> 3) << 10 | (data[i + 1] >> 3) << 5 | data[i + 2] >> 3;
                    seen.set(key, (seen.get(key) ?? 0) + 1);
                }
                return {count: seen.size, share: Math.max(...seen.values()) / (data.length / 4)};
            });
        }, [png.toString('base64'), boxes]);
    } finally {
        await blank.close();
    }
}

export const inHouse = (room, run) => async () => {
    const house = new House(room);
    try {
        const note = await run(house);
        equal(house.errors, [], 'errors in the console');
        return note;
    } catch (e) {
        throw house.errors.length ? new Error(`${e.message}; console: ${house.errors.join(' ')}`) : e;
    } finally {
        await house.close();
    }
};

export async function message(page, pattern) {
    await page.locator('.notice', {hasText: pattern}).first().waitFor({timeout: CONNECT_MS}).catch(async () => {
        throw new Error(`no message like ${pattern}: ${await page.locator('#notices').innerText()}`);
    });
}
