/* SPDX-License-Identifier: Apache-2.0 */
/* Two reports of getStats() a while apart become what a person wants to know. Pure. */

const codecName = (mimeType) => mimeType?.split('/')[1]?.replace('H264', 'H.264').replace('opus', 'Opus') ?? '';

/* The one of several streams of a kind that has most: others are left from before a renegotiation. */
function main(list, type, kind, count) {
    return list.filter((s) => s.type === type && s.kind === kind)
        .reduce((best, s) => (s[count] ?? 0) > (best?.[count] ?? -1) ? s : best, null);
}

function selectedPair(list, byId) {
    const transport = list.find((s) => s.type === 'transport' && s.selectedCandidatePairId);
    return byId.get(transport?.selectedCandidatePairId) ??
           list.find((s) => s.type === 'candidate-pair' && s.nominated && s.state === 'succeeded');
}

/* `before` is the digest of the report before, or null. Figures that are not known are null. */
export function digest(report, before, nowMs) {
    const list = [...report.values()];
    const byId = new Map(list.map((s) => [s.id, s]));
    const video = main(list, 'inbound-rtp', 'video', 'bytesReceived');
    const audio = main(list, 'inbound-rtp', 'audio', 'bytesReceived');
    const sent = main(list, 'outbound-rtp', 'video', 'bytesSent');
    const sentAudio = main(list, 'outbound-rtp', 'audio', 'bytesSent');
    const heard = list.filter((s) => s.type === 'remote-inbound-rtp');
    const pair = selectedPair(list, byId);
    const totals = {
        ms: nowMs,
        id: `${video?.id} ${audio?.id}`,
        down: (video?.bytesReceived ?? 0) + (audio?.bytesReceived ?? 0),
        up: (sent?.bytesSent ?? 0) + (sentAudio?.bytesSent ?? 0),
        lost: (video?.packetsLost ?? 0) + (audio?.packetsLost ?? 0),
        got: (video?.packetsReceived ?? 0) + (audio?.packetsReceived ?? 0),
        concealed: audio?.concealedSamples ?? 0,
        samples: audio?.totalSamplesReceived ?? 0,
        frozen: video?.totalFreezesDuration ?? 0,
    };
    const old = before?.totals.id === totals.id ? before.totals : null;
    const since = (key) => old ? Math.max(0, totals[key] - old[key]) : null;
    const seconds = old ? (nowMs - old.ms) / 1000 : 0;
    const rate = (key) => seconds > 0 ? since(key) * 8 / seconds : null;
    const part = (a, b) => a === null || !(b > 0) ? null : a / b;
    const worst = (values) => values.reduce((m, v) => v === undefined ? m : Math.max(m ?? v, v), null);
    return {
        totals,
        width: video?.frameWidth ?? null,
        height: video?.frameHeight ?? null,
        fps: video?.framesPerSecond ?? (video ? 0 : null),
        decoded: video?.framesDecoded ?? 0,
        dropped: video?.framesDropped ?? null,
        freezes: video?.freezeCount ?? null,
        frozen: part(since('frozen'), seconds),
        videoCodec: codecName(byId.get(video?.codecId)?.mimeType),
        audioCodec: codecName(byId.get(audio?.codecId)?.mimeType),
        down: rate('down'),
        up: rate('up'),
        loss: part(since('lost'), since('lost') + since('got')),
        lossUp: worst(heard.map((s) => s.fractionLost)),
        jitter: worst([video?.jitter, audio?.jitter]),
        rtt: pair?.currentRoundTripTime ?? worst(heard.map((s) => s.roundTripTime)),
        concealed: part(since('concealed'), since('samples')),
        sentWidth: sent?.frameWidth ?? null,
        sentHeight: sent?.frameHeight ?? null,
        sentFps: sent?.framesPerSecond ?? null,
        sentCodec: codecName(byId.get(sent?.codecId)?.mimeType),
        limit: sent?.qualityLimitationReason ?? '',
        local: byId.get(pair?.localCandidateId)?.candidateType ?? '',
        remote: byId.get(pair?.remoteCandidateId)?.candidateType ?? '',
        protocol: byId.get(pair?.localCandidateId)?.protocol ?? '',
    };
}

const NONE = '–';

export function bitrate(bits) {
    if (bits === null)
        return NONE;
    return bits >= 1e6 ? `${(bits / 1e6).toFixed(2)} Mbit/s` : `${Math.round(bits / 1e3)} kbit/s`;
}

export const percent = (x) => x === null ? NONE : `${(x * 100).toFixed(1)} %`;
export const milliseconds = (seconds) => seconds === null ? NONE : `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
const size = (w, h) => w ? `${w}×${h}` : NONE;
const perSecond = (n) => n === null ? NONE : `${Math.round(n)} fps`;

/* [key, label, text] for each line of a tile. */
export function rows(d) {
    return [
        ['resolution', 'Picture', size(d.width, d.height)],
        ['fps', 'Frame rate', perSecond(d.fps)],
        ['codec', 'Codecs', [d.videoCodec, d.audioCodec].filter(Boolean).join(' + ') || NONE],
        ['down', 'Down', bitrate(d.down)],
        ['up', 'Up', bitrate(d.up)],
        ['loss', 'Loss in', percent(d.loss)],
        ['loss-up', 'Loss out', percent(d.lossUp)],
        ['jitter', 'Jitter', milliseconds(d.jitter)],
        ['rtt', 'Round trip', milliseconds(d.rtt)],
        ['concealed', 'Audio concealed', percent(d.concealed)],
        ['freezes', 'Freezes', d.freezes === null ? NONE : String(d.freezes)],
        ['pair', 'Path', d.local ? `${d.local} – ${d.remote} ${d.protocol}` : NONE],
        ['sent', 'We send', d.sentWidth ? `${size(d.sentWidth, d.sentHeight)} ${perSecond(d.sentFps)}` : NONE],
    ];
}

/* How a connection does: from where a conversation suffers (ITU-T G.114: 150 and 400 ms one way), what repairs
 * mend, and how much of the time the picture stood still. */
const GRADES = [{grade: 'good', rtt: 0.3, loss: 0.02, frozen: 0.05}, {grade: 'fair', rtt: 0.8, loss: 0.1, frozen: 0.3}];

/* good, fair or poor; null while nothing is known. */
export function grade(d) {
    if (!d || d.rtt === null)
        return null;
    const loss = Math.max(d.loss ?? 0, d.lossUp ?? 0);
    return GRADES.find((g) => d.rtt <= g.rtt && loss <= g.loss && (d.frozen ?? 0) <= g.frozen)?.grade ?? 'poor';
}

export const brief = (d) => d.width ? `${d.width}×${d.height} · ${perSecond(d.fps)} · ${bitrate(d.down)}` : '';
