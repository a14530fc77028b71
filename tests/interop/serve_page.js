/* SPDX-License-Identifier: Apache-2.0 */
/* Runs inside the browser: a client of the peer "remotemedia-server" as those of RemoteMedia's SDK are, driven by
 * chromium_serve_test.mjs through the global `client`. */

const SERVER = 'remotemedia-server';

/* As much of protobuf as a DataBuffer with a text needs: fields with bytes. */
function varint(n) {
    return n < 128 ? [n] : [n & 127 | 128, ...varint(n >> 7)];
}
function field(number, bytes) {
    return [number << 3 | 2, ...varint(bytes.length), ...bytes];
}
function textBuffer(text) {
    return new Uint8Array(field(5, field(1, [...new TextEncoder().encode(text)])));
}
function fieldOf(bytes, wanted) {
    for (let at = 0; at < bytes.length;) {
        const tag = bytes[at++];
        let size = 0, shift = 0, byte;
        do {
            byte = bytes[at++];
            size |= (byte & 127) << shift;
            shift += 7;
        } while (byte > 127);
        if ((tag & 7) === 0)
            continue;
        if (tag >> 3 === wanted)
            return bytes.slice(at, at + size);
        at += size;
    }
    throw new Error(`no field ${wanted}`);
}

class Client {
    async join(url, id) {
        this.id = id;
        this.next = 1;
        this.waiting = new Map();
        this.states = [];
        this.events = [];
        this.errors = [];
        this.socket = new WebSocket(url);
        this.socket.onmessage = (e) => this.receive(JSON.parse(e.data));
        await new Promise((resolve, reject) => {
            this.socket.onopen = resolve;
            this.socket.onerror = () => reject(new Error(`no WebSocket to ${url}`));
        });
        return this.request('peer.announce', {peer_id: id, capabilities: ['audio', 'video', 'data'], user_data: {}});
    }

    receive(message) {
        const waiting = this.waiting.get(message.id);
        if (message.method === 'peer.ice_candidate')
            this.takeCandidate(message.params);
        else if (message.method === 'peer.state_change')
            this.states.push(message.params.connection_state);
        else if (message.method === 'control.event')
            this.events.push(message.params);
        else if (waiting && message.error)
            waiting.reject(new Error(`${waiting.method}: ${message.error.code} ${message.error.message}`));
        else if (waiting)
            waiting.resolve(message.result);
        this.waiting.delete(message.id);
    }

    request(method, params) {
        const id = this.next++;
        this.socket.send(JSON.stringify({jsonrpc: '2.0', id, method, params}));
        return new Promise((resolve, reject) => this.waiting.set(id, {method, resolve, reject}));
    }

    /* No held candidates and no waiting for an answer: the server's come after it. */
    takeCandidate({from, candidate, sdp_mid, sdp_m_line_index}) {
        const init = {candidate, sdpMid: sdp_mid, sdpMLineIndex: sdp_m_line_index};
        if (from !== SERVER)
            this.errors.push(`a candidate from ${from}`);
        else if (candidate)
            this.pc.addIceCandidate(init).catch((e) => this.errors.push(`addIceCandidate: ${e.message}`));
    }

    sendCandidate(c) {
        this.request('peer.ice_candidate', {
            from: this.id, to: SERVER, candidate: c.candidate, sdp_mid: c.sdpMid, sdp_m_line_index: c.sdpMLineIndex,
        }).then((result) => {
            if (result.buffered === false)
                this.errors.push('a candidate was dropped');
        }, (e) => this.errors.push(e.message));
    }

    /* `hold`: our candidates wait for the answer, as in the SDK's example; else they go at once. */
    async call({media = {audio: true, video: true}, hold = true} = {}) {
        this.pc?.close();
        const pc = this.pc = new RTCPeerConnection();
        const held = [];
        let answered = !hold;
        pc.onicecandidate = ({candidate}) => {
            if (candidate && answered)
                this.sendCandidate(candidate);
            else if (candidate)
                held.push(candidate);
        };
        pc.ontrack = ({track}) => { /* the browser decodes what is played only */
            const player = document.createElement(track.kind);
            player.srcObject = new MediaStream([track]);
            player.play().catch((e) => this.errors.push(`play: ${e.message}`));
        };
        if (media) {
            const stream = await navigator.mediaDevices.getUserMedia(media);
            stream.getTracks().forEach((track) => pc.addTrack(track, stream));
        }
        this.channel = pc.createDataChannel('remotemedia-data');
        this.channel.binaryType = 'arraybuffer';
        this.messages = [];
        this.channel.onmessage = (e) => this.messages.push(
            new TextDecoder().decode(fieldOf(fieldOf(new Uint8Array(e.data), 5), 1)));
        const opened = new Promise((resolve) => this.channel.onopen = resolve);
        await pc.setLocalDescription(await pc.createOffer());
        const answer = await this.request('peer.offer', {from: this.id, to: SERVER, sdp: pc.localDescription.sdp});
        await pc.setRemoteDescription({type: answer.type, sdp: answer.sdp});
        answered = true;
        held.forEach((c) => this.sendCandidate(c));
        await opened;
        return {type: answer.type, from: answer.from, to: answer.to};
    }

    say(text) {
        this.channel.send(textBuffer(text));
    }

    async received() {
        const out = {};
        for (const s of (await this.pc.getStats()).values())
            if (s.type === 'inbound-rtp')
                out[s.kind] = s.kind === 'video' ? s.framesDecoded : Math.round(s.totalSamplesReceived ?? 0);
        return out;
    }

    /* Looks again and again: a predicate of Playwright's cannot wait for figures. */
    async await(pictures, samples, ms) {
        for (const end = Date.now() + ms;; await new Promise((resolve) => setTimeout(resolve, 50))) {
            const r = await this.received();
            if (r.video >= pictures && r.audio >= samples)
                return r;
            if (Date.now() > end)
                throw new Error(`only ${JSON.stringify(r)} came back in ${ms / 1000} s`);
        }
    }
}

globalThis.client = new Client();
