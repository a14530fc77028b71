/* SPDX-License-Identifier: Apache-2.0 */
/* Runs inside the browser, after page.js: the other side of data_peer.c, whose comment says what both do. Driven by
 * chromium_data_test.mjs through the global `peer`. */

const DATA_MS = 20000;
const LOSSY_TRIES = 15;
const LOSSY_MS = 1000;
const UNREPEATED_MAX = 16384; /* as in data_peer.c */
const SIZES = [1, 0, 2, 1000, 1163, 1200, 16384, 65535, 65536, 262144];
const KINDS = {
    'page-reliable': {},
    'page-unordered': {ordered: false},
    'page-retransmits': {maxRetransmits: 5},
    'page-unordered-none': {ordered: false, maxRetransmits: 0},
    'page-lifetime': {maxPacketLifeTime: 3000},
    'page-unordered-lifetime': {ordered: false, maxPacketLifeTime: 3000},
    'page-negotiated': {negotiated: true, id: 101},
};
const CRC_TABLE = Uint32Array.from({length: 256}, (_, n) => {
    for (let bit = 0; bit < 8; bit++)
        n = n & 1 ? (n >>> 1) ^ 0xEDB88320 : n >>> 1;
    return n;
});

function crc32(crc, bytes) {
    crc = ~crc;
    for (const byte of bytes)
        crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 255];
    return ~crc >>> 0;
}

const inTime = (promise, what) => Promise.race(
    [promise, new Promise((_, reject) => setTimeout(() => reject(new Error(`${what}: not in time`)), DATA_MS))]);

const textOf = (size, seed) =>
    Array.from({length: size}, (_, i) => String.fromCharCode(97 + (i + seed * 7 + Math.floor(i / 997)) % 26)).join('');

class DataPeer extends Peer {
    async create(remote, what) {
        await super.create(remote, what);
        this.negotiated = {
            rm: this.pc.createDataChannel('rm-negotiated', {negotiated: true, id: 100}),
            page: this.pc.createDataChannel('page-negotiated', KINDS['page-negotiated']),
        };
        this.serve(this.negotiated.rm);
    }

    useChannel(channel) {
        if (channel.label === 'control')
            super.useChannel(channel);
        else
            this.serve(channel);
    }

    /* What comes on a channel of the other side goes back; the bulk is only counted. */
    serve(channel) {
        let bytes = 0, crc = 0;
        channel.binaryType = 'arraybuffer';
        channel.onmessage = ({data}) => {
            if (channel.label !== 'rm-bulk') {
                channel.send(data);
            } else if (data === 'end') {
                channel.send(`${bytes} ${crc}`);
            } else {
                bytes += data.byteLength;
                crc = crc32(crc, new Uint8Array(data));
            }
        };
    }

    /* Where messages may be lost, each is tried several times; late replies to earlier ones are passed over. */
    async exchange(channel, size, seed, lossy) {
        const text = textOf(size, seed), binary = seed % 2 === 0;
        for (let tries = lossy ? LOSSY_TRIES : 1; tries > 0; tries--) {
            const replies = this.inbox(channel);
            channel.send(binary ? new TextEncoder().encode(text) : text);
            for (let data; (data = await replies.next(lossy ? LOSSY_MS : DATA_MS)) !== null;) {
                if ((typeof data !== 'string') === binary && (binary ? new TextDecoder().decode(data) : data) === text)
                    return;
                if (!lossy)
                    throw new Error(`${channel.label}, ${size} bytes: another message came back`);
            }
        }
        throw new Error(`${channel.label}, ${size} bytes: not in time`);
    }

    /* next(ms) is the next message of the channel, or null. */
    inbox(channel) {
        const came = [];
        let wake = () => {};
        channel.onmessage = (e) => {
            came.push(e.data);
            wake();
        };
        return {
            next: async (ms) => {
                if (!came.length)
                    await new Promise((resolve) => {
                        wake = resolve;
                        setTimeout(resolve, ms);
                    });
                return came.length ? came.shift() : null;
            }
        };
    }

    async testKind(label, options) {
        const channel = options.negotiated ? this.negotiated.page : this.pc.createDataChannel(label, options);
        channel.binaryType = 'arraybuffer';
        if (channel.readyState !== 'open')
            await inTime(new Promise((resolve) => channel.onopen = resolve), `${label} opens`);
        for (const [seed, size] of SIZES.entries())
            if (options.maxRetransmits !== 0 || size <= UNREPEATED_MAX)
                await this.exchange(channel, size, seed, 'maxRetransmits' in options || 'maxPacketLifeTime' in options);
        const closed = new Promise((resolve) => channel.onclose = resolve);
        channel.close();
        await inTime(closed, `${label} closes`);
    }

    async testAll() {
        await inTime(this.opened, 'control opens');
        let report = 'ok';
        try {
            for (const [label, options] of Object.entries(KINDS))
                await this.testKind(label, options);
        } catch (e) {
            report = e.message;
        }
        const channel = this.pc.createDataChannel('page-report');
        channel.onopen = () => channel.send(report);
        return report;
    }
}

globalThis.peer = new DataPeer();
