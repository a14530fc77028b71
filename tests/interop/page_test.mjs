// SPDX-License-Identifier: Apache-2.0
// The web page of rmrtc signal. Usage: node page_test.mjs [CASE...]; see run_page.sh for the environment.
import {
    BROWSER_ARGUMENTS, FAKE_DEVICES, Join, browserTest, check, equal, launch, servePage, within,
} from './harness.mjs';
import {
    CONNECT_MS, GONE_MS, House, POLL_MS, Server, colours, connected, difference, figures, gone, inHouse, look, message,
    moves, node, nodes, pill, press, sounds, stat, tile,
} from './page_house.mjs';

const ARGUMENTS = [...BROWSER_ARGUMENTS, ...FAKE_DEVICES];
const CASE_MS = 100000; /* two or three pages that encode and decode in software, on a machine that may be busy */
const SAME_PICTURE = 20;  /* mean difference, of 255, of what is sent and shown; other people's pictures differ by more */
const LOOKS = 5;            /* at two moving pictures that are compared */
const COLOURS_MIN = 40;   /* of 32768, in one picture of a test pattern */

let browser, server, interop_page;

/* Both want the codec, so both get it. */
const withCodec = (codec, label) => inHouse(codec, async (house) => {
    const bob = await house.join('bob', {codec}), alice = await house.join('alice', {codec});
    await Promise.all([moves(alice, 'bob'), moves(bob, 'alice')]);
    const both = [await figures(alice, 'bob'), await figures(bob, 'alice')];
    equal(both.map((f) => f.codec), [`${label} + Opus`, `${label} + Opus`], 'the codecs');
    return `${both[0].resolution} ${both[0].fps}, ${both[1].resolution} ${both[1].fps}`;
});

const cases = {
    'page-two-see-each-other': inHouse('two', async (house) => {
        const large = {viewport: {width: 1280, height: 760}, colorScheme: 'dark'};
        const alice = await house.join('alice', {codec: ''}, large), bob = await house.join('bob', {codec: ''});
        await Promise.all([connected(alice, 'bob'), connected(bob, 'alice')]);
        const seen = [await moves(alice, 'bob'), await moves(bob, 'alice')];
        const heard = [await sounds(alice, 'bob'), await sounds(bob, 'alice'), await sounds(bob, 'bob')];
        const numbers = [await figures(alice, 'bob'), await figures(bob, 'alice')];
        /* What is shown of alice is what alice sends, and not bob. */
        const looks = [];
        for (let i = 0; i < LOOKS; i++)
            looks.push(await Promise.all([look(alice, 'alice'), look(bob, 'alice'), look(bob, 'bob')]));
        /* The nearest of several moments: pictures move, and a busy machine looks at the two of a pair at different times. */
        const nearest = (k) => Math.min(...looks.flatMap(([own]) => looks.map((l) => difference(own, l[k]))));
        const [shown, other] = [nearest(1), nearest(2)];
        check(shown < SAME_PICTURE, `alice looks different at bob's: ${shown}`);
        check(shown < other / 2, `alice looks like bob: ${shown}, ${other}`);
        equal(await stat(bob, 'bob', 'resolution'), '640×360', 'the size of the own picture');
        const png = await alice.screenshot({path: process.env.RM_PAGE_PNG});
        const boxes = await alice.locator('.tile video').evaluateAll((all) => all.map((v) => {
            const {x, y, width, height} = v.getBoundingClientRect();
            return {x: Math.ceil(x), y: Math.ceil(y), width: Math.floor(width), height: Math.floor(height)};
        }));
        const found = await colours(alice, png, boxes);
        equal(found.length, 2, 'the videos in the screenshot');
        for (const {count, share} of found)
            check(count >= COLOURS_MIN && share < 0.5, `a video has ${count} colours, ${share} of it is one`);
        return JSON.stringify({seen, heard, colours: found.map((f) => f.count), ...numbers[0]});
    }),

    'page-camera': inHouse('camera', async (house) => {
        const devices = {permissions: ['camera', 'microphone']};
        const alice = await house.join('alice', {source: 'camera'}, devices);
        const bob = await house.join('bob', {source: 'camera'}, devices);
        await Promise.all([connected(alice, 'bob'), connected(bob, 'alice')]);
        const seen = await moves(bob, 'alice');
        await sounds(bob, 'alice');
        /* Off and on again. */
        await press(alice, '#camera');
        await press(alice, '#mute');
        equal(await alice.locator('#camera').getAttribute('aria-pressed'), 'true', 'the button');
        const black = async () => (await look(bob, 'alice')).pixels.every((x) => x < 24);
        const quiet = async () => Number(await tile(bob, 'alice').locator('.level').getAttribute('aria-valuenow')) <= -55;
        for (const [what, is] of [['the picture is not black', black], ['the sound does not end', quiet]]) {
            const deadline = Date.now() + CONNECT_MS;
            while (!await is())
                check(Date.now() < deadline, what);
        }
        await press(alice, '#camera');
        await press(alice, '#mute');
        await moves(bob, 'alice');
        await sounds(bob, 'alice');
        return JSON.stringify(seen);
    }),

    'page-vp9': withCodec('vp9', 'VP9'),
    'page-vp8': withCodec('vp8', 'VP8'),
    'page-h264': withCodec('h264', 'H.264'),

    'page-camera-denied': inHouse('denied', async (house) => {
        /* Without the flag that nods everything through, a headless browser refuses. */
        const strict = await launch(ARGUMENTS.filter((a) => !a.startsWith('--use-fake-ui')));
        try {
            const alice = await house.open({name: 'alice'}, {from: strict});
            /* The camera is the choice where there is one. */
            await alice.locator('input[value=camera]:checked').waitFor({timeout: CONNECT_MS});
            await press(alice, '#join-button');
            await message(alice, /Camera and microphone were denied.*test pattern/);
            const bob = await house.join('bob');
            await connected(bob, 'alice');
            await moves(bob, 'alice');
        } finally {
            await strict.close();
        }
    }),

    'page-no-devices': inHouse('none', async (house) => {
        const bare = await launch(ARGUMENTS.filter((a) => !a.startsWith('--use-fake')));
        try {
            const alice = await house.open({name: 'alice'}, {from: bare});
            await alice.locator('#camera-note', {hasText: 'none was found'}).waitFor({timeout: CONNECT_MS});
            check(await alice.locator('input[value=test]').isChecked(), 'the test pattern is not the choice');
            await alice.check('input[value=camera]');
            await press(alice, '#join-button');
            await message(alice, /test pattern is sent instead/);
            await moves(alice, 'alice');
        } finally {
            await bare.close();
        }
    }),

    'page-sound-waits-for-a-click': inHouse('autojoin', async (house) => {
        const alice = await house.open({name: 'alice', source: 'test', autojoin: '1'}, {says: /AudioContext was not allowed/});
        await pill(alice, 'ready');
        await message(alice, /turn the sound on/);
        const bob = await house.join('bob');
        await Promise.all([connected(alice, 'bob'), connected(bob, 'alice')]);
        await press(alice, '.tiles');
        await alice.locator('.notice', {hasText: 'sound'}).waitFor({state: 'detached', timeout: CONNECT_MS});
        await sounds(alice, 'bob');
        await sounds(bob, 'alice');
        await moves(alice, 'bob');
    }),

    'page-leaves': inHouse('leaves', async (house) => {
        const alice = await house.join('alice'), bob = await house.join('bob'), carol = await house.join('carol');
        await Promise.all(['bob', 'carol'].map((id) => connected(alice, id)));
        await Promise.all(['alice', 'carol'].map((id) => connected(bob, id)));
        await moves(alice, 'carol');
        let begin = Date.now();
        await press(bob, '#hangup');
        await gone(alice, 'bob');
        const hangup = Date.now() - begin;
        await message(alice, /bob has left/);
        check(await bob.locator('#lobby').isVisible(), 'hanging up does not lead back to the form');
        check(!await tile(alice, 'carol').evaluate((t) => t.dataset.state !== 'connected'), 'carol went, too');
        begin = Date.now();
        await carol.close();
        await gone(alice, 'carol');
        const closed = Date.now() - begin;
        await alice.locator('#alone').waitFor({timeout: GONE_MS});
        /* And back, with the same name. */
        await press(bob, '#join-button');
        await Promise.all([connected(alice, 'bob'), connected(bob, 'alice')]);
        await moves(bob, 'alice');
        /* A reload is a leave and a return. */
        await bob.reload();
        await gone(alice, 'bob');
        return `gone after ${hangup} ms (hang up), ${closed} ms (tab closed)`;
    }),

    'page-crashes': inHouse('crashes', async (house) => {
        const alice = await house.join('alice'), bob = await house.join('bob');
        await Promise.all([connected(alice, 'bob'), connected(bob, 'alice')]);
        const cdp = await bob.context().newCDPSession(bob);
        const crashed = new Promise((resolve) => bob.once('crash', resolve));
        const begin = Date.now();
        cdp.send('Page.crash').catch(() => {});
        await within(5000, 'the renderer crashes', crashed);
        /* Its successor takes the name over while the connection to the crashed one may still seem to live. */
        const next = await house.join('bob');
        await connected(next, 'alice');
        await moves(next, 'alice');
        await connected(alice, 'bob');
        await moves(alice, 'bob');
        return `a new connection after ${Date.now() - begin} ms`;
    }),

    'page-server-restarts': inHouse('restart', async (house) => {
        const own = await Server.start();
        const at = {at: own.page};
        const alice = await house.join('alice', {}, at), bob = await house.join('bob', {}, at);
        await Promise.all([connected(alice, 'bob'), connected(bob, 'alice')]);
        await moves(alice, 'bob');
        await own.stop('SIGKILL');
        await Promise.all([pill(alice, 'waiting'), message(bob, /signaling server is gone.*next attempt/)]);
        await moves(alice, 'bob'); /* media need no signaling */
        const begin = Date.now();
        const again = await Server.start(['--listen', own.address]);
        try {
            await Promise.all([pill(alice, 'ready'), pill(bob, 'ready')]);
            const back = Date.now() - begin;
            equal(await alice.locator('.notice', {hasText: 'server'}).count(), 0, 'messages about the server');
            /* The connection of before goes on, and a third one comes in. */
            const carol = await house.join('carol', {}, {at: again.page});
            await Promise.all([connected(carol, 'alice'), connected(carol, 'bob'), connected(alice, 'carol')]);
            await moves(carol, 'alice');
            await connected(alice, 'bob');
            await moves(bob, 'alice');
            await again.stop();
            await pill(carol, 'waiting');
            return `back after ${back} ms`;
        } finally {
            again.child.kill('SIGKILL');
        }
    }),

    'page-remote-adds-tracks': inHouse('adds', async (house) => {
        /* Another client than ours: no track at first, then sound, then a picture, by offers of its own. */
        const context = await browser.newContext({permissions: ['camera', 'microphone']});
        try {
            const other = await context.newPage();
            await other.goto(interop_page.url);
            const inPage = (method, ...args) => other.evaluate(([m, a]) => peer[m](...a), [method, args]);
            const alice = await house.join('alice');
            await pill(alice, 'ready');
            await inPage('join', server.url, house.room, 'robot');
            await inPage('create', 'alice', {data: true});
            await inPage('offer');
            await connected(alice, 'robot');
            await other.evaluate(async () => {
                const stream = await navigator.mediaDevices.getUserMedia({audio: true});
                stream.getTracks().forEach((track) => peer.pc.addTrack(track, stream));
                await peer.offer();
                await peer.answered;
            });
            await sounds(alice, 'robot');
            await inPage('addVideo');
            const seen = await moves(alice, 'robot');
            equal(await alice.locator('.tile').count(), 2, 'the tiles: ours and one for both tracks');
            /* The first picture ends, a second one takes its place. */
            await other.evaluate(async () => {
                const [old] = peer.pc.getSenders().filter((s) => s.track?.kind === 'video');
                peer.pc.removeTrack(old);
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [320, 240];
                const c = canvas.getContext('2d');
                let n = 0;
                setInterval(() => {
                    c.fillStyle = `rgb(${n = (n + 9) % 256} 0 200)`;
                    c.fillRect(0, 0, 320, 240);
                }, 33);
                peer.pc.addTransceiver(canvas.captureStream(30).getVideoTracks()[0]);
                await peer.offer();
                await peer.answered;
            });
            await alice.waitForFunction(() => document.querySelector('article[data-peer=robot] video').videoHeight === 240,
                                        null, {timeout: CONNECT_MS});
            await moves(alice, 'robot');
            equal((await inPage('report')).errors, [], 'errors of the other client');
            return JSON.stringify(seen);
        } finally {
            await context.close();
        }
    }),

    'page-and-rmrtc': inHouse('rmrtc', async (house) => {
        const join = new Join(server.url, house.room);
        try {
            await join.ready();
            const alice = await house.join('alice');
            await connected(alice, 'rm');
            const rm = await join.until('rmrtc is connected', CONNECT_MS, (p) => p?.state === 'connected', {peer: 'alice'});
            check(rm.srtp_profile, 'no SRTP');
            await press(alice, '#hangup');
            await join.until('rmrtc sees the page leave', GONE_MS, (p) => !p || p.state === 'closed',
                             {from: join.lines.length, peer: 'alice'});
        } finally {
            await join.stop();
        }
    }),

    'page-rmrtc-offers': inHouse('rmrtc-offers', async (house) => {
        const alice = await house.join('zoe');
        await pill(alice, 'ready');
        const join = new Join(server.url, house.room);
        try {
            await connected(alice, 'rm');
            await join.until('rmrtc is connected', CONNECT_MS, (p) => p?.state === 'connected', {peer: 'zoe'});
        } finally {
            await join.stop();
        }
        await gone(alice, 'rm');
    }),

    'page-refusals': inHouse('refusals', async (house) => {
        const own = await Server.start(['--listen', '127.0.0.1:0', '--token', 'sesame', '--max-peers', '2']);
        try {
            const wrong = await house.join('alice', {}, {at: own.page});
            await message(wrong, /asks for a token/);
            check(await wrong.locator('#lobby').isVisible(), 'the form is not back');
            await press(wrong, 'summary');
            await wrong.fill('#token', 'sesame');
            await press(wrong, '#join-button');
            await pill(wrong, 'ready');
            const token = {at: own.page, hash: '#token=sesame'};
            const twin = await house.join('alice', {}, token);
            await message(twin, /“alice” is in the room already/);
            await twin.fill('#name', 'bob');
            await press(twin, '#join-button');
            await pill(twin, 'ready');
            const third = await house.join('carol', {}, token);
            await message(third, /room is full/);
            const invalid = await house.open({name: 'no blanks!', room: '<b>'}, token);
            check(/^web-\w+$/.test(await invalid.inputValue('#name')), 'a faulty name of the address is taken');
            equal(await invalid.inputValue('#room'), '', 'the faulty room');
            await invalid.fill('#name', 'no blanks!');
            await press(invalid, '#join-button');
            check(await invalid.locator('#name:invalid').count() === 1, 'a faulty name is accepted');
            equal(await invalid.locator('#signaling').getAttribute('data-state'), 'idle', 'the state with a faulty name');
        } finally {
            await own.stop();
        }
    }),

    'page-https': inHouse('https', async (house) => {
        const {RM_PAGE_CERT: cert, RM_PAGE_KEY: key} = process.env;
        check(cert && key, 'there is no certificate (openssl made none)');
        const own = await Server.start(['--listen', '127.0.0.1:0', '--cert', cert, '--key', key]);
        try {
            check(own.page.startsWith('https://') && own.url.startsWith('wss://'), `${own.url} and ${own.page}`);
            const secure = {at: own.page, ignoreHTTPSErrors: true};
            const alice = await house.join('alice', {}, secure), bob = await house.join('bob', {}, secure);
            await Promise.all([connected(alice, 'bob'), connected(bob, 'alice')]);
            await moves(alice, 'bob');
        } finally {
            await own.stop();
        }
    }),

    'page-figures': inHouse('figures', async (house) => {
        /* Reports made up, so that the figures are known. */
        const page = await house.open({name: 'alice'});
        const shown = await page.evaluate(async () => {
            const {digest, grade, rows} = await import('/stats.js');
            const report = (list) => new Map(list.map((s) => [s.id, s]));
            const video = {id: 'v', type: 'inbound-rtp', kind: 'video', codecId: 'c', frameWidth: 1280, frameHeight: 720,
                framesPerSecond: 29.6, jitter: 0.012, bytesReceived: 100000, packetsLost: 10, packetsReceived: 90, freezeCount: 3};
            const audio = {id: 'a', type: 'inbound-rtp', kind: 'audio', jitter: 0.004, bytesReceived: 5000, packetsLost: 0,
                packetsReceived: 50, concealedSamples: 960, totalSamplesReceived: 48000};
            const others = [{id: 'c', type: 'codec', mimeType: 'video/H264'},
                {id: 't', type: 'transport', selectedCandidatePairId: 'p'},
                {id: 'p', type: 'candidate-pair', localCandidateId: 'l', remoteCandidateId: 'r', currentRoundTripTime: 0.0415},
                {id: 'l', type: 'local-candidate', candidateType: 'relay', protocol: 'udp'},
                {id: 'r', type: 'remote-candidate', candidateType: 'srflx'},
                {id: 'x', type: 'remote-inbound-rtp', kind: 'video', fractionLost: 0.25}];
            const first = digest(report([video, audio, ...others]), null, 1000);
            const later = [{...video, bytesReceived: 350000, packetsLost: 20, packetsReceived: 480},
                {...audio, bytesReceived: 10000, packetsReceived: 150, concealedSamples: 10560, totalSamplesReceived: 144000}];
            const text = (d) => Object.fromEntries(rows(d).map(([key, , value]) => [key, value]));
            const restarted = later.map((s) => ({...s, id: `${s.id}2`, bytesReceived: 0, packetsLost: 0}));
            const grades = [[0.1, 0, 0], [0.3, 0.02, null], [0.31, 0, 0], [0.1, 0.05, 0], [0.1, 0, 0.1], [0.9, 0, 0],
                            [0.1, 0.2, 0], [0.1, 0, 0.5], [null, 0, 0]]
                .map(([rtt, loss, frozen]) => grade({rtt, loss, lossUp: null, frozen}));
            return [text(first), text(digest(report([...later, ...others]), first, 3000)),
                    text(digest(report([...restarted, ...others]), first, 3000)), text(digest(report([]), null, 0)), grades];
        });
        const [first, second, restarted, empty, grades] = shown;
        equal(grades, ['good', 'good', 'fair', 'fair', 'fair', 'poor', 'poor', 'poor', null], 'grades');
        equal([first.down, first.loss, first.concealed], ['–', '–', '–'], 'rates from one report');
        equal(second, {resolution: '1280×720', fps: '30 fps', codec: 'H.264', down: '1.02 Mbit/s', up: '0 kbit/s',
            loss: '2.0 %', 'loss-up': '25.0 %', jitter: '12 ms', rtt: '42 ms', concealed: '10.0 %',
            freezes: '3', pair: 'relay – srflx udp', sent: '–'}, 'the figures of two reports');
        equal([restarted.down, restarted.loss], ['–', '–'], 'rates over two different streams');
        check(Object.values(empty).every((text) => text === '–'), `figures of nothing: ${JSON.stringify(empty)}`);
    }),

    'page-graph': inHouse('graph', async (house) => {
        const large = {viewport: {width: 1280, height: 800}};
        const alice = await house.join('alice', {}, large), bob = await house.join('bob'), carol = await house.join('carol');
        await Promise.all(['bob', 'carol'].map((id) => connected(alice, id)));
        for (const id of ['bob', 'carol'])
            await alice.locator(`.edge[data-peer=${id}][data-state=connected]:not([data-grade=""])`).waitFor(
                {state: 'attached', timeout: CONNECT_MS});
        equal(await nodes(alice), ['alice', 'bob', 'carol'], 'the nodes');
        equal(await alice.locator('#mesh svg').getAttribute('aria-label'), 'Mesh of 3 participants', "the graph's name");
        /* What bob and carol say of each other is drawn, too. */
        await alice.locator('.told').waitFor({state: 'attached', timeout: CONNECT_MS});
        equal(await alice.locator('.told').evaluateAll((all) => all.map((l) => l.dataset.pair)), ['["bob","carol"]'],
              'connections between others');
        /* Rings pulse with the sound. */
        await alice.waitForFunction(() => {
            const level = Number(document.querySelector('.node[data-peer=bob] .pulse').style.getPropertyValue('--level'));
            globalThis.levels = [...globalThis.levels ?? [], level];
            return Math.max(...levels) - Math.min(...levels) > 0.05;
        }, null, {timeout: CONNECT_MS});
        /* By mouse: figures for as long as it points, or until the next click. */
        await figures(alice, 'bob');
        const title = () => alice.locator('#mesh .title').textContent();
        const rows = (root) => root.locator('[data-stat]').evaluateAll(
            (all) => Object.fromEntries(all.map((dd) => [dd.dataset.stat, dd.textContent])));
        await node(alice, 'bob').hover();
        equal(await title(), 'bob', 'the details');
        const both = await alice.evaluate(() => ['article[data-peer=bob]', '#mesh .details'].map((of) => Object.fromEntries(
            [...document.querySelectorAll(`${of} [data-stat]`)].map((dd) => [dd.dataset.stat, dd.textContent]))));
        equal(both[1], both[0], 'the figures beside the graph');
        await alice.mouse.move(1, 1);
        equal(await title(), 'Everybody', 'the details of nobody');
        equal((await rows(alice.locator('#mesh .details'))).connected, '2', 'the connections of the summary');
        /* By keyboard. */
        await node(alice, 'carol').focus();
        await alice.keyboard.press('Enter');
        equal(await node(alice, 'carol').getAttribute('aria-pressed'), 'true', 'carol is pressed');
        equal(await title(), 'carol', 'the details, pinned');
        check(/^carol, connected, quality (good|fair|poor), round trip [\d.]+ ms, loss \d/.test(
            await node(alice, 'carol').getAttribute('aria-label')), "the name of carol's node");
        /* Whoever leaves is gone from the graph, with the lines. */
        await press(carol, '#hangup');
        await gone(alice, 'carol');
        equal(await nodes(alice), ['alice', 'bob'], 'the nodes that are left');
        equal(await alice.locator('.edge').count(), 1, 'the lines that are left');
        equal(await alice.locator('.told').count(), 0, 'lines between others that are left');
        equal(await title(), 'Everybody', 'the details of one that left');
        await press(alice, '#graph');
        check(!await alice.locator('#mesh').isVisible(), 'the graph does not go');
        await connected(alice, 'bob');
        equal(await bob.locator('.edge[data-state=connected]').count(), 1, "bob's lines");
    }),

    'page-graph-of-ten': inHouse('ten', async (house) => {
        /* Nine others that only send sound, one of which says odd things. */
        const context = await browser.newContext({permissions: ['microphone']});
        try {
            const alice = await house.join('alice', {}, {viewport: {width: 360, height: 740}});
            await pill(alice, 'ready');
            const place = () => alice.locator('#mesh').evaluate((e) => [e.offsetWidth, e.offsetHeight]);
            const alone = await place();
            const others = await context.newPage();
            await others.goto(interop_page.url);
            const ids = [...'bcdefghij'].map((c) => `${c}-${'x'.repeat(20)}`);
            await others.evaluate(async ([url, room, ids]) => {
                globalThis.all = await Promise.all(ids.map(async (id) => {
                    const p = new Peer();
                    await p.join(url, room, id);
                    await p.create('alice', {audio: true});
                    p.pc.addTransceiver('video', {direction: 'inactive'}); /* nine encoders would be too much here */
                    p.mesh = p.pc.createDataChannel('mesh', {negotiated: true, id: 1022});
                    await p.offer();
                    return p;
                }));
            }, [server.url, house.room, ids]);
            await Promise.all(ids.map((id) => connected(alice, id)));
            equal((await nodes(alice)).length, 10, 'the nodes');
            equal(await alice.locator('.edge[data-state=connected]').count(), 9, 'the lines');
            await others.evaluate(async ([first, second]) => {
                const {mesh} = all[0];
                while (mesh.readyState !== 'open')
                    await new Promise((resolve) => mesh.onopen = resolve);
                for (const text of ['{', '7', 'null', '{"connected":"x"}', `{"connected":["${'y'.repeat(5000)}"]}`,
                                    `{"connected":["<b>",null,{},"nobody","alice","${first}","${second}"]}`])
                    mesh.send(text);
            }, ids);
            await alice.locator('.told').waitFor({state: 'attached', timeout: CONNECT_MS});
            equal(await alice.locator('.told').evaluateAll((all) => all.map((l) => JSON.parse(l.dataset.pair))),
                  [ids.slice(0, 2)], 'what is believed');
            /* When they stand still: nobody covers another, nobody is outside. */
            const centres = () => alice.locator('.node .face').evaluateAll((all) => all.map((f) => {
                const {x, y, width, height} = f.getBoundingClientRect();
                const box = f.ownerSVGElement.getBoundingClientRect();
                return [x + width / 2 - box.x, y + height / 2 - box.y, box.width, box.height].map(Math.round);
            }));
            let at = await centres(), before;
            do {
                before = at;
                await alice.evaluate((ms) => new Promise((resolve) => setTimeout(resolve, ms)), POLL_MS);
                at = await centres();
            } while (JSON.stringify(at) !== JSON.stringify(before));
            const nearest = Math.min(...at.flatMap(([x, y], i) => at.slice(i + 1).map(([u, v]) => Math.hypot(x - u, y - v))));
            check(nearest > 50, `two faces are ${nearest} pixels apart`);
            check(at.every(([x, y, w, h]) => x > 22 && y > 22 && x < w - 22 && y < h - 22), `outside: ${JSON.stringify(at)}`);
            equal(await place(), alone, 'the size of the graph, with ten as with one');
            equal(await alice.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, 'pixels too wide');
            await others.evaluate((n) => Promise.all(all.slice(n).map((p) => {
                p.close();
                return p.signaling.request('peer.disconnect', {peer_id: p.id});
            })), 3);
            await Promise.all(ids.slice(3).map((id) => gone(alice, id)));
            equal(await nodes(alice), ['alice', ...ids.slice(0, 3)], 'the nodes that are left');
            return `faces at least ${nearest.toFixed(0)} pixels apart`;
        } finally {
            await context.close();
        }
    }),

    'page-hostile-peer': inHouse('hostile', async (house) => {
        const context = await browser.newContext();
        try {
            const other = await context.newPage();
            await other.goto(interop_page.url);
            const alice = await house.join('alice');
            await pill(alice, 'ready');
            const image = '<img src=x onerror=alert(1)>';
            const send = (method, params) => other.evaluate(([m, p]) => peer.signaling.request(m, {from: 'mallory', ...p}).then(
                () => 'sent', (e) => e.message), [method, params]);
            await other.evaluate(([url, room]) => peer.join(url, room, 'mallory'), [server.url, house.room]);
            const to = {to: 'alice'};
            equal(await send('peer.ice_candidate', {...to, candidate: 'candidate:1 1 udp 1 1.2.3.4 5 typ host'}), 'sent', 'a candidate');
            equal(await send('peer.offer', {...to, sdp: 'v=0\r\nm=nonsense'}), 'sent', 'a senseless offer');
            await tile(alice, 'mallory').locator('.overlay', {hasText: 'offer: '}).waitFor({timeout: CONNECT_MS});
            equal(await send('peer.answer', {...to, sdp: 'v=0\r\nm=audio 9 X 0\r\n'}), 'sent', 'an answer nobody asked for');
            equal(await send('peer.ice_candidate', {...to, candidate: 'candidate:nonsense'}), 'sent', 'a senseless candidate');
            equal(await send('peer.disconnect', {to: 'alice', peer_id: 'alice', reason: image}), 'sent', 'a goodbye');
            await tile(alice, 'mallory').locator('.overlay', {hasText: image}).waitFor({timeout: CONNECT_MS});
            equal(await alice.locator('.tile img').count(), 0, 'elements out of a text');
            /* Everybody else is as before. */
            const bob = await house.join('bob');
            await Promise.all([connected(alice, 'bob'), connected(bob, 'alice')]);
            await moves(alice, 'bob');
            await other.close();
            await gone(alice, 'mallory');
        } finally {
            await context.close();
        }
    }),

    'page-fits-a-phone': inHouse('phone', async (house) => {
        const phone = {viewport: {width: 360, height: 740}, colorScheme: 'light', hasTouch: true, isMobile: true};
        const page = await house.open({name: 'a'.repeat(64), source: 'test'}, phone);
        const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        const back = (p) => p.evaluate(() => getComputedStyle(document.body).backgroundColor);
        equal(await overflow(), 0, 'pixels the form is too wide');
        await press(page, '#join-button');
        const desk = await house.join('b'.repeat(64), {}, {colorScheme: 'dark'});
        await connected(page, 'b'.repeat(64));
        await figures(page, 'b'.repeat(64));
        equal(await overflow(), 0, 'pixels the room is too wide');
        check(await back(page) !== await back(desk), 'light and dark look the same');
        const unnamed = await page.evaluate(() => [...document.querySelectorAll('button, input, select, video, [role]')]
            .filter((e) => !e.closest('[hidden]') && !(e.labels?.length || e.getAttribute('aria-label') ||
                                                      e.textContent.trim()))
            .map((e) => e.outerHTML));
        equal(unnamed, [], 'elements without a name for screen readers');
        await press(page, '#details');
        check(!await tile(page, 'b'.repeat(64)).locator('.stats').isVisible(), 'the figures do not go');
    }),
};

await browserTest('page', cases, async (started, atEnd) => {
    browser = House.browser = started;
    interop_page = await servePage();
    atEnd(() => interop_page.close());
    server = await Server.start();
    House.at = server.page;
}, {args: ARGUMENTS, ms: CASE_MS});
