/* SPDX-License-Identifier: Apache-2.0 */
/* Clients and the server together, over a network of queues in virtual time. */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include "base/time.h"
#include "signaling/client_private.h"
#include "signaling/server.h"
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATENCY_US RMI_MS(5)
#define MAX_CLIENTS 12
#define MAX_FLIGHT 4096
#define SDP "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"

struct packet {
    int64_t at;
    uint64_t conn;
    bool to_server;
    size_t len;
    char *text;
};

/* A client whose owner does what the header recommends: the newcomer offers to everybody, who is offered answers. */
struct peer {
    struct rmi_prng prng;
    struct rmi_sig_client *c;
    uint64_t conn; /* 0: no socket */
    int64_t open_at;
    char linked[MAX_CLIENTS][RMI_SIG_MAX_ID + 1];
    size_t links;
    unsigned offers, answers, candidates, ends, joined, left, announced, disconnected, failed;
    rm_err last_err;
};

struct net {
    int64_t now;
    struct rmi_sig_server *server;
    bool server_up;
    bool old_dialect; /* rename peer.announce on its way, so that the server does not know it */
    struct peer peers[MAX_CLIENTS];
    size_t count;
    struct packet flight[MAX_FLIGHT];
    size_t head, tail;
    uint64_t deaf; /* a connection whose packets the network swallows */
};

static void carry(struct net *n, uint64_t conn, bool to_server, const char *text, size_t len) {
    if (conn == 0 || conn == n->deaf)
        return;
    assert_true(n->tail < MAX_FLIGHT);
    struct packet p = {.at = n->now + LATENCY_US, .conn = conn, .to_server = to_server, .len = len};
    p.text = malloc(len + 1);
    assert_non_null(p.text);
    memcpy(p.text, text, len);
    p.text[len] = '\0';
    n->flight[n->tail++] = p;
}

static void on_send(void *ctx, uint64_t conn, const char *text, size_t len) {
    carry(ctx, conn, false, text, len);
}

static struct peer *peer_of(struct net *n, uint64_t conn) {
    for (size_t i = 0; i < n->count; i++)
        if (n->peers[i].conn == conn)
            return &n->peers[i];
    return NULL;
}

static void on_close(void *ctx, uint64_t conn, int code, const char *reason) {
    struct net *n = ctx;
    struct peer *p = peer_of(n, conn);
    (void)code;
    if (p && conn != n->deaf) {
        p->conn = 0;
        rmi_sig_client_disconnected(p->c, n->now, RM_E_SIGNALING, reason);
    }
}

static void on_ping(void *ctx, uint64_t conn) {
    struct net *n = ctx;
    if (conn != n->deaf && peer_of(n, conn))
        carry(n, conn, true, "", 0); /* an empty packet stands for the pong */
}

static void server_start(struct net *n, size_t max_peers) {
    struct rmi_sig_server_config config;
    rmi_sig_server_config_init(&config);
    config.max_peers = max_peers;
    config.cb = (struct rmi_sig_server_callbacks){.ctx = n, .send = on_send, .close = on_close, .ping = on_ping};
    assert_int_equal(rmi_sig_server_create(&config, &n->server), RM_OK);
    n->server_up = true;
}

/* kill -9: no farewell; the clients' sockets break. */
static void server_kill(struct net *n) {
    rmi_sig_server_destroy(&n->server);
    n->server_up = false;
    for (size_t i = n->head; i < n->tail; i++)
        free(n->flight[i].text);
    n->head = n->tail = 0;
    for (size_t i = 0; i < n->count; i++) {
        if (n->peers[i].conn)
            rmi_sig_client_disconnected(n->peers[i].c, n->now, RM_E_SIGNALING, "reset");
        n->peers[i].conn = 0;
    }
}

static struct net *net_new(size_t max_peers) {
    struct net *n = calloc(1, sizeof *n);
    assert_non_null(n);
    n->now = RMI_SEC(100);
    server_start(n, max_peers);
    return n;
}

static void net_free(struct net *n) {
    for (size_t i = n->head; i < n->tail; i++)
        free(n->flight[i].text);
    for (size_t i = 0; i < n->count; i++)
        rmi_sig_client_destroy(&n->peers[i].c);
    rmi_sig_server_destroy(&n->server);
    free(n);
}

static struct peer *join(struct net *n, const char *id) {
    struct peer *p = &n->peers[n->count++];
    *p = (struct peer){.open_at = RMI_NEVER};
    rmi_prng_seed(&p->prng, n->count);
    struct rmi_sig_client_config config;
    rmi_sig_client_config_init(&config);
    config.peer_id = id;
    config.capabilities = RMI_SIG_CAP_AUDIO;
    config.rng = rmi_prng_rng(&p->prng);
    assert_int_equal(rmi_sig_client_create(&config, &p->c), RM_OK);
    assert_int_equal(rmi_sig_client_start(p->c, n->now), RM_OK);
    return p;
}

static void link_to(struct peer *p, const char *id) {
    for (size_t i = 0; i < p->links; i++)
        if (strcmp(p->linked[i], id) == 0)
            return;
    snprintf(p->linked[p->links++], sizeof p->linked[0], "%s", id);
}

static void offer_to(struct net *n, struct peer *p, const char *id) {
    assert_int_equal(rmi_sig_client_offer(p->c, n->now, id, SDP), RM_OK);
    assert_int_equal(rmi_sig_client_candidate(p->c, n->now, id, "candidate:1", "0", 0), RM_OK);
    assert_int_equal(rmi_sig_client_candidate(p->c, n->now, id, "", NULL, -1), RM_OK);
}

static void on_event(struct net *n, struct peer *p, const struct rmi_sig_event *ev) {
    switch (ev->type) {
    case RMI_SIG_EV_OPEN_SOCKET:
        p->open_at = n->now + LATENCY_US;
        break;
    case RMI_SIG_EV_CLOSE_SOCKET:
        if (p->conn && n->server_up)
            carry(n, p->conn, true, "\0close", 6);
        p->conn = 0;
        p->open_at = RMI_NEVER;
        break;
    case RMI_SIG_EV_ANNOUNCED:
        p->announced++;
        for (size_t i = 0; i < ev->others_count; i++)
            offer_to(n, p, ev->others[i]);
        break;
    case RMI_SIG_EV_OFFER:
        p->offers++;
        assert_string_equal(ev->sdp, SDP);
        assert_int_equal(rmi_sig_client_answer(p->c, n->now, ev->peer, SDP), RM_OK);
        link_to(p, ev->peer);
        break;
    case RMI_SIG_EV_ANSWER:
        p->answers++;
        link_to(p, ev->peer);
        break;
    case RMI_SIG_EV_CANDIDATE:
        p->candidates += ev->end ? 0 : 1;
        p->ends += ev->end ? 1 : 0;
        break;
    case RMI_SIG_EV_PEER_JOINED:
        p->joined++;
        assert_int_equal(ev->capabilities, RMI_SIG_CAP_AUDIO);
        break;
    case RMI_SIG_EV_PEER_LEFT:
        p->left++;
        break;
    case RMI_SIG_EV_PEER_DISCONNECTED:
        p->disconnected++;
        break;
    case RMI_SIG_EV_REQUEST_FAILED:
        p->failed++;
        p->last_err = ev->err;
        break;
    default:
        break;
    }
}

static void drain(struct net *n, struct peer *p) {
    bool busy = true;
    while (busy) {
        const char *text = NULL;
        size_t len = 0;
        struct rmi_sig_event ev;
        busy = false;
        while (rmi_sig_client_poll_output(p->c, &text, &len) == RM_OK)
            carry(n, p->conn, true, text, len);
        while (rmi_sig_client_poll_event(p->c, &ev) == RM_OK) {
            on_event(n, p, &ev);
            busy = true;
        }
    }
}

static void deliver(struct net *n, const struct packet *k) {
    struct peer *p = peer_of(n, k->conn);
    if (!k->to_server) {
        if (p)
            rmi_sig_client_input(p->c, n->now, k->text, k->len);
    } else if (k->len == 0) {
        rmi_sig_server_activity(n->server, n->now, k->conn);
    } else if (memcmp(k->text, "\0close", k->len < 6 ? k->len : 6) == 0) {
        rmi_sig_server_closed(n->server, n->now, k->conn);
    } else {
        /* A server of the un-prefixed kind: it does not know the prefixed announcement. */
        char *announce = n->old_dialect ? strstr(k->text, "peer.announce") : NULL;
        if (announce)
            memcpy(announce, "none.announce", 13);
        rmi_sig_server_input(n->server, n->now, k->conn, k->text, k->len);
    }
}

static void open_sockets(struct net *n) {
    for (size_t i = 0; i < n->count; i++) {
        struct peer *p = &n->peers[i];
        if (p->open_at > n->now)
            continue;
        p->open_at = RMI_NEVER;
        if (n->server_up && rmi_sig_server_open(n->server, n->now, &p->conn) == RM_OK)
            rmi_sig_client_connected(p->c, n->now);
        else
            rmi_sig_client_disconnected(p->c, n->now, RM_E_IO, "connection refused");
    }
}

static int64_t next_event(const struct net *n) {
    int64_t at = n->head < n->tail ? n->flight[n->head].at : RMI_NEVER;
    if (n->server_up)
        at = rmi_min64(at, rmi_sig_server_next_deadline(n->server));
    for (size_t i = 0; i < n->count; i++)
        at = rmi_min64(at, rmi_min64(n->peers[i].open_at, rmi_sig_client_next_deadline(n->peers[i].c)));
    return at;
}

static void run(struct net *n, int64_t duration_us) {
    const int64_t until = n->now + duration_us;
    for (;;) {
        for (size_t i = 0; i < n->count; i++)
            drain(n, &n->peers[i]);
        const int64_t at = next_event(n);
        if (at > until)
            break;
        n->now = rmi_max64(n->now, at);
        open_sockets(n);
        while (n->head < n->tail && n->flight[n->head].at <= n->now) {
            const struct packet k = n->flight[n->head++];
            if (n->server_up)
                deliver(n, &k);
            free(k.text);
        }
        if (n->head == n->tail)
            n->head = n->tail = 0;
        if (n->server_up && rmi_sig_server_next_deadline(n->server) <= n->now)
            rmi_sig_server_timeout(n->server, n->now);
        for (size_t i = 0; i < n->count; i++)
            if (rmi_sig_client_next_deadline(n->peers[i].c) <= n->now)
                rmi_sig_client_timeout(n->peers[i].c, n->now);
    }
    n->now = until;
}

static void check_mesh(const struct net *n, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct peer *p = &n->peers[i];
        assert_int_equal(rmi_sig_client_state(p->c), RMI_SIG_READY);
        assert_int_equal(p->links, count - 1);
        assert_int_equal(p->offers, count - 1 - i); /* from those who came later */
        assert_int_equal(p->answers, i);
        assert_int_equal(p->candidates, count - 1 - i);
        assert_int_equal(p->ends, count - 1 - i);
        assert_int_equal(p->joined, count - 1 - i);
        assert_int_equal(p->failed, 0);
    }
}

static const char *const ids[] = {"ann", "bob", "carl", "dora", "emil", "fay", "gus", "hal", "ida", "jo", "kai", "lea"};

static void meshes_form(bool old_dialect) {
    static const size_t sizes[] = {2, 3, 10};
    for (size_t s = 0; s < 3; s++) {
        struct net *n = net_new(10);
        n->old_dialect = old_dialect;
        for (size_t i = 0; i < sizes[s]; i++) {
            join(n, ids[i]);
            run(n, RMI_MS(200));
        }
        check_mesh(n, sizes[s]);
        for (size_t i = 0; i < sizes[s]; i++)
            assert_string_equal(rmi_sig_client_dialect(n->peers[i].c), old_dialect ? "unprefixed" : "peer");
        run(n, RMI_SEC(3600)); /* an idle hour: pings only */
        check_mesh(n, sizes[s]);
        net_free(n);
    }
}

static void two_three_and_ten_peers_find_each_other(void **state) {
    (void)state;
    meshes_form(false);
}

static void they_do_so_in_the_unprefixed_dialect(void **state) {
    (void)state;
    meshes_form(true);
}

static void peers_of_both_dialects_talk_to_each_other(void **state) {
    (void)state;
    struct net *n = net_new(10);
    for (size_t i = 0; i < 4; i++) {
        n->old_dialect = i % 2 == 1;
        join(n, ids[i]);
        run(n, RMI_MS(200));
    }
    assert_string_equal(rmi_sig_client_dialect(n->peers[0].c), "peer");
    assert_string_equal(rmi_sig_client_dialect(n->peers[1].c), "unprefixed");
    check_mesh(n, 4);
    net_free(n);
}

static void a_leaver_is_told_to_all_and_its_slot_is_free(void **state) {
    (void)state;
    struct net *n = net_new(3);
    for (size_t i = 0; i < 3; i++) {
        join(n, ids[i]);
        run(n, RMI_MS(200));
    }
    struct peer *late = join(n, ids[3]);
    run(n, RMI_SEC(60));
    assert_int_equal(rmi_sig_client_state(late->c), RMI_SIG_FAILED);
    assert_int_equal(late->last_err, RM_E_SESSION_LIMIT);
    rmi_sig_client_leave(n->peers[0].c, n->now);
    run(n, RMI_MS(200));
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(n->peers[i].disconnected, 1);
        assert_int_equal(n->peers[i].left, 1);
    }
    assert_int_equal(rmi_sig_client_start(late->c, n->now), RM_OK);
    run(n, RMI_MS(200));
    assert_int_equal(rmi_sig_client_state(late->c), RMI_SIG_READY);
    assert_int_equal(late->links, 2);
    net_free(n);
}

static void a_killed_server_is_rejoined_by_all(void **state) {
    (void)state;
    struct net *n = net_new(10);
    for (size_t i = 0; i < 3; i++) {
        join(n, ids[i]);
        run(n, RMI_SEC(3));
    }
    server_kill(n);
    run(n, RMI_SEC(120));
    for (size_t i = 0; i < 3; i++)
        assert_int_not_equal(rmi_sig_client_state(n->peers[i].c), RMI_SIG_READY);
    server_start(n, 10);
    run(n, RMI_SEC(31)); /* the longest wait and a little */
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rmi_sig_client_state(n->peers[i].c), RMI_SIG_READY);
        assert_int_equal(n->peers[i].announced, 2);
        assert_int_equal(n->peers[i].links, 2);
    }
    struct rmi_sig_server_stats stats;
    rmi_sig_server_stats(n->server, &stats);
    assert_int_equal(stats.peers, 3);
    assert_int_equal(stats.connections, 3);
    net_free(n);
}

/* The network takes a client's packets away: the client comes back on a new connection while the server still holds the
 * old one, waits for it to be found dead, and gets its id again. */
static void a_client_outlives_its_own_ghost(void **state) {
    (void)state;
    struct net *n = net_new(10);
    struct peer *a = join(n, "ann");
    join(n, "bob");
    run(n, RMI_SEC(20));
    n->deaf = a->conn;
    a->conn = 0;
    a->c->instance[0] ^= 1; /* as with a server that cannot know us again */
    rmi_sig_client_disconnected(a->c, n->now, RM_E_IO, "network changed");
    run(n, RMI_SEC(100));
    assert_int_equal(rmi_sig_client_state(a->c), RMI_SIG_READY);
    assert_int_equal(a->announced, 2);
    assert_int_equal(n->peers[1].left, 1);
    struct rmi_sig_server_stats stats;
    rmi_sig_server_stats(n->server, &stats);
    assert_int_equal(stats.ghosts, 1);
    assert_int_equal(stats.peers, 2);
    net_free(n);
}

/* A server that knows the client by its instance gives the id to the new connection at once, and nobody hears that it
 * left. Nobody else gets it that way. */
static void a_client_takes_its_ghosts_place(void **state) {
    (void)state;
    struct net *n = net_new(10);
    struct peer *a = join(n, "ann");
    join(n, "bob");
    run(n, RMI_SEC(20));
    n->deaf = a->conn;
    a->conn = 0;
    rmi_sig_client_renew(a->c, n->now, "network changed");
    run(n, RMI_SEC(1));
    assert_int_equal(rmi_sig_client_state(a->c), RMI_SIG_READY);
    assert_int_equal(a->announced, 2);
    assert_int_equal(n->peers[1].left, 0);
    struct rmi_sig_server_stats stats;
    rmi_sig_server_stats(n->server, &stats);
    assert_int_equal(stats.ghosts, 0);
    assert_int_equal(stats.peers, 2);
    assert_int_equal(stats.connections, 2);
    struct peer *thief = join(n, "ann");
    run(n, RMI_SEC(5));
    assert_int_equal(rmi_sig_client_state(thief->c), RMI_SIG_FAILED);
    assert_int_equal(rmi_sig_client_state(a->c), RMI_SIG_READY);
    net_free(n);
}

static void an_offer_to_nobody_and_a_bad_one_come_back(void **state) {
    (void)state;
    struct net *n = net_new(10);
    struct peer *a = join(n, "ann");
    join(n, "bob");
    run(n, RMI_SEC(1));
    assert_int_equal(rmi_sig_client_offer(a->c, n->now, "nobody", SDP), RM_OK);
    run(n, RMI_SEC(1));
    assert_int_equal(a->last_err, RM_E_PEER_NOT_FOUND);
    assert_int_equal(rmi_sig_client_offer(a->c, n->now, "bob", "v=0\r\n"), RM_OK);
    run(n, RMI_SEC(1));
    assert_int_equal(a->last_err, RM_E_OFFER_INVALID);
    assert_int_equal(rmi_sig_client_answer(a->c, n->now, "bob", "x"), RM_OK);
    run(n, RMI_SEC(1));
    assert_int_equal(a->last_err, RM_E_ANSWER_INVALID);
    assert_int_equal(rmi_sig_client_candidate(a->c, n->now, "bob", "x", NULL, -1), RM_OK);
    run(n, RMI_SEC(1));
    assert_int_equal(a->last_err, RM_E_ICE_CANDIDATE_INVALID);
    assert_int_equal(a->failed, 4);
    net_free(n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_three_and_ten_peers_find_each_other),
        cmocka_unit_test(they_do_so_in_the_unprefixed_dialect),
        cmocka_unit_test(peers_of_both_dialects_talk_to_each_other),
        cmocka_unit_test(a_leaver_is_told_to_all_and_its_slot_is_free),
        cmocka_unit_test(a_killed_server_is_rejoined_by_all),
        cmocka_unit_test(a_client_outlives_its_own_ghost),
        cmocka_unit_test(a_client_takes_its_ghosts_place),
        cmocka_unit_test(an_offer_to_nobody_and_a_bad_one_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
