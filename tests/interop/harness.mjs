// SPDX-License-Identifier: Apache-2.0
// What the browser tests need around them: rmrtc processes, a page server, cases with one line of result each.
import {chromium} from 'playwright-core';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {readFile} from 'node:fs/promises';
import {createServer} from 'node:http';
import {createInterface} from 'node:readline';
import {join} from 'node:path';

const RMRTC = process.env.RMRTC ?? 'build/bin/rmrtc';
const CASE_MS = 60000;
const LAUNCH_MS = 20000;
const READY_MS = 15000; /* on a busy machine */
const children = new Set();

/* Every browser of these tests. */
export const BROWSER_ARGUMENTS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
];
/* A camera and a microphone that nobody is asked about. */
export const FAKE_DEVICES = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

/* A process that ends with the test. */
export function startCommand(command, args, options = {}) {
    const child = spawn(command, args, {stdio: ['ignore', 'pipe', 'pipe'], ...options});
    children.add(child);
    child.once('exit', () => children.delete(child));
    return child;
}

export const start = (args) =>
    startCommand(RMRTC, args, {stdio: ['ignore', 'pipe', process.env.RM_LOG ? 'inherit' : 'pipe']});

export function killAll() {
    for (const child of children)
        child.kill('SIGKILL');
}

export function within(ms, what, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: not within ${ms / 1000} s`)), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function startSignaling() {
    const child = start(['signal', '--listen', '127.0.0.1:0']);
    const line = await within(5000, 'rmrtc signal listens', new Promise((resolve, reject) => {
        createInterface({input: child.stdout}).once('line', resolve);
        child.once('error', reject);
        child.once('exit', (code) => reject(new Error(`rmrtc signal ended with ${code}`)));
    }));
    return line.replace('listening on ', '');
}

/* One `rmrtc join --json`: keeps every line and answers questions about them. */
export class Join {
    constructor(url, room, id = 'rm', options = []) {
        this.lines = [];
        this.watchers = new Set();
        this.stderr = '';
        this.child = start(['join', url, '--room', room, '--peer-id', id, '--json', '--duration', '50', ...options.map(String)]);
        this.child.stderr?.on('data', (d) => this.stderr += d);
        this.exited = once(this.child, 'exit').then(([code, signal]) => this.exit = signal ?? code);
        createInterface({input: this.child.stdout}).on('line', (line) => {
            this.lines.push(JSON.parse(line));
            for (const watcher of this.watchers)
                watcher();
        });
    }

    /* The first line, from line `from` on, for which test(peer, line) holds; peer is our page's entry or undefined. */
    until(what, ms, test, {from = 0, peer = 'page'} = {}) {
        let at = from, watcher;
        const found = new Promise((resolve) => {
            watcher = () => {
                for (; at < this.lines.length; at++) {
                    const entry = this.lines[at].peers.find((p) => p.peer_id === peer);
                    if (test(entry, this.lines[at])) {
                        resolve(entry);
                        return;
                    }
                }
            };
            this.watchers.add(watcher);
            watcher();
        });
        return within(ms, what, found)
            .catch((e) => {
                const last = this.lines.at(-1);
                throw new Error(`${e.message}; last line of rmrtc: ${JSON.stringify(last ?? null)} ${this.stderr}`);
            })
            .finally(() => this.watchers.delete(watcher));
    }

    ready() {
        return this.until('rmrtc is in the room', READY_MS, (_, line) => line.signaling === 'ready');
    }

    async stop() {
        this.child.kill('SIGTERM');
        await within(5000, 'rmrtc join ends on SIGTERM', this.exited);
        return {code: this.exit, summary: this.lines.at(-1)};
    }
}

/* A page on 127.0.0.1 is a secure context, which getUserMedia asks for. `scripts` are files beside this one; /media/ is
 * the folder `media`. */
export async function servePage({scripts = ['page.js'], media = null} = {}) {
    const html = '<!doctype html><title>interop</title><body>' +
                 scripts.map((name) => `<script src="/${name}"></script>`).join('');
    const file = (path) => {
        const [, folder, name] = /^\/(media\/)?([\w.]+)$/.exec(path) ?? [];
        if (folder && media)
            return readFile(join(media, name));
        return scripts.includes(name) ? readFile(new URL(name, import.meta.url)) : Promise.resolve(html);
    };
    const server = createServer((request, response) => {
        const js = request.url.endsWith('.js');
        file(request.url).then((body) => response.writeHead(200, {'content-type': js ? 'text/javascript' : 'text/html'})
                                             .end(body),
                               (e) => response.writeHead(404).end(e.message));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close()};
}

export function check(condition, text) {
    if (!condition)
        throw new Error(text);
}

export function equal(actual, expected, what) {
    check(JSON.stringify(actual) === JSON.stringify(expected),
          `${what} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
}

/* Runs the cases one after the other, each within `ms`; true when none failed. */
export async function runCases(cases, only, ms = CASE_MS) {
    let failed = 0;
    const unknown = only.filter((name) => !(name in cases));
    check(!unknown.length, `there is no case ${unknown}; there are: ${Object.keys(cases).join(' ')}`);
    for (const [name, run] of Object.entries(cases)) {
        if (only.length && !only.includes(name))
            continue;
        const begin = Date.now();
        try {
            const note = await within(ms, 'the case ends', run());
            const seconds = ((Date.now() - begin) / 1000).toFixed(1);
            console.log(`ok ${name}\n#  ${seconds} s${note ? `; ${note}` : ''}`);
        } catch (e) {
            const reason = e.message.replaceAll('\n', ' ');
            failed++;
            console.log(`not ok ${name}: ${reason}`);
        }
    }
    return failed === 0;
}

/* Playwright starts it with a user-data-dir of its own, empty and deleted afterwards. */
export const launch = (args) =>
    chromium.launch({executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args, timeout: LAUNCH_MS});

/* A whole test: a browser, what `prepare(browser, atEnd)` starts, the cases, and the end of everything, in the reverse order;
 * then the process exits, with 0 when no case failed. */
export async function browserTest(name, cases, prepare, {args = BROWSER_ARGUMENTS, only = process.argv.slice(2), ms} = {}) {
    const ends = [killAll];
    let code = 1;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
        process.once(signal, () => {
            killAll();
            process.exit(1); /* Playwright ends the browser then */
        });
    try {
        const browser = await launch(args);
        ends.push(() => browser.close());
        await prepare(browser, (end) => ends.push(end));
        console.log(`# Chromium ${browser.version()}`);
        code = (await runCases(cases, only, ms)) ? 0 : 1;
    } catch (e) {
        console.log(`not ok ${name}: ${e.message.split('\n')[0]}`);
    } finally {
        for (const end of ends.reverse())
            await end();
    }
    process.exit(code);
}
