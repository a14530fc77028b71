// SPDX-License-Identifier: Apache-2.0
// Data channels of every kind between Chromium and data_peer. Usage: node chromium_data_test.mjs [CASE...]; the
// environment names RMRTC, DATA_PEER and CHROMIUM.
import {spawn} from 'node:child_process';
import {once} from 'node:events';

import {browserTest, check, equal, servePage, startSignaling} from './harness.mjs';

const PEER_MS = 60000;
let page_server, signaling, browser;

/* Resolves when it is in the room; `line` is its last one, at its end. */
async function startPeer(room) {
    const child = spawn(process.env.DATA_PEER, [signaling, room], {stdio: ['ignore', 'pipe', 'inherit'], timeout: PEER_MS});
    let text = '';
    const ended = once(child, 'close');
    await new Promise((resolve) => {
        child.stdout.on('data', (bytes) => {
            text += bytes;
            resolve();
        });
        child.on('close', resolve);
    });
    return {line: () => ended.then(() => JSON.parse(text.trim().split('\n').at(-1)))};
}

/* `pageFirst`: data_peer comes second, and so makes the offer. */
async function meeting(room, pageFirst) {
    const context = await browser.newContext();
    try {
        const page = await context.newPage();
        await page.goto(page_server.url);
        const join = () => page.evaluate(([url, room]) => peer.join(url, room, 'page'), [signaling, room]);
        let data_peer;
        if (pageFirst) {
            await join();
            data_peer = await startPeer(room);
        } else {
            data_peer = await startPeer(room);
            await join();
            await page.evaluate(async () => {
                await peer.create('rm', {data: true});
                await peer.offer();
            });
        }
        const report = await page.evaluate(() => new Promise((resolve) => {
            const look = () => peer.opened ? resolve(peer.testAll()) : setTimeout(look, 20);
            look();
        })).catch(async (e) => {
            const r = await page.evaluate(() => peer.report());
            throw new Error(`${e.message.split('\n')[0]}; the page is ${r.state}, errors ${JSON.stringify(r.errors)}`);
        });
        const line = await data_peer.line();
        check(line.good && report === 'ok', `page: ${report}; data_peer: ${JSON.stringify(line)}`);
        equal(await page.evaluate(() => peer.errors), [], 'errors in the page');
        return `I-DATA ${line.interleaving}, zero checksum ${line.zero_checksum}, messages to ${line.message_max} bytes, ` +
               `${line.echoed} sent back`;
    } finally {
        await context.close();
    }
}

const cases = {
    'data-chromium-answers': () => meeting('data-chromium-answers', true),
    'data-chromium-offers': () => meeting('data-chromium-offers', false),
};

await browserTest('chromium data', cases, async (started, atEnd) => {
    browser = started;
    page_server = await servePage({scripts: ['page.js', 'data_page.js']});
    atEnd(() => page_server.close());
    signaling = await startSignaling();
}, {ms: PEER_MS});
