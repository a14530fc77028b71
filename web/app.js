/* SPDX-License-Identifier: Apache-2.0 */
/* The page: a form to join a room, and the room. Query parameters: room, name, source=camera|test,
 * codec=vp9|vp8|h264, autojoin=1; the token, a secret, goes after the # instead, which browsers do not send. */
import {Graph} from './graph.js';
import {watchAutoplay} from './level.js';
import {Peer} from './peer.js';
import {RpcError, Signaling} from './signaling.js';
import {canCapture, devices, open as openSource} from './source.js';
import {bitrate, brief, digest, rows} from './stats.js';
import {Tile} from './tile.js';

const STATS_MS = 1000;
const NOTICE_MS = 8000;
const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const ALREADY = 'already announced';
const WS_PATH = '/ws';
const CLIENT = 'remotemedia-web'; /* how pages like this know each other */
const TOLD_MAX = 64;

const $ = (id) => document.getElementById(id);
const wsUrl = () => `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${WS_PATH}`;

let call = null; /* the room we are in */
let watched = false;

/* A message; one of the same key replaces the earlier one, and stays until withdrawn. */
function notice(text, {key = '', kind = 'error'} = {}) {
    withdraw(key);
    const p = document.createElement('p');
    p.className = `notice ${kind}`;
    p.dataset.key = key;
    p.textContent = text;
    const close = document.createElement('button');
    close.type = 'button';
    close.textContent = '×';
    close.setAttribute('aria-label', 'Dismiss');
    close.addEventListener('click', () => p.remove());
    p.append(close);
    $('notices').append(p);
    if (!key)
        setTimeout(() => p.remove(), NOTICE_MS);
}

function withdraw(key) {
    if (key)
        document.querySelectorAll(`.notice[data-key="${key}"]`).forEach((p) => p.remove());
}

function soundBlocked(blocked) {
    if (blocked && call) {
        notice('Click anywhere, or press a key, to turn the sound on.', {key: 'sound', kind: 'info'});
        return;
    }
    withdraw('sound');
    document.querySelectorAll('.tile video').forEach((video) => video.srcObject && video.play().catch(() => {}));
}

function pill(state, text) {
    $('signaling').dataset.state = state;
    $('signaling').textContent = text;
}

class Call {
    #peers = new Map(); /* id -> {peer, tile, digest} */
    #timer = 0;
    #pages = new Set(); /* ids of those that are pages like this */

    constructor(settings, source) {
        this.settings = settings;
        this.source = source;
        this.room = {
            self: settings.name,
            local: source.stream,
            codec: settings.codec,
            signal: (method, params) => this.signaling.request(method, {from: settings.name, ...params}),
        };
        this.graph = new Graph($('mesh'), settings.name);
        this.own = new Tile(settings.name, {own: true, heard: (db) => this.graph.level(settings.name, db)});
        this.own.state('connected', '');
        this.own.show(source.stream);
        $('tiles').replaceChildren(this.own.root);
        this.#count();
        const announcement = {
            peer_id: settings.name,
            capabilities: ['audio', 'video'],
            user_data: {client: CLIENT},
            ...settings.room && {room: settings.room},
            ...settings.token && {token: settings.token},
        };
        this.signaling = new Signaling(wsUrl(), announcement, {
            state: (state, detail) => this.#signalingState(state, detail),
            announced: (others) => this.#announced(others),
            call: (method, params) => this.#called(method, params),
        });
        this.#timer = setInterval(() => this.#measure(), STATS_MS);
    }

    leave() {
        clearInterval(this.#timer);
        this.signaling.leave();
        for (const id of [...this.#peers.keys()])
            this.#remove(id);
        this.own.remove();
        this.graph.close();
        this.source.stop();
    }

    #signalingState(state, detail) {
        if (state === 'ready') {
            pill('ready', 'in the room');
            withdraw('server');
        } else if (state === 'connecting') {
            pill('connecting', 'connecting');
        } else if (state === 'waiting') {
            const why = detail.reason ? ` (${detail.reason})` : '';
            pill('waiting', 'server gone');
            notice(`The signaling server is gone${why}; next attempt in ${(detail.ms / 1000).toFixed(1)} s. ` +
                   'Connections that run go on.', {key: 'server'});
        } else {
            end();
            notice(refusal(detail, this.settings), {key: 'refused'});
        }
    }

    #announced(others) {
        for (const [id, {peer}] of this.#peers)
            if (!others.includes(id))
                peer.left();
        for (const id of others)
            this.#find(id)?.peer.found(true);
        this.#list();
    }

    async #list() {
        const {peers = []} = await this.signaling.request('peer.list').catch(() => ({}));
        this.#pages = new Set(peers.filter((p) => p.metadata?.client === CLIENT).map((p) => p.peer_id));
    }

    /* Another page says whom it is connected to. */
    #told(id, text) {
        let said = null;
        try {
            said = JSON.parse(text);
        } catch {
            return; /* nothing of ours */
        }
        if (Array.isArray(said?.connected))
            this.graph.told(id, said.connected.slice(0, TOLD_MAX).filter((other) => NAME.test(other)));
    }

    /* And we say it to other pages. */
    #tell() {
        const connected = [...this.#peers].filter(([, {peer}]) => peer.state === 'connected').map(([id]) => id);
        const text = JSON.stringify({connected});
        for (const [id, {peer}] of this.#peers)
            if (this.#pages.has(id))
                peer.tell(text);
    }

    #called(method, params) {
        const id = method === 'peer.joined' || method === 'peer.left' ? params.peer_id : params.from ?? params.peer_id;
        if (typeof id !== 'string' || !NAME.test(id) || id === this.settings.name)
            return;
        const known = this.#peers.get(id);
        if (method === 'peer.joined') {
            this.#find(id).peer.found(false);
            this.#list();
        } else if (method === 'peer.left') {
            known?.peer.left();
        } else if (method === 'peer.disconnected') {
            known?.peer.goodbye(params.reason ?? '');
        } else if (method === 'peer.offer') {
            this.#find(id).peer.handle(method, params);
        } else {
            known?.peer.handle(method, params);
        }
    }

    #find(id) {
        if (this.#peers.has(id))
            return this.#peers.get(id);
        const tile = new Tile(id, {heard: (db) => this.graph.level(id, db)});
        const entry = {tile, peer: null, digest: null};
        this.#peers.set(id, entry);
        this.graph.add(id);
        entry.peer = new Peer(id, this.room, {
            state: (state, text) => {
                tile.state(state, text);
                this.graph.state(id, state, text);
            },
            media: (stream) => tile.show(stream, () => soundBlocked(true)),
            told: (text) => this.#told(id, text),
            gone: () => {
                notice(`${id} has left.`, {kind: 'info'});
                this.#remove(id);
            },
        });
        $('tiles').append(tile.root);
        this.#count();
        return entry;
    }

    #remove(id) {
        const entry = this.#peers.get(id);
        this.#peers.delete(id);
        entry?.peer.close();
        entry?.tile.remove();
        this.graph.remove(id);
        this.#count();
    }

    #count() {
        $('alone').hidden = this.#peers.size > 0;
        $('tiles').dataset.count = this.#peers.size + 1;
    }

    async #measure() {
        this.#tell();
        const digests = await Promise.all([...this.#peers.values()].map(async (entry) => {
            const report = await entry.peer.pc?.getStats().catch(() => null);
            entry.digest = report ? digest(report, entry.digest, performance.now()) : null;
            const figures = entry.digest ? rows(entry.digest) : [];
            if (entry.digest)
                entry.tile.figures(figures, brief(entry.digest));
            this.graph.figures(entry.peer.id, entry.digest, figures);
            return entry.digest;
        }));
        const sum = (key) => digests.reduce((n, d) => d?.[key] == null ? n : n + d[key], 0);
        const track = this.source.stream.getVideoTracks()[0].getSettings();
        const {sentCodec = '', limit = ''} = digests.find((d) => d?.sentCodec) ?? {};
        const own = [
            ['resolution', 'Picture', `${this.own.video.videoWidth}×${this.own.video.videoHeight}`],
            ['fps', 'Frame rate', `${Math.round(track.frameRate ?? 0)} fps`],
            ['codec', 'Codec', sentCodec || '–'],
            ['limit', 'Limited by', limit && limit !== 'none' ? limit : 'nothing'],
            ['down', 'Down, all', bitrate(sum('down'))],
            ['up', 'Up, all', bitrate(sum('up'))],
        ];
        this.graph.figures(this.settings.name, null, own);
        this.own.figures(own, `${this.source.label} · ${bitrate(sum('up'))}`);
    }
}

function refusal(error, {name, room}) {
    if (error instanceof RpcError && error.reason === ALREADY)
        return `Somebody named “${name}” is in the room already. Choose another name.`;
    if (error.message === 'not authorized')
        return 'The server asks for a token, and this is not it. It goes under “More settings”.';
    return `The server refused ${room ? `room “${room}”` : 'us'}: ${error.message}.`;
}

function view(name) {
    document.body.dataset.view = name;
    for (const [id, of] of [['lobby', 'lobby'], ['call', 'call'], ['controls', 'call'], ['where', 'call']])
        $(id).hidden = of !== name;
}

function end() {
    call?.leave();
    call = null;
    withdraw('server');
    withdraw('sound');
    withdraw('source');
    pill('idle', 'not joined');
    view('lobby');
    $('join-button').disabled = false;
    $('join-button').focus();
}

function toggleTrack(button, kind) {
    const off = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', off);
    call?.source.stream.getTracks().filter((t) => t.kind === kind).forEach((t) => t.enabled = !off);
    if (kind === 'video')
        call?.own.state('connected', off ? 'your video is off' : '');
}

function readForm() {
    return {
        room: $('room').value.trim(),
        name: $('name').value.trim(),
        source: document.querySelector('input[name=source]:checked').value,
        codec: $('codec').value,
        token: $('token').value,
    };
}

/* So that a reload, or somebody given the address, finds the same room; the name is ours alone. */
function remember({room, source, codec}) {
    const query = new URLSearchParams(location.search);
    for (const [key, value] of Object.entries({room, source, codec}))
        value ? query.set(key, value) : query.delete(key);
    history.replaceState(null, '', `?${query}${location.hash}`);
}

async function join() {
    if (call || $('join-button').disabled)
        return;
    const settings = readForm();
    $('join-button').disabled = true;
    withdraw('refused');
    const source = await openSource(settings.source, settings.name);
    if (source.warning)
        notice(source.warning, {key: 'source'});
    remember(settings);
    $('where').textContent = settings.room || 'default room';
    $('join-command').textContent =
        `rmrtc join ${wsUrl()}${settings.room ? ` --room ${settings.room}` : ''} --publish test`;
    for (const id of ['mute', 'camera'])
        $(id).setAttribute('aria-pressed', 'false');
    view('call');
    call = new Call(settings, source);
    if (!watched)
        watchAutoplay(soundBlocked);
    watched = true;
}

async function main() {
    const query = new URLSearchParams(location.search);
    const digits = crypto.getRandomValues(new Uint16Array(1))[0].toString(36);
    $('room').value = NAME.test(query.get('room') ?? '') ? query.get('room') : '';
    $('name').value = NAME.test(query.get('name') ?? '') ? query.get('name') : `web-${digits}`;
    $('codec').value = [...$('codec').options].some((o) => o.value === query.get('codec')) ? query.get('codec') : '';
    $('token').value = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
    const have = await devices();
    const camera = document.querySelector('input[value=camera]'), test = document.querySelector('input[value=test]');
    if (!canCapture()) {
        camera.disabled = true;
        $('camera-note').textContent = 'needs https, or a page from this machine';
    } else if (!have.audio && !have.video) {
        $('camera-note').textContent = 'none was found';
    }
    const wanted = query.get('source') ?? (have.audio || have.video ? 'camera' : 'test');
    (wanted === 'camera' && canCapture() ? camera : test).checked = true;
    $('join').addEventListener('submit', (e) => {
        e.preventDefault();
        join();
    });
    $('mute').addEventListener('click', () => toggleTrack($('mute'), 'audio'));
    $('camera').addEventListener('click', () => toggleTrack($('camera'), 'video'));
    $('details').addEventListener('click', () => {
        const shown = $('details').getAttribute('aria-pressed') !== 'true';
        $('details').setAttribute('aria-pressed', shown);
        $('tiles').classList.toggle('plain', !shown);
    });
    $('graph').addEventListener('click', () => {
        const shown = $('graph').getAttribute('aria-pressed') !== 'true';
        $('graph').setAttribute('aria-pressed', shown);
        $('mesh').hidden = !shown;
        if (shown)
            $('mesh').scrollIntoView({block: 'nearest'});
    });
    $('hangup').addEventListener('click', end);
    addEventListener('pagehide', () => call?.leave());
    if (typeof RTCPeerConnection === 'undefined') {
        notice('This browser has no WebRTC, or it is turned off.', {key: 'refused'});
        return;
    }
    $('join-button').disabled = false; /* earlier nobody would take the form */
    if (query.get('autojoin') === '1')
        join();
}

main();
