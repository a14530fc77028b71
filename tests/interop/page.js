/* SPDX-License-Identifier: Apache-2.0 */
/* Runs inside the browser: a JSON-RPC signaling client and one RTCPeerConnection at a time, driven by chromium_test.mjs
 * through the global `peer`. */

const ANSWER_MS = 8000;

class Signaling {
    constructor(url) {
        this.url = url;
        this.next = 1;
        this.waiting = new Map();
        this.onCall = () => {};
    }

    open() {
        this.socket = new WebSocket(this.url);
        this.socket.onmessage = (e) => this.receive(JSON.parse(e.data));
        return new Promise((resolve, reject) => {
            this.socket.onopen = resolve;
            this.socket.onerror = () => reject(new Error(`no WebSocket to ${this.url}`));
        });
    }

    receive(message) {
        if (message.method) {
            this.onCall(message.method, message.params);
            return;
        }
        const waiting = this.waiting.get(message.id);
        this.waiting.delete(message.id);
        if (!waiting)
            return;
        if (message.error)
            waiting.reject(new Error(`${waiting.method}: ${message.error.code} ${message.error.message}`));
        else
            waiting.resolve(message.result);
    }

    request(method, params) {
        const id = this.next++;
        this.socket.send(JSON.stringify({jsonrpc: '2.0', id, method, params}));
        return new Promise((resolve, reject) => this.waiting.set(id, {method, resolve, reject}));
    }
}

/* Another valid fingerprint than the certificate has: one that nobody holds the key of. */
function wrongFingerprint(sdp) {
    return sdp.replace(/(a=fingerprint:\S+ )([0-9A-F]{2})/g,
                       (_, head, byte) => head + (byte === '00' ? '01' : '00'));
}

class Peer {
    async join(url, room, id) {
        this.id = id;
        this.errors = [];
        this.seen = []; /* methods of signaling messages received */
        this.signaling = new Signaling(url);
        this.signaling.onCall = (method, params) => {
            this.seen.push(method);
            this.work = (this.work ?? Promise.resolve()).then(() => this.handle(method, params))
                            .catch((e) => this.errors.push(`${method}: ${e.message}`));
        };
        await this.signaling.open();
        return this.signaling.request('peer.announce', {peer_id: id, capabilities: ['audio', 'video', 'data'], room});
    }

    /* what: {audio, video, data}; audio and video come from the browser's fake devices. */
    async create(remote, what) {
        this.pc?.close();
        this.remote = remote;
        this.history = [];
        this.candidates = {local: [], remote: []};
        const pc = this.pc = new RTCPeerConnection();
        pc.onicecandidate = (e) => this.sendCandidate(e.candidate);
        pc.onconnectionstatechange = () => this.history.push(pc.connectionState);
        this.opened = new Promise((resolve) => this.onOpened = resolve);
        pc.ondatachannel = (e) => this.useChannel(e.channel);
        this.tracks = 0;
        pc.ontrack = (e) => {
            this.tracks++;
            this.onTrack?.(e.track);
        };
        if (what.audio || what.video) {
            const stream = await this.localStream(what);
            stream.getTracks().forEach((track) => pc.addTrack(track, stream));
        }
        if (what.receive)
            ['audio', 'video'].forEach((kind) => pc.addTransceiver(kind, {direction: 'recvonly'}));
        if (what.data)
            this.useChannel(pc.createDataChannel('control'));
    }

    /* Messages go out on the newest channel; replies are taken in the order in which they come. */
    useChannel(channel) {
        this.channel = channel;
        this.replies = [];
        channel.onmessage = (e) => {
            this.replies.push(e.data);
            this.onReply?.();
        };
        if (channel.readyState === 'open')
            this.onOpened();
        channel.onopen = () => this.onOpened();
    }

    /* What comes back, and for how long it took. */
    async exchange(text) {
        await this.opened;
        const began = performance.now(), at = this.replies.length;
        this.channel.send(text);
        while (this.replies.length <= at)
            await new Promise((resolve) => this.onReply = resolve);
        return {label: this.channel.label, reply: this.replies[at], ms: performance.now() - began};
    }

    /* `count` messages at once; how many came back as they were, in order. */
    async burst(count, size) {
        await this.opened;
        const at = this.replies.length, sent = [];
        for (let i = 0; i < count; i++) {
            sent.push(JSON.stringify({type: 'Text', payload: `${i}:${'x'.repeat(size)}`}));
            this.channel.send(sent[i]);
        }
        while (this.replies.length < at + count)
            await new Promise((resolve) => this.onReply = resolve);
        return sent.filter((text, i) => JSON.stringify(JSON.parse(this.replies[at + i])) === text).length;
    }

    localStream({audio, video}) {
        return navigator.mediaDevices.getUserMedia(
            {audio: !!audio, video: video && {width: 640, height: 480, frameRate: 30}});
    }

    sendCandidate(c) {
        if (c?.candidate)
            this.candidates.local.push(c.candidate);
        this.signaling
            .request('peer.ice_candidate', {
                from: this.id,
                to: this.remote,
                candidate: c?.candidate ?? '',
                sdp_mid: c?.sdpMid ?? null,
                sdp_m_line_index: c?.sdpMLineIndex ?? null,
            })
            .catch((e) => this.errors.push(e.message));
    }

    onlyVideoCodecs(mimeTypes) {
        const codecs = RTCRtpReceiver.getCapabilities('video').codecs.filter((c) => mimeTypes.includes(c.mimeType));
        if (!codecs.length)
            throw new Error(`this browser has none of ${mimeTypes}`);
        this.pc.getTransceivers()
            .filter((t) => t.receiver.track.kind === 'video')
            .forEach((t) => t.setCodecPreferences(codecs));
    }

    async offer({badFingerprint = false} = {}) {
        await this.pc.setLocalDescription(await this.pc.createOffer());
        const sdp = this.pc.localDescription.sdp;
        this.answered = new Promise((resolve, reject) => {
            this.onAnswer = {resolve, reject};
            setTimeout(() => reject(new Error('no answer to the offer')), ANSWER_MS);
        });
        this.answered.catch(() => {}); /* whoever awaits it learns of it; this.errors has it in any case */
        await this.signaling.request('peer.offer', {
            from: this.id,
            to: this.remote,
            sdp: badFingerprint ? wrongFingerprint(sdp) : sdp,
        });
    }

    async handle(method, params) {
        if (method === 'peer.offer') {
            if (!this.pc || this.pc.signalingState === 'closed' || this.remote !== params.from)
                await this.create(params.from, this.answerWith ?? {});
            await this.pc.setRemoteDescription({type: 'offer', sdp: params.sdp});
            await this.pc.setLocalDescription(await this.pc.createAnswer());
            const {sdp} = this.pc.localDescription;
            await this.signaling.request(
                'peer.answer', {from: this.id, to: params.from, sdp: this.badAnswer ? wrongFingerprint(sdp) : sdp});
        } else if (method === 'peer.answer') {
            await this.pc.setRemoteDescription({type: 'answer', sdp: params.sdp})
                .then(this.onAnswer?.resolve, (e) => {
                    this.onAnswer?.reject(e);
                    throw e;
                });
        } else if (method === 'peer.ice_candidate') {
            this.candidates?.remote.push(params.candidate);
            if (!this.pc || this.pc.signalingState === 'closed' || params.from !== this.remote)
                return;
            await this.pc.addIceCandidate({
                candidate: params.candidate,
                sdpMid: params.sdp_mid ?? undefined,
                sdpMLineIndex: params.sdp_m_line_index ?? undefined,
            });
        }
    }

    async addVideo() {
        const stream = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480, frameRate: 30}});
        stream.getTracks().forEach((track) => this.pc.addTrack(track, stream));
        await this.offer();
        await this.answered;
    }

    async restartIce() {
        this.pc.restartIce();
        await this.offer();
        await this.answered;
    }

    /* Everything a test looks at, as plain data. */
    async report() {
        const pc = this.pc;
        const out = {
            errors: this.errors,
            seen: this.seen,
            tracks: this.tracks ?? 0,
            state: pc?.connectionState ?? 'none',
            history: this.history ?? [],
            candidates: this.candidates,
            local: pc?.localDescription?.sdp ?? '',
            remote: pc?.remoteDescription?.sdp ?? '',
            transceivers: [],
        };
        if (!pc || pc.signalingState === 'closed')
            return out;
        for (const t of pc.getTransceivers())
            out.transceivers.push({
                mid: t.mid,
                kind: t.receiver.track.kind,
                direction: t.currentDirection,
                codecs: (t.sender.getParameters().codecs ?? []).map((c) => c.mimeType),
            });
        const stats = [...(await pc.getStats()).values()];
        const byId = new Map(stats.map((s) => [s.id, s]));
        out.sent = stats.filter((s) => s.type === 'outbound-rtp')
                       .map((s) => ({kind: s.kind, packets: s.packetsSent, codec: byId.get(s.codecId)?.mimeType}));
        const t = stats.find((s) => s.type === 'transport');
        if (!t)
            return out;
        const pair = byId.get(t.selectedCandidatePairId);
        const describe = (c) => c && `${c.candidateType} ${c.address ?? '(hidden)'}:${c.port} ${c.protocol}`;
        out.transport = {
            dtlsState: t.dtlsState,
            tls: t.tlsVersion,
            dtlsCipher: t.dtlsCipher,
            srtpCipher: t.srtpCipher,
            dtlsRole: t.dtlsRole,
            iceState: t.iceState,
            ufrag: t.iceLocalUsernameFragment,
            localCertificate: t.localCertificateId,
            remoteCertificate: t.remoteCertificateId,
            pairState: pair?.state,
            localCandidate: describe(byId.get(pair?.localCandidateId)),
            remoteCandidate: describe(byId.get(pair?.remoteCandidateId)),
        };
        return out;
    }

    close() {
        this.pc?.close();
    }
}

globalThis.peer = new Peer();
