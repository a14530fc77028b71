/* SPDX-License-Identifier: Apache-2.0 */
#include "io/resolve.h"
#include "base/time.h"
#include "io/interfaces.h"
#include "io/loop_private.h"
#include "io/mdns.h"
#include "io/random.h"
#include "io/resolve_private.h"
#include "io/sockaddr.h"
#include "io/udp.h"
#include <stdlib.h>
#include <string.h>

#define MDNS_TIMEOUT_US RMI_SEC(1)
#define MDNS_AGAIN_US RMI_MS(250) /* the query is repeated at this distance: multicast over Wi-Fi loses some */
#define MDNS_SOCKETS 8            /* interfaces asked */

struct rmi_resolve {
    struct rmi_loop_child child;
    struct rmi_loop *loop;
    struct rmi_resolve **handle;
    rmi_resolve_fn fn;
    void *ctx;
    uint16_t port;
    int family;
    struct rmi_timer *timer;
    int64_t deadline_us;
    rm_err late; /* what the deadline means */
    bool done;   /* result known, delivered by the timer in a later turn */
    rm_err err;
    struct rmi_addr addrs[RMI_RESOLVE_MAX];
    size_t n;

    uv_getaddrinfo_t req; /* in flight while req_busy: the object stays until libuv gives it back */
    bool req_busy;
    bool dead;

    char host[RMI_MDNS_NAME_MAX + 2];
    uint16_t query_id;
    uint8_t query[RMI_MDNS_QUERY_MAX];
    size_t query_len;
    struct rmi_addr server;
    struct mdns_socket {
        struct rmi_resolve *owner;
        struct rmi_udp *udp;
        unsigned ifindex;
    } sockets[MDNS_SOCKETS];
};

/* After this only libuv may still hold the object. */
static void release(struct rmi_resolve *r) {
    r->dead = true;
    rmi_list_remove(&r->child.node);
    rmi_timer_destroy(&r->timer);
    for (size_t i = 0; i < MDNS_SOCKETS; i++)
        rmi_udp_close(&r->sockets[i].udp);
    if (r->req_busy)
        (void)uv_cancel((uv_req_t *)&r->req); /* refused while the lookup runs; then its end frees the object */
    else
        free(r);
}

static void on_abort(struct rmi_loop_child *child) {
    struct rmi_resolve *r = RMI_CONTAINER_OF(child, struct rmi_resolve, child);
    *r->handle = NULL; /* its owner may be aborted later, and cancel */
    release(r);
}

static void deliver(struct rmi_resolve *r, rm_err err) {
    struct rmi_addr addrs[RMI_RESOLVE_MAX];
    size_t n = err == RM_OK ? r->n : 0;
    memcpy(addrs, r->addrs, sizeof addrs);
    rmi_resolve_fn fn = r->fn;
    void *ctx = r->ctx;
    *r->handle = NULL;
    release(r);
    fn(ctx, err, addrs, n);
}

static void send_query(struct rmi_resolve *r) {
    for (size_t i = 0; i < MDNS_SOCKETS; i++)
        if (r->sockets[i].udp)
            (void)rmi_udp_send(r->sockets[i].udp, &r->server, r->query, r->query_len);
}

static void on_timer(void *ctx, int64_t now_us) {
    struct rmi_resolve *r = ctx;
    if (r->done) {
        deliver(r, r->err);
    } else if (now_us >= r->deadline_us) {
        deliver(r, r->late);
    } else {
        send_query(r);
        rmi_timer_set_at(r->timer, rmi_min64(now_us + MDNS_AGAIN_US, r->deadline_us));
    }
}

static void add(struct rmi_resolve *r, struct rmi_addr addr) {
    if (addr.family == 0 || (r->family != 0 && addr.family != r->family) || r->n == RMI_RESOLVE_MAX)
        return;
    addr.port = r->port;
    for (size_t i = 0; i < r->n; i++)
        if (rmi_addr_equal(&r->addrs[i], &addr))
            return;
    r->addrs[r->n++] = addr;
}

static void on_addrinfo(uv_getaddrinfo_t *req, int status, struct addrinfo *res) {
    struct rmi_resolve *r = req->data;
    r->req_busy = false;
    if (r->dead) {
        uv_freeaddrinfo(res);
        free(r);
        return;
    }
    for (const struct addrinfo *ai = status == 0 ? res : NULL; ai; ai = ai->ai_next)
        add(r, rmi_addr_from_sockaddr(ai->ai_addr));
    uv_freeaddrinfo(res);
    deliver(r, r->n > 0 ? RM_OK : RM_E_RESOLVE);
}

static void on_answer(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len) {
    struct mdns_socket *s = ctx;
    struct rmi_resolve *r = s->owner;
    (void)now_us;
    (void)from; /* any neighbour may answer for itself; the id keeps strangers out */
    struct rmi_addr found[RMI_RESOLVE_MAX];
    size_t n = 0;
    if (rmi_mdns_parse(data, len, r->host, r->family, r->query_id, found, RMI_RESOLVE_MAX, &n) != RM_OK)
        return;
    for (size_t i = 0; i < n; i++) {
        if (found[i].family == 6 && rmi_addr_classify(&found[i]) == RMI_ADDR_LINK_LOCAL)
            found[i].scope = s->ifindex;
        add(r, found[i]);
    }
    if (r->n > 0)
        deliver(r, RM_OK);
}

static rm_err create(struct rmi_loop *loop, const char *host, uint16_t port, int family, rmi_resolve_fn fn, void *ctx,
                     int64_t timeout_us, struct rmi_resolve **handle) {
    *handle = NULL;
    size_t len = strlen(host);
    if (len == 0 || len > RMI_MDNS_NAME_MAX + 1 || (family != 0 && family != 4 && family != 6))
        return RM_E_INVALID_ARG;
    struct rmi_resolve *r = calloc(1, sizeof *r);
    if (!r)
        return RM_E_NO_MEMORY;
    *r = (struct rmi_resolve){.loop = loop, .handle = handle, .fn = fn, .ctx = ctx, .port = port, .family = family};
    memcpy(r->host, host, len);
    r->late = RM_E_TIMEOUT;
    r->deadline_us = rmi_now_us() + timeout_us;
    rm_err err = rmi_timer_create(loop, on_timer, r, &r->timer);
    if (err != RM_OK) {
        free(r);
        return err;
    }
    r->child.abort = on_abort;
    rmi_loop_adopt(loop, &r->child);
    *handle = r;
    return RM_OK;
}

/* One socket per interface: on Linux the source address a socket is bound to selects where multicast leaves. */
static void open_mdns_sockets(struct rmi_resolve *r, bool multicast) {
    struct rmi_interface list[MDNS_SOCKETS * 4];
    size_t n = 0;
    size_t used = 0;
    if (!multicast || rmi_interfaces_list(list, sizeof list / sizeof list[0], &n) != RM_OK)
        n = 0;
    for (size_t i = 0; i < n && used < MDNS_SOCKETS - 1; i++) {
        struct mdns_socket *s = &r->sockets[used];
        *s = (struct mdns_socket){.owner = r, .ifindex = list[i].index};
        if (list[i].addr.family == 4 && rmi_udp_open(r->loop, &list[i].addr, on_answer, s, &s->udp) == RM_OK)
            used++;
    }
    if (used == 0) {
        struct rmi_addr any = {.family = r->server.family};
        r->sockets[0] = (struct mdns_socket){.owner = r};
        (void)rmi_udp_open(r->loop, &any, on_answer, &r->sockets[0], &r->sockets[0].udp);
    }
}

rm_err rmi_resolve_mdns(struct rmi_loop *loop, const char *host, uint16_t port, int family, rmi_resolve_fn fn,
                        void *ctx, int64_t timeout_us, const struct rmi_addr *server, struct rmi_resolve **handle) {
    rm_err err = create(loop, host, port, family, fn, ctx, rmi_min64(timeout_us, MDNS_TIMEOUT_US), handle);
    if (err != RM_OK)
        return err;
    struct rmi_resolve *r = *handle;
    struct rmi_rng rng = rmi_system_rng();
    r->query_id = (uint16_t)rmi_rng_range(&rng, 1, UINT16_MAX);
    r->query_len = rmi_mdns_query(host, family, r->query_id, r->query, sizeof r->query);
    if (r->query_len == 0) {
        rmi_resolve_cancel(handle);
        return RM_E_INVALID_ARG;
    }
    r->late = RM_E_RESOLVE;
    r->server = server ? *server : (struct rmi_addr){.family = 4, .ip = {224, 0, 0, 251}, .port = RMI_MDNS_PORT};
    open_mdns_sockets(r, !server);
    if (!r->sockets[0].udp) {
        rmi_resolve_cancel(handle);
        return RM_E_IO;
    }
    rmi_timer_set_at(r->timer, 0); /* the first query leaves in the next turn, so no answer comes before we return */
    return RM_OK;
}

rm_err rmi_resolve(struct rmi_loop *loop, const char *host, uint16_t port, int family, rmi_resolve_fn fn, void *ctx,
                   int64_t timeout_us, struct rmi_resolve **handle) {
    if (rmi_mdns_is_local(host))
        return rmi_resolve_mdns(loop, host, port, family, fn, ctx, timeout_us, NULL, handle);
    rm_err err = create(loop, host, port, family, fn, ctx, timeout_us, handle);
    if (err != RM_OK)
        return err;
    struct rmi_resolve *r = *handle;
    struct rmi_addr numeric;
    if (rmi_addr_parse(host, port, &numeric) == RM_OK) {
        add(r, numeric);
        r->done = true;
        r->err = r->n > 0 ? RM_OK : RM_E_RESOLVE;
        rmi_timer_set_at(r->timer, 0);
        return RM_OK;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, /* one entry per address instead of one per protocol */
                             .ai_family = family == 4   ? AF_INET
                                          : family == 6 ? AF_INET6
                                                        : AF_UNSPEC};
    r->req.data = r;
    if (uv_getaddrinfo(&loop->uv, &r->req, on_addrinfo, r->host, NULL, &hints) != 0) {
        rmi_resolve_cancel(handle);
        return RM_E_NO_MEMORY;
    }
    r->req_busy = true;
    rmi_timer_set_at(r->timer, r->deadline_us);
    return RM_OK;
}

void rmi_resolve_cancel(struct rmi_resolve **handle) {
    if (!handle || !*handle)
        return;
    struct rmi_resolve *r = *handle;
    *handle = NULL;
    release(r);
}
