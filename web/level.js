/* SPDX-License-Identifier: Apache-2.0 */
/* Audio levels, and the one audio context of the page. */

export const FLOOR_DB = -60;
const WINDOW = 1024; /* samples: 21 ms at 48 kHz, more than one frame of a screen */
const STARTS_MS = 1000; /* a context that may run does so by then */
const FALL_DB = 1.2; /* for each frame: peaks stay readable */

let context = null;

export function audioContext() {
    context ??= new AudioContext({latencyHint: 'interactive'});
    return context;
}

/* Browsers keep sound off until the page was touched. Tells whether it is, when that is known and when it changes. */
export function watchAutoplay(blocked) {
    const c = audioContext();
    for (const type of ['pointerdown', 'keydown'])
        addEventListener(type, () => c.resume().catch(() => {}), {passive: true});
    c.addEventListener('statechange', () => blocked(c.state !== 'running'));
    setTimeout(() => blocked(c.state !== 'running'), STARTS_MS);
}

/* Measures one track until stopped; each(db) once for every frame drawn. */
export function meter(track, each) {
    const source = audioContext().createMediaStreamSource(new MediaStream([track]));
    const analyser = new AnalyserNode(audioContext(), {fftSize: WINDOW});
    const samples = new Float32Array(WINDOW);
    source.connect(analyser);
    let frame = 0, shown = FLOOR_DB;
    const measure = () => {
        analyser.getFloatTimeDomainData(samples);
        let sum = 0;
        for (const s of samples)
            sum += s * s;
        const db = 10 * Math.log10(sum / WINDOW + 1e-9);
        shown = Math.max(FLOOR_DB, Math.min(0, Math.max(db, shown - FALL_DB)));
        each(shown);
        frame = requestAnimationFrame(measure);
    };
    measure();
    return () => {
        cancelAnimationFrame(frame);
        source.disconnect();
    };
}
