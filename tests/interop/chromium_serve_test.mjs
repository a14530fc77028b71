// SPDX-License-Identifier: Apache-2.0
// A page in the manner of RemoteMedia's browser client against `rmrtc serve`. Usage: node chromium_serve_test.mjs URL [CASE...]

import {BROWSER_ARGUMENTS, FAKE_DEVICES, browserTest, check, equal, servePage} from './harness.mjs';

const WAIT_MS = 20000;
const PICTURES = 20;
const SAMPLES = 48000; /* a second */

const [url, ...only] = process.argv.slice(2);
let page_server, browser;

/* A case: a page that has announced itself by this id. */
async function client(id, run) {
    const context = await browser.newContext({permissions: ['camera', 'microphone']});
    const page = await context.newPage();
    const inPage = (method, ...args) => page.evaluate(([m, a]) => client[m](...a), [method, args]);
    const until = (what, test, arg) => page.waitForFunction(test, arg, {timeout: WAIT_MS})
                                           .catch(() => { throw new Error(`${what}: not within ${WAIT_MS / 1000} s`); });
    try {
        await page.goto(page_server.url);
        const announced = await inPage('join', url, id);
        check(announced.success && !announced.other_peers.includes('remotemedia-server'), 'the announcement');
        const note = await run({page, inPage, until, id});
        equal(await page.evaluate(() => client.errors), [], 'errors in the page');
        return note;
    } finally {
        await context.close();
    }
}

async function callAndEcho({inPage, until, id}, options, text) {
    equal(await inPage('call', options), {type: 'answer', from: 'remotemedia-server', to: id}, 'the answer');
    await inPage('say', text);
    await until(`"${text}" comes back`, (t) => client.messages.includes(t), text);
    await until('the server says that we are connected', () => client.states.at(-1) === 'connected');
}

async function mediaComesBack({inPage}) {
    return JSON.stringify(await inPage('await', PICTURES, SAMPLES, WAIT_MS));
}

const cases = {
    'chromium-serve': () => client('page-held', async (m) => {
        await callAndEcho(m, {hold: true}, 'candidates after the answer');
        return mediaComesBack(m);
    }),

    'chromium-serve-trickle': () => client('page-trickle', async (m) => {
        await callAndEcho(m, {hold: false}, 'candidates at once');
        return mediaComesBack(m);
    }),

    'chromium-serve-sound-only': () => client('page-sound', (m) => callAndEcho(m, {media: {audio: true}}, 'no camera')),

    'chromium-serve-data-only': () => client('page-data', (m) => callAndEcho(m, {media: null}, 'no media at all')),

    'chromium-serve-calls-again': () => client('page-again', async (m) => {
        await callAndEcho(m, {}, 'once');
        await m.inPage('request', 'control.subscribe', {topic: 'echo.out'});
        await callAndEcho(m, {}, 'and again');
        await m.until('the subscription goes on in the new session',
                      () => client.events.some((e) => e.kind === 'text' && e.payload === 'and again'));
        return mediaComesBack(m);
    }),
};

await browserTest('chromium-serve', cases, async (started, atEnd) => {
    browser = started;
    page_server = await servePage({scripts: ['serve_page.js']});
    atEnd(() => page_server.close());
}, {args: [...BROWSER_ARGUMENTS, ...FAKE_DEVICES], only});
