/* SPDX-License-Identifier: Apache-2.0 */
/* What is seen of one peer, or of ourselves: picture, name, level, figures. */
import {FLOOR_DB, meter} from './level.js';

const template = document.getElementById('tile');
const LEVEL_SAID = 30; /* frames between two values for screen readers */

/* rows: [key, label, text]; lines stay the same elements, so that a reader's place is kept. */
export function showRows(list, rows) {
    for (const [key, label, text] of rows) {
        let dd = list.querySelector(`[data-stat="${key}"]`);
        if (!dd) {
            const line = document.createElement('div');
            const dt = document.createElement('dt');
            dd = document.createElement('dd');
            dt.textContent = label;
            dd.dataset.stat = key;
            line.append(dt, dd);
            list.append(line);
        }
        if (dd.textContent !== text)
            dd.textContent = text;
    }
}

export class Tile {
    #overlay;
    #brief;
    #stats;
    #level;
    #bar;
    #metered = null;
    #stopMeter = () => {};
    #frames = 0;
    #heard;

    /* heard(db) is called for each value of the level. */
    constructor(name, {own = false, heard = () => {}} = {}) {
        this.#heard = heard;
        this.root = template.content.firstElementChild.cloneNode(true);
        const at = (selector) => this.root.querySelector(selector);
        this.video = at('video');
        this.#overlay = at('.overlay');
        this.#brief = at('.brief');
        this.#stats = at('.stats');
        this.#level = at('.level');
        this.#bar = at('.level i');
        this.root.dataset.peer = name;
        this.root.classList.toggle('own', own);
        this.root.setAttribute('aria-label', own ? 'Your picture' : `Peer ${name}`);
        this.video.setAttribute('aria-label', own ? 'Your picture' : `Video of ${name}`);
        this.#level.setAttribute('aria-label', own ? 'Your level' : `Level of ${name}`);
        at('.peer').textContent = name;
        at('.role').textContent = own ? 'you' : '';
        this.video.muted = own;
        if (!own)
            this.#listenButton(at('.listen'), name);
        for (const type of ['playing', 'loadeddata', 'emptied', 'resize'])
            this.video.addEventListener(type, () => this.#picture());
        this.#picture();
    }

    #listenButton(button, name) {
        button.hidden = false;
        button.setAttribute('aria-label', `Silence ${name}`);
        button.addEventListener('click', () => {
            this.video.muted = !this.video.muted;
            button.setAttribute('aria-pressed', this.video.muted);
        });
    }

    #picture() {
        this.root.classList.toggle('dark', !this.video.videoWidth);
        this.#say();
    }

    #say() {
        const text = this.text || (this.root.dataset.state === 'connected' && !this.video.videoWidth ?
            'connected; no picture yet' : '');
        this.#overlay.textContent = text;
        this.#overlay.hidden = !text;
    }

    /* The state colours the dot; the text, if any, lies over the picture. */
    state(state, text) {
        this.root.dataset.state = state;
        this.text = text;
        this.#say();
    }

    /* `blocked` is called when the browser does not let sound play. */
    show(stream, blocked = () => {}) {
        const source = stream.getTracks().length ? stream : null; /* the last frame of an ended track would stay */
        if (this.video.srcObject !== source)
            this.video.srcObject = source;
        if (source)
            this.video.play().catch((e) => e.name === 'NotAllowedError' && this.#playSilently(blocked));
        const [track] = stream.getAudioTracks();
        if (track === this.#metered)
            return;
        this.#stopMeter();
        this.#metered = track;
        this.#stopMeter = track ? meter(track, (db) => this.#measure(db)) : () => {};
        if (!track)
            this.#measure(FLOOR_DB);
    }

    /* Without a click browsers play no sound; the picture can be seen until then. */
    #playSilently(blocked) {
        blocked();
        this.video.muted = true;
        this.video.play().catch(() => {});
        document.addEventListener('click', () => this.video.muted = false, {once: true});
    }

    #measure(db) {
        this.#bar.style.setProperty('--level', (1 - db / FLOOR_DB).toFixed(3));
        this.#heard(db);
        if (this.#frames++ % LEVEL_SAID === 0)
            this.#level.setAttribute('aria-valuenow', Math.round(db));
    }

    figures(rows, brief) {
        this.#brief.textContent = brief;
        showRows(this.#stats, rows);
    }

    remove() {
        this.#stopMeter();
        this.video.srcObject = null;
        this.root.remove();
    }
}
