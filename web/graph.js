/* SPDX-License-Identifier: Apache-2.0 */
/* The mesh as a picture: we in the middle, the others around us, a line for each connection. Connections between others are
 * drawn faintly, where they tell of them. */
import {FLOOR_DB} from './level.js';
import {bitrate, grade, milliseconds, percent} from './stats.js';
import {showRows} from './tile.js';

const FACE = 22;           /* radius of a node; all lengths are pixels */
const ROOM = {x: 62, y: 58}; /* around the ring: for names */
const MANY = 5;            /* more others than that, and names stand too close for more than one figure */
const NAME_LENGTH = 12;
const GLIDE = 0.18;        /* of the way to its place, in each frame */
const NEAR = 0.5;
const WIDTH = {least: 1.5, decade: 1.6, most: 7, from_bps: 1e4}; /* of a line: so much for each tenfold bitrate */
const NAMES = {good: 'good', fair: 'fair', poor: 'poor'};

const still = matchMedia('(prefers-reduced-motion: reduce)');

function make(name, attributes = {}, ...children) {
    const e = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes))
        e.setAttribute(key, value);
    e.append(...children);
    return e;
}

const cut = (name) => name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH - 1)}…` : name;
const hue = (name) => [...name].reduce((n, c) => (n * 31 + c.charCodeAt(0)) >>> 0, 7) % 360;
const pair = (a, b) => JSON.stringify([a, b].sort());

function thickness(d) {
    const bps = (d?.down ?? 0) + (d?.up ?? 0);
    return Math.min(WIDTH.most, WIDTH.least + WIDTH.decade * Math.max(0, Math.log10(bps / WIDTH.from_bps)));
}

export class Graph {
    #svg;
    #panel;
    #nodes = new Map();  /* id -> what is drawn of it and known about it */
    #told = new Map();   /* pair of others -> line */
    #claims = new Map(); /* id -> ids that it says it is connected to */
    #pinned = null;
    #hovered = null;
    #frame = 0;
    #resized;

    /* `root` has an svg and .details with .title and a dl. */
    constructor(root, self) {
        this.self = self;
        this.#svg = root.querySelector('svg');
        this.#panel = root.querySelector('.details');
        this.lines = make('g', {'aria-hidden': 'true'});
        this.faces = make('g');
        this.#svg.replaceChildren(this.lines, this.faces);
        this.#svg.onclick = (e) => e.target === this.#svg && this.#pin(null);
        this.#svg.onkeydown = (e) => e.key === 'Escape' && this.#pin(null);
        this.#resized = new ResizeObserver(() => this.#arrange(true));
        this.#resized.observe(this.#svg);
        this.add(self);
        this.state(self, 'connected', '');
    }

    add(id) {
        const own = id === this.self;
        const n = {id, own, x: NaN, y: NaN, state: '', text: '', digest: null, rows: []};
        n.pulse = make('circle', {class: 'pulse', r: FACE});
        n.sub = make('text', {class: 'sub', y: FACE + 31});
        n.face = make('g', {class: own ? 'node own' : 'node', tabindex: 0, role: 'button', 'aria-pressed': 'false'},
            n.pulse, make('circle', {class: 'face', r: FACE}),
            make('text', {class: 'initial', y: 6}, id[0].toUpperCase()),
            make('circle', {class: 'dot', r: 5, cx: FACE * 0.72, cy: FACE * -0.72}),
            make('text', {class: 'name', y: FACE + 17}, cut(own ? 'you' : id)), n.sub);
        n.face.dataset.peer = id;
        n.face.style.setProperty('--hue', hue(id)); /* not as an attribute: the Content-Security-Policy forbids that */
        this.faces.append(n.face);
        if (!own) {
            n.line = make('line', {class: 'edge'});
            n.reach = make('line', {class: 'reach'}); /* easier to point at */
            n.line.dataset.peer = id;
            this.lines.append(n.line, n.reach);
        }
        for (const e of [n.face, n.reach].filter(Boolean)) {
            e.addEventListener('pointerenter', () => this.#hover(id));
            e.addEventListener('pointerleave', () => this.#hover(null));
            e.addEventListener('click', () => this.#pin(this.#pinned === id ? null : id));
        }
        n.face.addEventListener('focus', () => n.face.matches(':focus-visible') && this.#hover(id));
        n.face.addEventListener('blur', () => this.#hover(null));
        n.face.addEventListener('keydown', (e) => {
            if (e.key !== 'Enter' && e.key !== ' ')
                return;
            e.preventDefault();
            this.#pin(this.#pinned === id ? null : id);
        });
        this.#nodes.set(id, n);
        this.#arrange(false);
    }

    remove(id) {
        const n = this.#nodes.get(id);
        if (!n)
            return;
        this.#nodes.delete(id);
        for (const e of [n.face, n.line, n.reach])
            e?.remove();
        this.#pinned = this.#pinned === id ? null : this.#pinned;
        this.#hovered = this.#hovered === id ? null : this.#hovered;
        this.told(id, []);
        this.#arrange(false);
    }

    close() {
        cancelAnimationFrame(this.#frame);
        this.#resized.disconnect();
        this.#svg.replaceChildren();
    }

    state(id, state, text) {
        const n = this.#nodes.get(id);
        if (!n)
            return;
        Object.assign(n, {state, text});
        this.#describe(n);
    }

    /* digest: of stats.js, null while there is none. rows: as in a tile. */
    figures(id, digest, rows) {
        const n = this.#nodes.get(id);
        if (!n)
            return;
        Object.assign(n, {digest, rows});
        this.#describe(n);
    }

    level(id, db) {
        const n = this.#nodes.get(id);
        const level = (1 - db / FLOOR_DB).toFixed(2);
        if (n && n.level !== level) {
            n.level = level;
            n.pulse.style.setProperty('--level', level);
        }
    }

    /* `id` says that it is connected to these. */
    told(id, others) {
        this.#claims.set(id, others.filter((o) => o !== this.self && o !== id));
        if (!this.#nodes.has(id))
            this.#claims.delete(id);
        const wanted = new Map();
        for (const [a, list] of this.#claims)
            for (const b of list.filter((b) => this.#nodes.has(b)))
                wanted.set(pair(a, b), [a, b]);
        for (const [key, line] of this.#told)
            if (!wanted.has(key)) {
                line.remove();
                this.#told.delete(key);
            }
        for (const [key, ids] of wanted)
            if (!this.#told.has(key)) {
                const line = make('line', {class: 'told'});
                line.dataset.pair = key;
                line.ids = ids;
                this.lines.prepend(line);
                this.#told.set(key, line);
            }
        this.#place();
    }

    #describe(n) {
        const d = n.digest, connected = n.state === 'connected';
        const quality = n.own || !connected ? null : grade(d);
        n.face.dataset.state = n.state;
        if (n.line) {
            n.line.dataset.state = n.state;
            n.line.dataset.grade = quality ?? '';
            n.line.style.strokeWidth = connected ? thickness(d).toFixed(1) : WIDTH.least;
        }
        const many = this.#nodes.size - 1 > MANY;
        const rtt = milliseconds(d?.rtt ?? null);
        n.sub.textContent = n.own ? '' : !connected ? n.state : !d ? '' : many ? rtt : `${rtt} · ${bitrate(d.down)}`;
        const known = d && connected ? `, quality ${NAMES[quality] ?? 'not known yet'}, round trip ${rtt}, ` +
            `loss ${percent(d.loss)} in, ${percent(d.lossUp)} out` : '';
        n.face.setAttribute('aria-label', n.own ? `You, ${n.id}` : `${n.id}, ${n.state}${known}`);
        if (!this.#shown() || n.id === this.#shown())
            this.#show();
    }

    /* ---- places ---- */

    #arrange(atOnce) {
        const {clientWidth: w, clientHeight: h} = this.#svg;
        if (!w || !h)
            return;
        this.#svg.setAttribute('viewBox', `0 0 ${w} ${h}`);
        const others = [...this.#nodes.values()].filter((n) => !n.own);
        const middle = {x: w / 2, y: (h - 14) / 2}; /* names are below */
        const ring = {x: Math.min(w / 2 - ROOM.x, h), y: middle.y - ROOM.y + 14};
        if (others.length === 1)
            middle.x -= ring.x / 2;
        const start = others.length <= 2 ? 0 : -Math.PI / 2; /* names beside the lines */
        others.forEach((n, i) => {
            const angle = start + 2 * Math.PI * i / others.length;
            n.to = {x: middle.x + ring.x * Math.cos(angle), y: middle.y + ring.y * Math.sin(angle)};
        });
        this.#nodes.get(this.self).to = middle;
        for (const n of this.#nodes.values()) {
            if (atOnce || still.matches || Number.isNaN(n.x))
                [n.x, n.y] = Number.isNaN(n.x) && !atOnce && !n.own && !still.matches ? [middle.x, middle.y] : [n.to.x, n.to.y];
            this.#describe(n);
        }
        this.#svg.setAttribute('aria-label', `Mesh of ${this.#nodes.size} participant${this.#nodes.size > 1 ? 's' : ''}`);
        this.#show();
        this.#glide();
    }

    #glide() {
        cancelAnimationFrame(this.#frame);
        let moving = false;
        for (const n of this.#nodes.values()) {
            const [dx, dy] = [n.to.x - n.x, n.to.y - n.y];
            if (Math.hypot(dx, dy) < NEAR) {
                [n.x, n.y] = [n.to.x, n.to.y];
            } else {
                n.x += dx * GLIDE;
                n.y += dy * GLIDE;
                moving = true;
            }
        }
        this.#place();
        if (moving)
            this.#frame = requestAnimationFrame(() => this.#glide());
    }

    #place() {
        const between = (line, a, b) => {
            if (Number.isNaN(a.x + b.x))
                return; /* not shown yet */
            for (const [key, value] of Object.entries({x1: a.x, y1: a.y, x2: b.x, y2: b.y}))
                line.setAttribute(key, value.toFixed(1));
        };
        const me = this.#nodes.get(this.self);
        for (const n of this.#nodes.values()) {
            if (Number.isNaN(n.x))
                continue;
            n.face.setAttribute('transform', `translate(${n.x.toFixed(1)} ${n.y.toFixed(1)})`);
            for (const line of [n.line, n.reach].filter(Boolean))
                between(line, me, n);
        }
        for (const line of this.#told.values())
            between(line, ...line.ids.map((id) => this.#nodes.get(id)));
    }

    /* ---- what is told of one ---- */

    #shown() {
        return this.#hovered ?? this.#pinned;
    }

    #hover(id) {
        this.#hovered = id;
        this.#show();
    }

    #pin(id) {
        this.#pinned = id;
        this.#show();
    }

    #show() {
        const id = this.#shown(), n = this.#nodes.get(id);
        for (const m of this.#nodes.values()) {
            m.face.classList.toggle('shown', m.id === id);
            m.line?.classList.toggle('shown', m.id === id);
            m.face.setAttribute('aria-pressed', m.id === this.#pinned);
        }
        const others = this.#nodes.size - 1;
        const title = this.#panel.querySelector('.title'), note = this.#panel.querySelector('.note');
        const list = this.#panel.querySelector('dl');
        this.#panel.dataset.peer = n?.id ?? '';
        title.textContent = !n ? 'Everybody' : n.own ? `You, ${n.id}` : n.id;
        if (!n) {
            note.textContent = others ? 'Point at somebody for figures; a click keeps them here.' : 'Nobody else is here yet.';
        } else if (n.own) {
            note.textContent = this.#nodes.size > 1 ? 'what you send to all' : 'nobody else is here yet';
        } else {
            const quality = n.state === 'connected' && grade(n.digest);
            note.textContent = n.text || (quality ? `connected, quality ${NAMES[quality]}` : n.state);
        }
        if (list.dataset.peer !== (n?.id ?? '')) {
            list.replaceChildren();
            list.dataset.peer = n?.id ?? '';
        }
        showRows(list, n ? n.rows : this.#summary());
    }

    #summary() {
        const peers = [...this.#nodes.values()].filter((m) => !m.own && m.state === 'connected');
        const known = peers.map((m) => m.digest).filter(Boolean);
        const worst = (key) => known.reduce((most, d) => d[key] === null ? most : Math.max(most ?? 0, d[key]), null);
        const sum = (key) => known.reduce((all, d) => all + (d[key] ?? 0), 0);
        return [
            ['peers', 'Participants', String(this.#nodes.size)],
            ['connected', 'Connected to', String(peers.length)],
            ['rtt', 'Longest round trip', milliseconds(worst('rtt'))],
            ['loss', 'Most loss in', percent(worst('loss'))],
            ['down', 'Down, all', bitrate(sum('down'))],
            ['up', 'Up, all', bitrate(sum('up'))],
        ];
    }
}
