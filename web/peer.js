/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to one peer of the room, through as many RTCPeerConnections as it takes. Perfect negotiation (W3C
 * webrtc 10.7): the lexicographically smaller id is polite, as in rmrtc. */

const CONNECT_MS = 15000;    /* then everything from the start */
const INTERRUPTED_MS = 3000; /* a path that is silent for so long is looked for anew */
const TELL_ID = 1022;        /* of the data channel between two pages; agreed beforehand, so that nobody else hears of it */
const TELL_MAX = 4096;       /* characters */
const AGAIN_FIRST_MS = 1000;
const AGAIN_MAX_MS = 30000;

const session = (sdp) => /^o=\S+ (\S+)/m.exec(sdp)?.[1];

/* Wanted codecs first; the others stay, so that a peer without it still gets a picture. */
function preferCodec(pc, codec) {
    const wanted = `video/${codec}`.toLowerCase();
    const all = RTCRtpReceiver.getCapabilities?.('video')?.codecs ?? [];
    const sorted = [...all.filter((c) => c.mimeType.toLowerCase() === wanted),
                    ...all.filter((c) => c.mimeType.toLowerCase() !== wanted)];
    if (codec && sorted[0]?.mimeType.toLowerCase() === wanted)
        for (const t of pc.getTransceivers())
            if (t.receiver.track.kind === 'video')
                t.setCodecPreferences(sorted);
}

/* Events, as methods of `on`: state(state, text), media(stream), told(text), gone(). States: waiting, connecting, connected,
 * interrupted, failed. `room` has self, local (MediaStream), codec and signal(method, params) -> Promise. */
export class Peer {
    #room;
    #on;
    #work = Promise.resolve(); /* what signaling brings is handled in its order */
    #making = false;           /* an offer of ours is being made */
    #ignored = false;          /* the last offer lost against ours: so do its candidates */
    #unanswered = 0;           /* offers on the way; an answer counts for the last one only */
    #remote = '';              /* session id of the other side's descriptions */
    #attempt = 0;
    #timer = 0;
    #left = false;             /* the server no longer knows it; media may go on */
    #closed = false;
    #channel = null;
    #said = '';

    constructor(id, room, on) {
        this.id = id;
        this.#room = room;
        this.#on = on;
        this.pc = null;
        this.state = '';
        this.media = new MediaStream();
        this.polite = room.self < id;
        this.#wait();
    }

    /* A new session with an offer of ours. */
    start() {
        this.#begin();
        this.#attach();
    }

    /* The other side is (again) in the room; whoever came last offers. */
    found(offer) {
        this.#left = false;
        this.#unanswered = 0; /* answers of before do not come any more */
        if (this.pc?.connectionState === 'connected')
            return;
        if (offer)
            this.start();
        else
            this.#wait();
    }

    /* The server says that it left. A connection that works stays: perhaps only its WebSocket is gone. */
    left() {
        this.#left = true;
        if (this.pc?.connectionState !== 'connected')
            this.#gone();
    }

    /* It said goodbye; with a reason it is still there, but does not want or cannot. */
    goodbye(reason) {
        if (!reason) {
            this.#gone();
            return;
        }
        this.#end();
        this.#tell('failed', `ended by the other side: ${reason}`);
    }

    handle(method, params) {
        this.#work = this.#work.then(() => this.#handle(method, params)).catch((e) => {
            if (!this.#closed && !(this.#ignored && method === 'peer.ice_candidate'))
                this.#tell(this.state, `${method.replace('peer.', '')}: ${e.message}`);
        });
    }

    close() {
        this.#closed = true;
        this.#end();
    }

    /* For a peer that is a page like this: what it does not know yet. */
    tell(text) {
        if (this.#channel?.readyState !== 'open' || text === this.#said)
            return;
        this.#said = text;
        this.#channel.send(text);
    }

    #tell(state, text = '') {
        this.state = state;
        this.#on.state(state, text);
    }

    #after(ms, run) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(run, ms);
    }

    #end() {
        clearTimeout(this.#timer);
        const pc = this.pc;
        this.pc = this.#channel = null; /* first: its events are nobody's then */
        pc?.close();
        this.#making = false;
        this.#ignored = false;
        this.#remote = '';
        for (const track of this.media.getTracks())
            this.media.removeTrack(track);
        this.#on.media(this.media);
    }

    #gone() {
        if (this.#closed)
            return;
        this.close();
        this.#on.gone();
    }

    /* For the other side's offer, but not for ever. */
    #wait() {
        this.#end();
        this.#tell('waiting', 'in the room; waiting for its offer');
        this.#after(CONNECT_MS, () => this.start());
    }

    #begin() {
        this.#end();
        const pc = this.pc = new RTCPeerConnection();
        const mine = (f) => (e) => pc === this.pc && f(e);
        pc.onnegotiationneeded = mine(() => this.#offer());
        pc.onicecandidate = mine((e) => this.#candidate(e.candidate));
        pc.onconnectionstatechange = mine(() => this.#connection());
        pc.ontrack = mine((e) => {
            for (const type of ['mute', 'unmute', 'ended'])
                e.track.addEventListener(type, mine(() => this.#choose()));
            this.#choose();
        });
        this.#tell('connecting', this.#attempt ? `connecting, attempt ${this.#attempt + 1}` : 'connecting');
        this.#after(CONNECT_MS, () => this.#again('no connection yet'));
    }

    #attach() {
        const {local, codec} = this.#room;
        for (const kind of [local.getAudioTracks(), local.getVideoTracks()])
            kind.forEach((track) => this.pc.addTrack(track, local));
        preferCodec(this.pc, codec);
        if (!this.pc.remoteDescription || /^m=application /m.test(this.pc.remoteDescription.sdp))
            this.#openChannel(); /* else it would take an offer more */
    }

    #openChannel() {
        const channel = this.#channel = this.pc.createDataChannel('mesh', {negotiated: true, id: TELL_ID});
        channel.onmessage = ({data}) => channel === this.#channel && typeof data === 'string' && data.length <= TELL_MAX &&
            this.#on.told(data);
        this.#said = '';
    }

    async #offer() {
        const pc = this.pc;
        try {
            this.#making = true;
            await pc.setLocalDescription();
            if (pc !== this.pc || pc.localDescription.type !== 'offer')
                return;
            this.#unanswered++;
            this.#making = false; /* from here signalingState tells */
            await this.#room.signal('peer.offer', {to: this.id, sdp: pc.localDescription.sdp});
        } catch (e) {
            if (pc === this.pc && pc.connectionState !== 'connected')
                this.#tell(this.state, e.message); /* found() or the timer begins anew */
        } finally {
            if (pc === this.pc)
                this.#making = false;
        }
    }

    #candidate(c) {
        this.#room.signal('peer.ice_candidate', {
            to: this.id,
            candidate: c?.candidate ?? '', /* empty: there are no more */
            sdp_mid: c?.sdpMid ?? null,
            sdp_m_line_index: c?.sdpMLineIndex ?? null,
        }).catch(() => {}); /* the server or the peer is away: both bring a new offer when they are back */
    }

    async #handle(method, params) {
        if (this.#closed)
            return;
        if (method === 'peer.offer')
            await this.#takeOffer(String(params.sdp));
        else if (method === 'peer.answer')
            await this.#takeAnswer(String(params.sdp));
        else if (method === 'peer.ice_candidate' && this.pc?.remoteDescription)
            await this.pc.addIceCandidate({
                candidate: params.candidate,
                sdpMid: params.sdp_mid ?? undefined,
                sdpMLineIndex: params.sdp_m_line_index ?? (params.sdp_mid == null ? 0 : undefined),
            });
    }

    async #takeOffer(sdp) {
        this.#left = false;
        const anew = this.#remote && session(sdp) !== this.#remote; /* a reload, say: the old session is no more */
        const collision = this.pc && !anew && (this.#making || this.pc.signalingState !== 'stable');
        this.#ignored = collision && !this.polite;
        if (this.#ignored)
            return;
        if (!this.pc || anew)
            this.#begin();
        const pc = this.pc;
        this.#unanswered = 0;
        await pc.setRemoteDescription({type: 'offer', sdp});
        if (pc !== this.pc)
            return;
        this.#remote = session(sdp);
        if (!pc.getSenders().some((s) => s.track))
            this.#attach();
        else
            preferCodec(pc, this.#room.codec);
        await pc.setLocalDescription();
        this.#choose();
        if (pc === this.pc)
            await this.#room.signal('peer.answer', {to: this.id, sdp: pc.localDescription.sdp});
    }

    async #takeAnswer(sdp) {
        this.#unanswered = Math.max(0, this.#unanswered - 1);
        if (this.#unanswered || this.pc?.signalingState !== 'have-local-offer')
            return;
        await this.pc.setRemoteDescription({type: 'answer', sdp});
        this.#remote = session(sdp);
        this.#choose();
    }

    #connection() {
        const state = this.pc.connectionState;
        if (state === 'connected') {
            clearTimeout(this.#timer);
            this.#attempt = 0;
            this.#tell('connected');
            this.#watchEnd();
        } else if (state === 'disconnected' || state === 'failed' || state === 'closed') {
            if (this.#left)
                this.#gone();
            else if (state === 'disconnected')
                this.#interrupted();
            else
                this.#again('the connection failed');
        }
    }

    #interrupted() {
        this.#tell('interrupted', 'connection interrupted');
        this.#after(INTERRUPTED_MS, () => {
            this.pc?.restartIce();
            this.#after(CONNECT_MS, () => this.#again('the connection failed'));
        });
    }

    #again(why) {
        const ms = Math.min(AGAIN_FIRST_MS * 2 ** this.#attempt++, AGAIN_MAX_MS);
        this.#end();
        this.#tell('failed', `${why}; next attempt in ${Math.ceil(ms / 1000)} s`);
        this.#after(ms, () => this.start());
    }

    /* close_notify comes at once, silence is noticed after seconds. */
    #watchEnd() {
        const pc = this.pc;
        const transport = pc.getTransceivers().find((t) => t.receiver.transport)?.receiver.transport;
        if (transport)
            transport.onstatechange = () => pc === this.pc && transport.state === 'closed' && this.#gone();
    }

    /* One picture and one sound of this peer: of several tracks the newest that has data. */
    #choose() {
        if (!this.pc)
            return;
        const tracks = this.pc.getTransceivers()
            .filter((t) => ['sendrecv', 'recvonly'].includes(t.currentDirection ?? t.direction))
            .map((t) => t.receiver.track)
            .filter((track) => track.readyState === 'live');
        for (const kind of ['audio', 'video']) {
            const all = tracks.filter((track) => track.kind === kind).reverse();
            const best = all.find((track) => !track.muted) ?? all[0];
            for (const old of this.media.getTracks())
                if (old.kind === kind && old !== best)
                    this.media.removeTrack(old);
            if (best && !this.media.getTracks().includes(best))
                this.media.addTrack(best);
        }
        this.#on.media(this.media);
    }
}
