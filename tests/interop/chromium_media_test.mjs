// SPDX-License-Identifier: Apache-2.0
// Sound and pictures between Chromium and rmrtc, decoded and compared with what was sent.
// Usage: node chromium_media_test.mjs [CASE...]; the environment names RMRTC, MEDIA_CHECK and CHROMIUM.
import {execFile} from 'node:child_process';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {promisify} from 'node:util';

import {BROWSER_ARGUMENTS, Join, browserTest, check, equal, servePage, startSignaling} from './harness.mjs';

const ARGUMENTS = [...BROWSER_ARGUMENTS, '--autoplay-policy=no-user-gesture-required'];
const CONNECT_MS = 10000;
const MEDIA_MS = 15000;  /* for so many pictures and so much sound; a second or two, if the machine has nothing else to do */
const WIDTH = 640, HEIGHT = 360;
const STEP = 8;          /* every 8th test picture: 32 of them in a loop */
const PAGE_FPS = 15;
const RM_FPS = 15;
const PICTURES = 40;
const CHUNKS_PER_S = 50; /* Chromium sends packets of 20 ms */
const BLACK_PICTURES = 3; /* they come slowly */
const SOUND_S = 2.5;     /* four markers at least */
const POLL_MS = 50;
const PSNR_MIN_DB = 30;
const MARKERS_MIN = 4;
const ALIKE_MIN = 0.9;   /* of markers and of the tone between them */
const REGULAR_MIN = 0.5; /* of markers: one that is lost on a busy machine leaves two gaps, and players stretch sound */
const GAIN_ERROR_DB = 1.5;
const MIRROR_GAIN_DB = -6; /* of examples/pipelines/mirror.yaml */
const MIRROR = new URL('../../examples/pipelines/mirror.yaml', import.meta.url).pathname;
const LONGEST_MS = 60000;

const run = promisify(execFile);
const video = (p) => p?.media?.video_in;
let folder, page_server, signaling, browser;

async function judge(...args) {
    const {stdout} = await run(process.env.MEDIA_CHECK, args.map(String)).catch((e) => {
        throw new Error(e.stderr?.trim() || e.message);
    });
    return JSON.parse(stdout);
}

const judgeSound = (file) => judge('sound', file);
/* canvas: it comes from the page's. */
const judgePicture = (file, canvas) => judge('picture', file, WIDTH, HEIGHT, ...(canvas ? ['canvas'] : []));

function checkSound(sound, who, gain_db = 0) {
    const text = `the sound that ${who} received: ${JSON.stringify(sound)}`;
    check(sound.markers >= MARKERS_MIN, `too few markers in ${text}`);
    check(sound.regular >= sound.markers * REGULAR_MIN, `markers at the wrong times in ${text}`);
    check(sound.similarity >= ALIKE_MIN && sound.correlation >= ALIKE_MIN, `little resemblance of ${text}`);
    check(Math.abs(sound.gain_db - gain_db) <= GAIN_ERROR_DB, `wrong loudness, wanted ${gain_db} dB, of ${text}`);
    return `sound ${sound.correlation}`;
}

/* A sender that is short of time makes its picture smaller, in the same shape. */
function checkSize(width, height, what) {
    check(width <= WIDTH && width >= WIDTH / 4 && Math.abs(width * HEIGHT - height * WIDTH) <= 2 * WIDTH,
          `${what} has another shape or size than ${WIDTH}x${HEIGHT}`);
}

const psnr = (picture, mirrored) => mirrored ? picture.mirrored_psnr_db : picture.psnr_db;

function checkPicture(picture, who, mirrored = false) {
    const text = `the picture that ${who} received: ${JSON.stringify(picture)}`;
    checkSize(picture.width, picture.height, text);
    check(psnr(picture, mirrored) >= PSNR_MIN_DB, `${mirrored ? 'not the mirror image, or ' : ''}damaged: ${text}`);
    return `${picture.width}x${picture.height} ${psnr(picture, mirrored)} dB`;
}

/* Playwright's waitForFunction takes a promise for an answer. */
async function eventually(what, test) {
    for (const end = Date.now() + MEDIA_MS; !(await test());) {
        check(Date.now() < end, `${what}: not within ${MEDIA_MS / 1000} s`);
        await sleep(POLL_MS);
    }
}

/* A case: a fresh room, page and rmrtc, connected, with sound and pictures from both; `first` answers. */
async function call(room, {first, options}, body) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const log = [];
    page.on('pageerror', (e) => log.push(e.message));
    const inPage = (method, ...args) => page.evaluate(([m, a]) => peer[m](...a), [method, args]);
    const file = (name) => join(folder, `${room}-${name}`);
    let rmrtc = null;
    const start = async () => {
        rmrtc = new Join(signaling, room, 'rm', options(file));
        await rmrtc.ready();
    };
    try {
        await page.goto(page_server.url);
        await inPage('prepare', '/media', 256 / STEP, PAGE_FPS);
        if (first === 'rmrtc')
            await start();
        await inPage('join', signaling, room, 'page');
        if (first === 'page') {
            await page.evaluate(() => peer.answerWith = {audio: true, video: true});
            await start();
        } else {
            await inPage('create', 'rm', {audio: true, video: true});
            await inPage('offer');
        }
        await page.waitForFunction(() => peer.pc?.connectionState === 'connected', null, {timeout: CONNECT_MS})
            .catch(async () => {
                throw new Error(`not connected: ${JSON.stringify((await inPage('report')).history)}, ` +
                                `rmrtc ${JSON.stringify(rmrtc.lines.at(-1))}`);
            });
        const note = await body({page, inPage, rmrtc, file});
        equal([...log, ...(await inPage('report')).errors], [], 'errors in the page');
        return note;
    } catch (e) {
        const streams = await inPage('streams').catch(() => null);
        throw new Error(`${e.message}; Chromium's streams ${JSON.stringify(streams)}; rmrtc's last line ` +
                        `${JSON.stringify(rmrtc?.lines.at(-1))} ${rmrtc?.stderr ?? ''} ${log}`);
    } finally {
        await rmrtc?.stop().catch(() => {});
        await context.close();
    }
}

/* Until the page has decoded that much more, in the right size. */
async function pageReceives({inPage}, codec) {
    await inPage('forgetSound');
    const before = (await inPage('streams')).video_in?.framesDecoded ?? 0;
    await eventually('Chromium decodes pictures and sound', async () =>
        ((await inPage('streams')).video_in?.framesDecoded ?? 0) >= before + PICTURES &&
        await inPage('soundSeconds') >= SOUND_S);
    const {video_in, audio_in} = await inPage('streams');
    equal([video_in.codec, audio_in.codec], [`video/${codec}`, 'audio/opus'], 'what Chromium receives');
    checkSize(video_in.frameWidth, video_in.frameHeight, `Chromium's picture of ${video_in.frameWidth} columns`);
    return video_in;
}

/* The page's picture and sound against what was sent. The first pictures of a stream may be coarse: MEDIA_MS to become
 * good. */
async function judgePage({inPage, file}, {mirrored = false, gain_db = 0, canvas = false} = {}) {
    const end = Date.now() + MEDIA_MS;
    let picture;
    do {
        await writeFile(file('page.png'), Buffer.from(await inPage('takePicture'), 'base64'));
        picture = await judgePicture(file('page.png'), canvas);
    } while (psnr(picture, mirrored) < PSNR_MIN_DB && Date.now() < end);
    await writeFile(file('page.wav'), Buffer.from(await inPage('takeSound'), 'base64'));
    const sound = await judgeSound(file('page.wav'));
    return `${checkPicture(picture, 'Chromium', mirrored)}, ${checkSound(sound, 'Chromium', gain_db)}`;
}

async function rmrtcReceives({rmrtc}, codec, {from = 0, pictures = PICTURES} = {}) {
    const start = video(rmrtc.lines[from]?.peers.find((p) => p.peer_id === 'page'))?.frames ?? 0;
    const p = await rmrtc.until('rmrtc decodes pictures and sound', MEDIA_MS,
                                (p, line) => video(p)?.frames >= start + pictures && line.media.chunks >= SOUND_S * CHUNKS_PER_S,
                                {from});
    equal([video(p).codec, p.media.audio_in.codec], [codec, 'opus'], 'what rmrtc receives');
    checkSize(video(p).width, video(p).height, `rmrtc's picture of ${video(p).width} columns`);
    return p;
}

const record = (file) => ['--record', file('rm.wav'), '--snapshot', file('rm.png')];
const prefer = (codec) => ['--video-codec', codec.toLowerCase()];
const publish = (codec) => (file) =>
    ['--publish', 'test', '--size', `${WIDTH}x${HEIGHT}`, '--fps', RM_FPS, ...prefer(codec), ...record(file)];

/* Stops rmrtc and judges what it has recorded. */
async function judgeRmrtc({rmrtc, file}) {
    await rmrtc.stop();
    const picture = await judgePicture(file('rm.png'), true), sound = await judgeSound(file('rm.wav'));
    return `${checkPicture(picture, 'rmrtc')}, ${checkSound(sound, 'rmrtc')}`;
}

const bothWays = (codec, first) => () => call(`${codec}-${first}`, {first, options: publish(codec)}, async (c) => {
    await Promise.all([pageReceives(c, codec), rmrtcReceives(c, codec)]);
    const page = await judgePage(c);
    return `to Chromium ${page}; to rmrtc ${await judgeRmrtc(c)}`;
});

/* The page sees itself mirrored and hears itself quieter. */
const mirrored = (codec, first) => () => {
    const options = () => ['--pipeline', MIRROR, ...prefer(codec)];
    return call(`mirror-${codec}`, {first, options}, async (c) => {
        await pageReceives(c, codec);
        const note = await judgePage(c, {mirrored: true, gain_db: MIRROR_GAIN_DB, canvas: true});
        const {summary} = await c.rmrtc.stop();
        const {pipeline_errors, pipeline_outputs} = summary.peers[0].media;
        check(pipeline_errors === 0 && pipeline_outputs >= PICTURES,
              `the pipeline made ${pipeline_outputs} pictures and pieces of sound and ${pipeline_errors} errors`);
        return `and back ${note}`;
    });
};

/* A camera that is covered sends black, one that is taken away nothing; the same stream goes on afterwards. */
const cameraOffAndOn = (codec) => () => {
    const options = (file) => [...prefer(codec), ...record(file)];
    return call(`camera-${codec}`, {first: 'rmrtc', options}, async (c) => {
        const {inPage, rmrtc} = c;
        const here = () => rmrtc.lines.length - 1;
        await rmrtcReceives(c, codec);
        await inPage('setCamera', 'covered');
        await rmrtcReceives(c, codec, {from: here(), pictures: BLACK_PICTURES});
        await inPage('setCamera', 'on');
        await rmrtcReceives(c, codec, {from: here()});
        await inPage('setCamera', 'away');
        await rmrtc.until('no pictures come', MEDIA_MS, (p) => video(p)?.fps === 0, {from: here() + 1});
        await inPage('setCamera', 'on');
        await rmrtcReceives(c, codec, {from: here()});
        return `afterwards ${await judgeRmrtc(c)}`;
    });
};

const cases = {};
for (const codec of ['VP9', 'VP8', 'H264'])
    for (const first of ['rmrtc', 'page'])
        cases[`chromium-${first === 'page' ? 'answers' : 'offers'}-${codec.toLowerCase()}`] = bothWays(codec, first);
cases['chromium-offers-mirror-vp9'] = mirrored('VP9', 'rmrtc');
cases['chromium-answers-mirror-vp8'] = mirrored('VP8', 'page');
cases['chromium-offers-mirror-h264'] = mirrored('H264', 'rmrtc');
cases['chromium-camera-off-and-on'] = cameraOffAndOn('VP8');

await browserTest('chromium media', cases, async (started, atEnd) => {
    browser = started;
    folder = await mkdtemp(join(tmpdir(), 'rm-media-'));
    atEnd(() => rm(folder, {recursive: true}));
    await run(process.env.MEDIA_CHECK, ['draw', folder, WIDTH, HEIGHT, STEP].map(String));
    page_server = await servePage({scripts: ['page.js', 'media_page.js'], media: folder});
    atEnd(() => page_server.close());
    signaling = await startSignaling();
}, {args: ARGUMENTS, ms: LONGEST_MS});
