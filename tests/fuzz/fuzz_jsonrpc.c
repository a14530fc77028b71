/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of bytes into the codec, a client and a server. The first character of a line may be an action instead of JSON:
 * 't' lets time pass, 'd' breaks the client's socket, 'o' offers, 'c' closes a connection of the server. When the input
 * begins with 'S' the server has a peer of its own, which says what follows '>'. */
#include "base/rng.h"
#include "base/time.h"
#include "signaling/client.h"
#include "signaling/jsonrpc.h"
#include "signaling/server.h"
#include <stdlib.h>
#include <string.h>

#define CONNS 3

struct world {
    int64_t now;
    struct rmi_prng prng;
    struct rmi_sig_client *client;
    struct rmi_sig_server *server;
    uint64_t conns[CONNS], own;
    size_t turn;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the server says must be a message its own codec accepts. */
static void on_send(void *ctx, uint64_t conn, const char *text, size_t len) {
    (void)conn;
    struct world *w = ctx;
    struct rmi_rpc rpc;
    if (rmi_rpc_parse(text, len, &rpc) == RM_E_PARSE)
        abort();
    rmi_rpc_fini(&rpc);
    rmi_sig_client_input(w->client, w->now, text, len);
}

static void on_close(void *ctx, uint64_t conn, int code, const char *reason) {
    (void)code;
    (void)reason;
    struct world *w = ctx;
    rmi_sig_server_closed(w->server, w->now, conn);
}

static int on_method(void *ctx, const char *peer_id, const char *method, json_t *params, json_t **result,
                     const char **reason) {
    (void)ctx, (void)method;
    *reason = "fuzz";
    *result = peer_id ? json_pack("{s:O*}", "params", params) : NULL;
    return peer_id ? 0 : RMI_RPC_INVALID_REQUEST;
}

static void start(struct world *w, bool own) {
    rmi_prng_seed(&w->prng, 1);
    w->now = RMI_SEC(1);
    struct rmi_sig_client_config client;
    rmi_sig_client_config_init(&client);
    client.peer_id = "me";
    client.rng = rmi_prng_rng(&w->prng);
    struct rmi_sig_server_config server;
    rmi_sig_server_config_init(&server);
    server.max_peers = 2;
    server.cb = (struct rmi_sig_server_callbacks){.ctx = w, .send = on_send, .close = on_close};
    if (own)
        server.mode.peer_id = "server";
    server.mode.method = on_method;
    if (rmi_sig_client_create(&client, &w->client) || rmi_sig_server_create(&server, &w->server))
        abort();
    if (own && rmi_sig_server_open_own(w->server, w->now, &w->own))
        abort();
    rmi_sig_client_start(w->client, w->now);
    rmi_sig_client_connected(w->client, w->now);
}

static void drain(struct world *w) {
    const char *text = NULL;
    size_t len = 0;
    struct rmi_sig_event ev;
    while (rmi_sig_client_poll_output(w->client, &text, &len) == RM_OK)
        rmi_sig_server_input(w->server, w->now, w->conns[0], text, len);
    while (rmi_sig_client_poll_event(w->client, &ev) == RM_OK)
        if (!ev.text || !ev.peer || !ev.sdp || !ev.candidate || !ev.mid || ev.mline_index < -1)
            abort();
}

static void act(struct world *w, const uint8_t *line, size_t len) {
    const uint8_t first = len ? line[0] : 0;
    uint64_t *conn = &w->conns[w->turn++ % CONNS];
    if (*conn == 0)
        (void)rmi_sig_server_open(w->server, w->now, conn);
    if (first == 't') {
        w->now += RMI_SEC(7);
        rmi_sig_server_timeout(w->server, w->now);
        rmi_sig_client_timeout(w->client, w->now);
        rmi_sig_client_connected(w->client, w->now);
    } else if (first == 'd') {
        rmi_sig_client_disconnected(w->client, w->now, RM_E_IO, "fuzz");
    } else if (first == 'o') {
        (void)rmi_sig_client_offer(w->client, w->now, "bob", "v=0\r\nm=audio\r\n");
    } else if (first == '>' && w->own) {
        rmi_sig_server_input(w->server, w->now, w->own, (const char *)line + 1, len - 1);
    } else if (first == 'c') {
        rmi_sig_server_closed(w->server, w->now, *conn);
        *conn = 0;
    } else {
        struct rmi_rpc rpc;
        (void)rmi_rpc_parse((const char *)line, len, &rpc);
        rmi_rpc_fini(&rpc);
        rmi_sig_client_input(w->client, w->now, (const char *)line, len);
        rmi_sig_server_input(w->server, w->now, *conn, (const char *)line, len);
    }
    drain(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct world w = {0};
    start(&w, size > 0 && data[0] == 'S');
    size_t at = 0;
    while (at < size) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        const size_t len = end ? (size_t)(end - data) - at : size - at;
        /* A block of its own, so that the sanitizer sees each read past the end. */
        uint8_t *line = malloc(len ? len : 1);
        if (!line)
            abort();
        memcpy(line, data + at, len);
        act(&w, line, len);
        free(line);
        at += len + 1;
    }
    rmi_sig_client_leave(w.client, w.now);
    drain(&w);
    rmi_sig_client_destroy(&w.client);
    rmi_sig_server_destroy(&w.server);
    return 0;
}
