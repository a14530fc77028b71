/* SPDX-License-Identifier: Apache-2.0 */
/* The server's JSON-RPC 2.0 over a WebSocket that comes back by itself when the server has gone. */

const ANSWER_MS = 10000;      /* the server answers at once; later it is gone */
const ALIVE_MS = 20000;       /* a page cannot send pings: a request every now and then finds a dead line */
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8000;
const CLOSE_GOING_AWAY = 1001; /* RFC 6455 7.4.1 */

export class RpcError extends Error {
    constructor(method, {code, message, data}) {
        super(message);
        this.method = method;
        this.code = code;
        this.reason = data?.reason ?? '';
    }
}

/* Events, as methods of `on`: state(state, detail) with connecting, ready, waiting or refused; announced(other_peers);
 * call(method, params). refused is final: the server does not want us, and says why. */
export class Signaling {
    #on;
    #socket = null;
    #next = 1;
    #waiting = new Map();
    #attempt = 0;
    #timer = 0;
    #alive = 0;
    #known = false; /* announced before: our old connection may still hold our name for a while */
    #closed = false;

    constructor(url, announcement, on) {
        this.url = url;
        this.announcement = announcement;
        this.ready = false;
        this.#on = on;
        this.online = () => this.#timer && this.#open();
        addEventListener('online', this.online);
        this.#open();
    }

    request(method, params = {}) {
        if (this.#socket?.readyState !== WebSocket.OPEN)
            return Promise.reject(new Error('the signaling server is away'));
        const id = this.#next++;
        this.#socket.send(JSON.stringify({jsonrpc: '2.0', id, method, params}));
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => this.#settle(id)?.reject(new Error(`no answer to ${method}`)), ANSWER_MS);
            this.#waiting.set(id, {method, resolve, reject, timer});
        });
    }

    /* Says goodbye to everybody in the room, then closes. Works while the page goes away, too. */
    leave() {
        if (this.ready)
            this.request('peer.disconnect', {peer_id: this.announcement.peer_id}).catch(() => {});
        this.#closed = true;
        this.#drop();
        removeEventListener('online', this.online);
    }

    #open() {
        clearTimeout(this.#timer);
        this.#timer = 0;
        this.#on.state('connecting');
        const socket = this.#socket = new WebSocket(this.url);
        const mine = (f) => (e) => socket === this.#socket && f(e);
        socket.onopen = mine(() => this.#announce());
        socket.onmessage = mine((e) => this.#receive(e.data));
        socket.onclose = mine((e) => this.#lost(e));
    }

    async #announce() {
        let result;
        try {
            result = await this.request('peer.announce', this.announcement);
        } catch (e) {
            if (this.#closed)
                return;
            if (!(e instanceof RpcError) || this.#known) {
                this.#lost(e instanceof RpcError ? {reason: e.message} : {});
            } else {
                this.leave();
                this.#on.state('refused', e);
            }
            return;
        }
        this.#known = true;
        this.#attempt = 0;
        this.ready = true;
        this.#alive = setInterval(() => this.request('peer.list').catch((e) => e instanceof RpcError || this.#lost({})),
                                  ALIVE_MS);
        this.#on.state('ready');
        this.#on.announced(result.other_peers ?? []);
    }

    #receive(text) {
        let message;
        try {
            message = JSON.parse(text);
        } catch {
            return; /* not JSON-RPC: nothing it could be the answer to */
        }
        if (message.method) {
            this.#on.call(message.method, message.params ?? {});
            return;
        }
        const waiting = this.#settle(message.id);
        if (message.error)
            waiting?.reject(new RpcError(waiting.method, message.error));
        else
            waiting?.resolve(message.result);
    }

    #settle(id) {
        const waiting = this.#waiting.get(id);
        clearTimeout(waiting?.timer);
        this.#waiting.delete(id);
        return waiting;
    }

    #drop() {
        const socket = this.#socket;
        this.#socket = null;
        this.ready = false;
        clearInterval(this.#alive);
        clearTimeout(this.#timer);
        this.#timer = 0;
        socket?.close();
        for (const id of [...this.#waiting.keys()])
            this.#settle(id).reject(new Error('the signaling server is away'));
    }

    #lost({code, reason}) {
        this.#drop();
        if (this.#closed)
            return;
        const ms = Math.min(RETRY_FIRST_MS * 2 ** this.#attempt++, RETRY_MAX_MS) * (0.75 + Math.random() / 2);
        this.#timer = setTimeout(() => this.#open(), ms);
        this.#on.state('waiting', {ms, reason: code === CLOSE_GOING_AWAY ? 'it closed' : reason ?? ''});
    }
}
