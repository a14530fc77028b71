// SPDX-License-Identifier: Apache-2.0
// Chromium and rmrtc in one room. Usage: node chromium_test.mjs [CASE...]; the environment names RMRTC and CHROMIUM.

import {
    BROWSER_ARGUMENTS, FAKE_DEVICES, Join, browserTest, check, equal, servePage, startSignaling, within,
} from './harness.mjs';

const ARGUMENTS = [...BROWSER_ARGUMENTS, ...FAKE_DEVICES];
const CONNECT_MS = 10000;
const REFUSE_MS = 8000;
const MESSAGE_MS = 15000;
const SEND_PACKETS = 60; /* a second of fake camera and microphone is 50 Opus packets and some tens of video */
/* Between the last figures of the browser and rmrtc's next line a late packet may be counted on one side only. */
const DROPPED_MAX = 2;

let page_server, signaling, browser;

/* A case: fresh room, rmrtc and page; `first` says who is in the room first, and so who answers. */
async function meeting(room, {first, media = true, badAnswer = false, options = []}, run) {
    const context = await browser.newContext({permissions: media ? ['camera', 'microphone'] : []});
    const page = await context.newPage();
    let join = null;
    const m = {page, context, moveTo: (other) => m.page = other};
    const inPage = (method, ...args) => m.page.evaluate(([m, a]) => peer[m](...a), [method, args]);
    const startJoin = async () => {
        join = new Join(signaling, room, 'rm', options);
        await join.ready();
    };
    try {
        await page.goto(page_server.url);
        if (first === 'rmrtc')
            await startJoin();
        const announced = await inPage('join', signaling, room, 'page');
        equal(announced.other_peers, first === 'rmrtc' ? ['rm'] : [], 'the announced roster');
        if (first === 'page')
            await page.evaluate((how) => Object.assign(peer, how),
                                {answerWith: {audio: media, video: media}, badAnswer});
        if (first === 'page')
            await startJoin();
        const note = await run(Object.assign(m, {inPage, join}));
        equal((await inPage('report')).errors, [], 'errors in the page');
        return note;
    } finally {
        await join?.stop().catch(() => {});
        await context.close();
    }
}

/* Both sides connected, with the same keys and the same pair; returns both reports. */
async function connected({page, join}, options = {}) {
    await page.waitForFunction(() => peer.pc?.connectionState === 'connected', null, {timeout: CONNECT_MS})
        .catch(async () => {
            const r = await page.evaluate(() => peer.report());
            throw new Error(`Chromium is ${r.state}, not connected; page errors ${JSON.stringify(r.errors)}; ` +
                            `rmrtc ${JSON.stringify(join.lines.at(-1))}`);
        });
    const rm = await join.until('rmrtc is connected', CONNECT_MS, (p) => p?.state === 'connected', options);
    /* Media may flow on a pair that we have nominated before Chromium's own check of it is answered. */
    let report = await page.evaluate(() => peer.report());
    for (const end = Date.now() + CONNECT_MS; report.transport?.pairState === 'in-progress' && Date.now() < end;)
        report = await page.evaluate(() => peer.report());
    equal(report.transport?.dtlsState, 'connected', 'dtlsState');
    check(report.transport.dtlsCipher, 'no DTLS cipher is reported');
    equal(report.transport.pairState, 'succeeded', 'the state of the selected pair');
    check(report.transport.localCandidate && report.transport.remoteCandidate, 'no selected candidate pair');
    check(rm.steps_ms.dtls !== null && rm.steps_ms.connected !== null, 'rmrtc has no time for DTLS or connected');
    check(rm.local_type && rm.remote_address, 'rmrtc names no selected pair');
    return {rm, report};
}

/* Both name the same profile; the names follow rmrtc's own table and IANA's. */
function sameSrtpProfile(rm, report) {
    const names = {AEAD_AES_128_GCM: 'SRTP_AEAD_AES_128_GCM', AES128_CM_SHA1_80: 'SRTP_AES128_CM_HMAC_SHA1_80'};
    check(rm.srtp_profile in names, `rmrtc reports the SRTP profile "${rm.srtp_profile}"`);
    equal(report.transport.srtpCipher, names[rm.srtp_profile], 'srtpCipher');
}

/* Chromium's microphone and camera arrive and are decrypted: the count grows, next to nothing is dropped. */
async function mediaFlows({page, join}) {
    const from = join.lines.length;
    const before = (join.lines.at(-1)?.peers.find((p) => p.peer_id === 'page') ?? {packets_in: 0}).packets_in;
    const rm = await join.until('media arrives in rmrtc', 8000, (p) => p?.packets_in >= before + SEND_PACKETS, {from});
    check(rm.packets_dropped <= DROPPED_MAX, `rmrtc dropped ${rm.packets_dropped} of ${rm.packets_in} packets`);
    const {sent} = await page.evaluate(() => peer.report());
    for (const stream of sent)
        check(stream.packets > 0, `Chromium sends no ${stream.kind}`);
    return {packets: rm.packets_in, dropped: rm.packets_dropped, sent};
}

const describe = ({rm, report}) => {
    const t = report.transport;
    return `${rm.steps_ms.connected.toFixed(0)} ms to connected, ${t.tls === 'FEFD' ? 'DTLS 1.2' : t.tls} ` +
           `${t.dtlsCipher}, ${t.srtpCipher ?? 'no SRTP'}, Chromium is DTLS ${t.dtlsRole}, ` +
           `${t.localCandidate} <-> ${t.remoteCandidate}`;
};

/* The m-lines of a description: kind, port, mid. */
const mlines = (sdp) => sdp.split(/\r?\nm=/).slice(1).map((m) => ({
    kind: m.split(' ')[0],
    port: Number(m.split(' ')[1]),
    mid: /^a=mid:(.*)$/m.exec(m)?.[1].trim(),
    direction: /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(m)?.[1],
}));

async function offerAndConnect(m, what) {
    await m.inPage('create', 'rm', what);
    await m.inPage('offer');
    return connected(m);
}

/* rmrtc join --echo gives back what it is told, in the mesh's own form. */
async function messagesCross(m) {
    const inTime = (what, promise) => within(MESSAGE_MS, what, promise);
    const json = {type: 'Json', payload: {a: [1, 'z', null]}}, binary = {type: 'Binary', payload: 'AP8Q'};
    let slowest = 0;
    for (const sent of [json, binary, {type: 'Text', payload: 'gr\u00fc\u00df'}, {type: 'Text', payload: ''}]) {
        const got = await inTime('a message comes back', m.inPage('exchange', JSON.stringify(sent)));
        equal(JSON.parse(got.reply), sent, 'the message that came back');
        equal(got.label, 'control', 'the label of the channel');
        slowest = Math.max(slowest, got.ms);
    }
    const plain = await inTime('plain text comes back', m.inPage('exchange', 'no object'));
    equal(JSON.parse(plain.reply), {type: 'Text', payload: 'no object'}, 'text without an envelope');
    const large = JSON.stringify({type: 'Text', payload: 'y'.repeat(200000)});
    const back = await inTime('a large message comes back', m.inPage('exchange', large));
    equal(JSON.parse(back.reply), JSON.parse(large), 'the large message');
    equal(await inTime('a burst comes back', m.inPage('burst', 500, 1000)), 500, 'messages of a burst, in order');
    return `slowest small message ${slowest.toFixed(1)} ms, 200 kB ${back.ms.toFixed(0)} ms`;
}

const cases = {
    'chromium-answers': () => meeting('answers', {first: 'page'}, async (m) => {
        const both = await connected(m);
        sameSrtpProfile(both.rm, both.report);
        const offer = mlines(both.report.remote), answer = mlines(both.report.local);
        equal(offer.map((l) => l.kind).sort(), ['application', 'audio', 'video'], "the kinds of rmrtc's offer");
        equal(answer.map((l) => [l.kind, l.mid]), offer.map((l) => [l.kind, l.mid]), "the answer's m-lines");
        check(answer.every((l) => l.port !== 0), `Chromium rejected a section: ${JSON.stringify(answer)}`);
        equal(both.report.transceivers.map((t) => [t.kind, t.direction]).sort(),
              [['audio', 'sendrecv'], ['video', 'sendrecv']], 'the directions');
        equal(both.report.tracks, 2, 'the tracks that rmrtc brings');
        const codecs = Object.fromEntries(both.report.transceivers.map((t) => [t.kind, t.codecs]));
        check(codecs.audio.includes('audio/opus'), `no Opus: ${codecs.audio}`);
        for (const wanted of ['video/VP8', 'video/VP9', 'video/H264', 'video/rtx'])
            check(codecs.video.includes(wanted), `no ${wanted}: ${codecs.video}`);
        const media = await mediaFlows(m);
        return `${describe(both)}; ${JSON.stringify(media)}`;
    }),

    'chromium-offers': () => meeting('offers', {first: 'rmrtc'}, async (m) => {
        const both = await offerAndConnect(m, {audio: true, video: true, data: true});
        sameSrtpProfile(both.rm, both.report);
        const answer = mlines(both.report.remote);
        equal(answer.map((l) => l.kind), ['audio', 'video', 'application'], "the kinds of rmrtc's answer");
        check(answer.every((l) => l.port !== 0), `rmrtc rejected a section: ${JSON.stringify(answer)}`);
        equal(both.report.transceivers.map((t) => t.direction), ['sendrecv', 'sendrecv'], 'the directions');
        const media = await mediaFlows(m);
        return `${describe(both)}; ${JSON.stringify(media)}`;
    }),

    'messages-chromium-offers': () => meeting('messages', {first: 'rmrtc', media: false, options: ['--echo']},
                                              async (m) => {
        await offerAndConnect(m, {data: true, receive: true});
        return messagesCross(m);
    }),

    'messages-chromium-answers': () => meeting('messages-back', {first: 'page', media: false, options: ['--echo']},
                                               async (m) => {
        await connected(m);
        return messagesCross(m);
    }),

    'chromium-offers-mdns': () => meeting('mdns', {first: 'rmrtc', media: false}, async (m) => {
        const both = await offerAndConnect(m, {receive: true, data: true});
        const {local} = both.report.candidates;
        check(local.length && local.every((c) => /\.local /.test(c)), `the candidates are not mDNS names: ${local}`);
        sameSrtpProfile(both.rm, both.report);
        return `${describe(both)}; rmrtc sees a ${both.rm.remote_type} candidate`;
    }),

    'chromium-answers-mdns': () => meeting('answers-mdns', {first: 'page', media: false}, async (m) => {
        const both = await connected(m);
        const {local} = both.report.candidates;
        check(local.length && local.every((c) => /\.local /.test(c)), `the candidates are not mDNS names: ${local}`);
        return `${describe(both)}; rmrtc sees a ${both.rm.remote_type} candidate`;
    }),

    'chromium-offers-video-only': () => meeting('video', {first: 'rmrtc'}, async (m) => {
        const both = await offerAndConnect(m, {video: true});
        equal(mlines(both.report.remote).map((l) => l.kind), ['video'], "the kinds of rmrtc's answer");
        const media = await mediaFlows(m);
        return `${describe(both)}; ${JSON.stringify(media)}`;
    }),

    'chromium-offers-data-only': () => meeting('data', {first: 'rmrtc', media: false}, async (m) => {
        const both = await offerAndConnect(m, {data: true});
        equal(mlines(both.report.remote).map((l) => l.kind), ['application'], "the kinds of rmrtc's answer");
        return describe(both);
    }),

    'chromium-offers-h264': () => meeting('h264', {first: 'rmrtc'}, async (m) => {
        await m.inPage('create', 'rm', {video: true});
        await m.inPage('onlyVideoCodecs', ['video/H264']);
        await m.inPage('offer');
        const both = await connected(m);
        const media = await mediaFlows(m);
        equal(media.sent.map((s) => s.codec), ['video/H264'], 'what Chromium sends');
        return JSON.stringify(media);
    }),

    'chromium-adds-video': () => meeting('adds', {first: 'rmrtc'}, async (m) => {
        const before = await offerAndConnect(m, {audio: true, data: true});
        const from = m.join.lines.length;
        await m.inPage('addVideo');
        const after = await connected(m, {from});
        equal(mlines(after.report.remote).map((l) => l.kind), ['audio', 'application', 'video'],
              "the kinds of rmrtc's second answer");
        equal(after.report.transport.ufrag, before.report.transport.ufrag, 'the ufrag');
        equal(after.rm.steps_ms.dtls, before.rm.steps_ms.dtls, "rmrtc's time of the DTLS handshake");
        const media = await mediaFlows(m);
        equal(media.sent.map((s) => s.kind).sort(), ['audio', 'video'], 'what Chromium sends');
        return JSON.stringify(media);
    }),

    'chromium-reloads': () => meeting('reloads', {first: 'rmrtc'}, async (m) => {
        const before = await offerAndConnect(m, {audio: true, data: true});
        const from = m.join.lines.length;
        await m.page.reload();
        await m.inPage('join', signaling, 'reloads', 'page');
        await m.inPage('create', 'rm', {audio: true, data: true});
        await m.inPage('offer');
        const after = await connected(m, {from});
        check(after.rm.remote_address !== before.rm.remote_address, 'rmrtc still uses the old pair');
        return describe(after);
    }),

    'chromium-crashes-and-returns': () => meeting('crashes', {first: 'rmrtc'}, async (m) => {
        const before = await offerAndConnect(m, {audio: true, data: true});
        const cdp = await m.context.newCDPSession(m.page);
        const crashed = new Promise((resolve) => m.page.once('crash', resolve));
        cdp.send('Page.crash').catch(() => {}); /* the renderer dies at once: no close_notify, no answer to this */
        await within(5000, 'the renderer crashes', crashed);
        /* A fresh page with the same id offers while rmrtc still holds the connection to the old one. */
        const page = await m.context.newPage();
        await page.goto(page_server.url);
        m.moveTo(page);
        const from = m.join.lines.length;
        await m.inPage('join', signaling, 'crashes', 'page');
        await m.inPage('create', 'rm', {audio: true, data: true});
        await m.inPage('offer');
        const after = await connected(m, {from});
        check(after.rm.remote_address !== before.rm.remote_address, 'rmrtc still uses the old pair');
        await mediaFlows(m);
        return describe(after);
    }),

    'chromium-restarts-ice': () => meeting('restart', {first: 'rmrtc'}, async (m) => {
        const before = await offerAndConnect(m, {audio: true, video: true, data: true});
        await mediaFlows(m);
        const history = (await m.inPage('report')).history.length;
        const from = m.join.lines.length;
        await m.inPage('restartIce');
        const ufrag = (sdp) => /^a=ice-ufrag:(\S+)/m.exec(sdp)[1];
        /* waitForFunction would take the promise for the answer. */
        await within(CONNECT_MS, 'Chromium uses new credentials', m.page.evaluate(async (old) => {
            for (;;) {
                const {transport} = await peer.report();
                if (transport.ufrag !== old && transport.pairState === 'succeeded')
                    return;
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
        }, before.report.transport.ufrag));
        const after = await connected(m, {from});
        check(ufrag(after.report.remote) !== ufrag(before.report.remote), "rmrtc's answer keeps its old ufrag");
        for (const key of ['localCertificate', 'remoteCertificate', 'dtlsRole', 'srtpCipher'])
            equal(after.report.transport[key], before.report.transport[key], key);
        equal(after.rm.steps_ms.dtls, before.rm.steps_ms.dtls, "rmrtc's time of the DTLS handshake");
        const left = after.report.history.slice(history).filter((s) => s === 'failed' || s === 'disconnected');
        equal(left, [], 'states of Chromium that were not connected');
        const media = await mediaFlows(m);
        return `${describe(after)}; ${JSON.stringify(media)}`;
    }),

    'chromium-closes': () => meeting('closes', {first: 'rmrtc'}, async (m) => {
        await offerAndConnect(m, {audio: true, data: true});
        const from = m.join.lines.length;
        const begin = Date.now();
        await m.inPage('close');
        const gone = (p) => !p || p.state === 'closed';
        await m.join.until('rmrtc reports closed', 5000, gone, {from});
        const silent = m.join.lines.slice(from).some((l) => l.peers.some((p) => p.state === 'disconnected'));
        check(!silent, 'rmrtc noticed by the silence only, not by close_notify');
        return `after ${Date.now() - begin} ms, of lines that come once a second`;
    }),

    'codec-mismatch': () => meeting('codecs', {first: 'rmrtc'}, async (m) => {
        await m.inPage('create', 'rm', {video: true});
        await m.inPage('onlyVideoCodecs', ['video/AV1']);
        await m.inPage('offer');
        const refused = await m.join.until('rmrtc refuses', REFUSE_MS, (p) => p?.error);
        equal([refused.state, refused.error.name], ['failed', 'RM_E_CODEC_MISMATCH'], 'what rmrtc reports');
        for (const name of ['AV1', 'VP8', 'VP9', 'H264'])
            check(refused.error.detail.includes(name), `"${refused.error.detail}" does not name ${name}`);
        const from = m.join.lines.length;
        await m.inPage('create', 'rm', {video: true});
        await m.inPage('offer');
        const both = await connected(m, {from});
        check(!both.rm.error, `an error is left: ${JSON.stringify(both.rm.error)}`);
        return `"${refused.error.detail}"; then ${describe(both)}`;
    }),

    'wrong-fingerprint': () => meeting('fingerprint', {first: 'rmrtc'}, async (m) => {
        await m.inPage('create', 'rm', {audio: true, data: true});
        await m.inPage('offer', {badFingerprint: true});
        const failed = await m.join.until('rmrtc fails', REFUSE_MS, (p) => p?.state === 'failed');
        equal(failed.error?.name, 'RM_E_DTLS_FINGERPRINT', "rmrtc's error");
        check(failed.steps_ms.connected === null, 'rmrtc was connected for a while');
        const report = await m.inPage('report');
        check(!report.history.includes('connected'), `Chromium was connected: ${report.history}`);
        const {code} = await m.join.stop();
        equal(code, 1, "rmrtc's exit code");
        return `"${failed.error.detail}"`;
    }),

    'wrong-fingerprint-in-answer': () => meeting('fingerprint-answer', {first: 'page', badAnswer: true}, async (m) => {
        const failed = await m.join.until('rmrtc fails', REFUSE_MS, (p) => p?.state === 'failed');
        equal(failed.error?.name, 'RM_E_DTLS_FINGERPRINT', "rmrtc's error");
        check(failed.steps_ms.connected === null, 'rmrtc was connected for a while');
        return `"${failed.error.detail}"`;
    }),

    'two-chromium-peers': () => meeting('two', {first: 'rmrtc'}, async (m) => {
        await offerAndConnect(m, {audio: true, data: true});
        const from = m.join.lines.length;
        await m.page.evaluate(async ([url, room]) => {
            globalThis.second = new Peer();
            await second.join(url, room, 'page2');
            await second.create('rm', {audio: true, data: true});
            await second.offer();
        }, [signaling, 'two']);
        const other = await m.join.until('rmrtc is connected to the second', CONNECT_MS,
                                         (p) => p?.state === 'connected', {from, peer: 'page2'});
        const first = await m.join.until('the first stays connected', CONNECT_MS, (p) => p?.state === 'connected',
                                         {from: m.join.lines.length - 1});
        check(first.remote_address !== other.remote_address, 'both have the same remote address');
        await m.page.waitForFunction(() => second.pc.connectionState === 'connected', null, {timeout: CONNECT_MS});
        await mediaFlows(m);
    }),
};

await browserTest('chromium', cases, async (started, atEnd) => {
    browser = started;
    page_server = await servePage();
    atEnd(() => page_server.close());
    signaling = await startSignaling();
}, {args: ARGUMENTS});
