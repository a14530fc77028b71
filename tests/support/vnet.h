/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_VNET_H
#define RMT_VNET_H

#include "base/rng.h"
#include "base/time.h"
#include "net/addr.h"
#include "net/datagram.h"
#include <remotemedia/error.h>
#include <remotemedia/export.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A seeded network in virtual time: hosts, interfaces, links, NATs, sockets, message pipes. Nothing here reads a clock
 * or a generator that the seed does not determine, so a seed replays byte for byte. One thread. An error of the test
 * itself (a bad address, memory) ends the process with exit 1; what a peer could meet in life comes back as rm_err.
 *
 *   struct rmt_vnet *v = rmt_vnet_create(seed);
 *   struct rmt_host *a = rmt_host_add(v, &(struct rmt_host_config){.name = "a", .ips = {"192.0.2.1"}});
 *   struct rmt_socket *s = rmt_socket_open(a, "192.0.2.1", 5000, on_datagram, me);
 *   rmt_wire_set(rmt_host_wire(a, 0, RMT_UP), &(struct rmt_link){.rate_bps = 1000000, .delay_us = RMI_MS(20)});
 *   rmt_vnet_run_for(v, RMI_SEC(10));
 *   rmt_vnet_destroy(&v);
 */
struct rmt_vnet;
struct rmt_host;
struct rmt_nat;
struct rmt_wire;
struct rmt_socket;
struct rmt_pipe;

/* Virtual time begins here, not at 0, so that code which takes 0 for "unset" shows. */
#define RMT_START_US RMI_SEC(1000000)
#define RMT_PPM_ONE 1000000 /* probability 1: all probabilities are integers, in parts per million */
#define RMT_IFACES_MAX 4
#define RMT_NAME_MAX 32
/* A datagram within a host takes this long: never 0, so that two sockets cannot talk for ever in one instant. */
#define RMT_LOOPBACK_US 10

/* Not 0: an allocation now is the simulator's own, for a test that lets those of the code under test fail. */
extern volatile unsigned rmt_scenery;

struct rmt_vnet *rmt_vnet_create(uint64_t seed);
/* Frees every host, socket, NAT and pipe of the network, and what is still under way. No callback runs. */
void rmt_vnet_destroy(struct rmt_vnet **v);
uint64_t rmt_vnet_seed(const struct rmt_vnet *v);
/* Seed of an independent stream: depends on the network's seed and the name only, so that one more stream shifts no
 * other. */
uint64_t rmt_vnet_sub_seed(const struct rmt_vnet *v, const char *name);

/* ---- time and tasks (vnet_queue.c) ---- */
typedef void (*rmt_task_fn)(void *ctx, int64_t now_us);
int64_t rmt_vnet_now(const struct rmt_vnet *v);
/* Run fn at `when` (the past means now). Tasks of one instant run in the order they were made. The id is never 0. */
uint64_t rmt_vnet_at(struct rmt_vnet *v, int64_t when_us, rmt_task_fn fn, void *ctx);
/* False when it ran already, runs now, or was cancelled. */
bool rmt_vnet_cancel(struct rmt_vnet *v, uint64_t id);
/* Do the next event. False: none is left. */
bool rmt_vnet_step(struct rmt_vnet *v);
/* All events up to and including `until_us`; the clock then stands at until_us. */
void rmt_vnet_run_until(struct rmt_vnet *v, int64_t until_us);
void rmt_vnet_run_for(struct rmt_vnet *v, int64_t duration_us);
/* Until pred(ctx) is true (asked first, then after each event) or the limit. Returns whether it became true; then the
 * clock stands at the event that made it so. */
bool rmt_vnet_run_while_not(struct rmt_vnet *v, bool (*pred)(void *ctx), void *ctx, int64_t limit_us);
uint64_t rmt_vnet_events(const struct rmt_vnet *v); /* done so far */

/* ---- links (vnet_link.c): one direction of a wire. A zeroed struct rmt_link is an ideal link ---- */
struct rmt_link {
    int64_t rate_bps;   /* 0 = unlimited */
    int64_t delay_us;   /* one way */
    int64_t jitter_us;  /* uniform, delay +- jitter, never below 0 */
    bool allow_reorder; /* jitter may reorder; without it a packet never overtakes */
    int64_t queue_us;   /* drop-tail: longest wait before transmission begins; 0 = 200 ms. Needs a rate */
    uint32_t loss_ppm;  /* independent loss */
    uint32_t ge_enter;  /* Gilbert-Elliott, ppm per packet: good to bad; 0 = off */
    uint32_t ge_leave;  /* bad to good: the mean burst is 1,000,000 / ge_leave packets */
    uint32_t ge_good;   /* loss while good (besides loss_ppm) */
    uint32_t ge_bad;    /* loss while bad */
    uint32_t reorder_p; /* held back by reorder_us, so that later ones overtake */
    int64_t reorder_us; /* 0 = 10 ms */
    uint32_t dup_p;     /* delivered twice */
    uint32_t corrupt_p; /* one bit flipped */
    /* ECT packets are marked CE instead of being left to the end of the queue, with a probability that grows with their
     * wait, from 0 at mark_from_us to 1 at mark_full_us (the ramp of RED, on the wait of now); 0 = none are. */
    int64_t mark_from_us, mark_full_us;
    /* Or when the queue has not been below codel_us for 100 ms, then more and more often (CoDel, RFC 8289); 0 = not. */
    int64_t codel_us;
    bool ecn_clear, ecn_drop, ecn_flood; /* faults: the ECN field is cleared; ECT and CE vanish; every ECT becomes CE */
    size_t overhead; /* header bytes that count for the rate besides the payload: 28 for UDP on IPv4; default 0 */
    size_t mtu;      /* larger payloads vanish (a path MTU blackhole); 0 = none */
};
struct rmt_link_stats {
    uint64_t in, in_bytes, out, out_bytes; /* entered; left (a duplicate leaves twice) */
    uint64_t lost, queue_dropped, blackholed, too_big, duplicated, reordered, corrupted;
    uint64_t marked;     /* as CE */
    int64_t wait_max_us; /* longest wait in the queue */
};
enum rmt_dir { RMT_UP, RMT_DOWN };

/* Each interface and each NAT has an up and a down wire. Traffic between hosts behind one NAT uses the hosts' wires;
 * traffic within a host uses none. */
struct rmt_wire *rmt_host_wire(struct rmt_host *h, int iface, enum rmt_dir dir);
struct rmt_wire *rmt_nat_wire(struct rmt_nat *n, enum rmt_dir dir);
/* What only datagrams from one host to another pass: to cut one pair of a mesh. Made on first use. Traffic through a
 * TURN server runs on the paths to and from the server's host. */
struct rmt_wire *rmt_path_wire(struct rmt_host *from, struct rmt_host *to);
/* Any time. What is queued already leaves at the old settings. */
void rmt_wire_set(struct rmt_wire *w, const struct rmt_link *link);
struct rmt_link rmt_wire_get(const struct rmt_wire *w);
/* Packets that enter in [from_us, to_us) vanish; RMI_NEVER = until cleared. Windows add up and outlive rmt_wire_set. */
void rmt_wire_blackhole(struct rmt_wire *w, int64_t from_us, int64_t to_us);
void rmt_wire_clear_blackholes(struct rmt_wire *w);
struct rmt_link_stats rmt_wire_stats(const struct rmt_wire *w);
int64_t rmt_wire_wait_us(const struct rmt_wire *w); /* in the queue, for a packet that would come now */
/* Both directions of every interface. */
void rmt_host_set_links(struct rmt_host *h, const struct rmt_link *up, const struct rmt_link *down);
void rmt_host_blackhole(struct rmt_host *h, int64_t from_us, int64_t to_us);

/* ---- NATs (vnet_nat.c) ---- */
/* RFC 4787 sections 4.1 and 5. */
enum rmt_nat_rule { RMT_NAT_ENDPOINT, RMT_NAT_ADDRESS, RMT_NAT_ADDRESS_PORT }; /* independent; (port-)dependent */
struct rmt_nat_config {
    const char *name;
    const char *outer_ip;  /* in the realm of `via`, or public */
    const char *outer_ip6; /* NULL: no IPv6 through it */
    struct rmt_nat *via;   /* a NAT outside this one; NULL = the public network */
    enum rmt_nat_rule mapping, filtering;
    int64_t timeout_us; /* of a mapping nothing is sent through; 0 = 120 s (RFC 4787 REQ-5). Inbound does not refresh */
    bool random_ports;  /* else the inside port is kept when free */
    bool hairpin;
    bool udp_blocked;
};
struct rmt_nat *rmt_nat_add(struct rmt_vnet *v, const struct rmt_nat_config *config);
/* All mappings are lost, and what is mapped next gets a port that was not in use before. */
void rmt_nat_rebind(struct rmt_nat *n);
/* Another outer address (the family of `ip`); mappings keep their ports. */
void rmt_nat_set_outer(struct rmt_nat *n, const char *ip);
void rmt_nat_set_blocked(struct rmt_nat *n, bool udp_blocked);
size_t rmt_nat_mappings(const struct rmt_nat *n); /* live now */
struct rmt_nat_stats {
    uint64_t out, in, filtered, unmapped, blocked, hairpin_dropped, exhausted;
};
struct rmt_nat_stats rmt_nat_stats(const struct rmt_nat *n);

/* ---- hosts (vnet_host.c) ---- */
struct rmt_host_config {
    const char *name;                     /* unique; the host's random streams hang on it */
    const char *ips[RMT_IFACES_MAX];      /* one interface each, IPv4 or IPv6, unique in its realm */
    struct rmt_nat *nat;                  /* of every interface of the host; NULL = public */
    struct rmt_nat *nats[RMT_IFACES_MAX]; /* of one interface, where not NULL: goes before `nat` */
    bool publics[RMT_IFACES_MAX];         /* this interface has no NAT, in spite of `nat` */
    int64_t clock_offset_us;              /* the host's monotonic clock against rmt_vnet_now() at the start */
    int32_t skew_ppm;                     /* its clock runs this much fast */
    int64_t wall_offset_us;               /* its wall clock against its monotonic clock */
};
struct rmt_host *rmt_host_add(struct rmt_vnet *v, const struct rmt_host_config *config);
struct rmt_host *rmt_host_find(struct rmt_vnet *v, const char *name);
const char *rmt_host_name(const struct rmt_host *h);
struct rmt_vnet *rmt_host_vnet(struct rmt_host *h);
int64_t rmt_host_now(const struct rmt_host *h);  /* its monotonic clock */
int64_t rmt_host_wall(const struct rmt_host *h); /* its wall clock */
void rmt_host_step_wall(struct rmt_host *h, int64_t by_us);
/* From now on; the clock does not jump. */
void rmt_host_set_skew(struct rmt_host *h, int32_t skew_ppm);
/* A timer by the host's own clock (fn gets the host's time): never early by that clock. Cancel with rmt_vnet_cancel. */
uint64_t rmt_host_at(struct rmt_host *h, int64_t host_time_us, rmt_task_fn fn, void *ctx);
int rmt_host_iface_count(const struct rmt_host *h);
/* Present address of an interface (port 0), family 0 while it is down. */
struct rmt_addr_view {
    struct rmi_addr addr;
    bool up;
};
struct rmt_addr_view rmt_host_iface(const struct rmt_host *h, int iface);
/* The old address is gone: sockets bound to it neither send nor receive any more. */
void rmt_host_set_addr(struct rmt_host *h, int iface, const char *ip);
/* To another realm as well (Wi-Fi to mobile): nat NULL = public. */
void rmt_host_move(struct rmt_host *h, int iface, const char *ip, struct rmt_nat *nat);
void rmt_host_set_up(struct rmt_host *h, int iface, bool up);
/* Called (as an event of its own, at once) after an address or interface change, as an operating system tells. */
void rmt_host_on_change(struct rmt_host *h, rmt_task_fn fn, void *ctx);

/* ---- sockets ---- */
/* now_us is the host's clock. data may be changed in place, has RMI_HEADROOM bytes of room before it and 64 behind, and
 * ends with the call. Closing the socket inside the call is legal. */
typedef void (*rmt_recv_fn)(void *ctx, int64_t now_us, const struct rmi_addr *from, uint8_t *data, size_t len);
/* ip: an address of an interface that is up, or loopback. port 0: an ephemeral one. NULL: no such address, or the port
 * is taken. */
struct rmt_socket *rmt_socket_open(struct rmt_host *h, const char *ip, uint16_t port, rmt_recv_fn fn, void *ctx);
struct rmt_socket *rmt_socket_open_addr(struct rmt_host *h, const struct rmi_addr *addr, rmt_recv_fn fn, void *ctx);
void rmt_socket_close(struct rmt_socket **s);
struct rmi_addr rmt_socket_addr(const struct rmt_socket *s);
/* RM_E_IO: the interface is down or its address went. RM_E_INVALID_ARG: another family, port 0. RM_E_TOO_BIG: above
 * RMI_DATAGRAM_MAX. Datagrams with no way to go vanish in silence. */
rm_err rmt_socket_send(struct rmt_socket *s, const struct rmi_addr *to, const void *data, size_t len);
rm_err rmt_socket_send_marked(struct rmt_socket *s, const struct rmi_addr *to, const void *data, size_t len,
                              enum rmi_ecn ecn);
/* ECN field of the datagram that a socket's function is being given. */
enum rmi_ecn rmt_vnet_received_ecn(const struct rmt_vnet *v);

/* An attacker in the public network: a datagram with any source address, forwarded there after delay_us. */
void rmt_vnet_inject(struct rmt_vnet *v, const struct rmi_addr *from, const struct rmi_addr *to, const void *data,
                     size_t len, int64_t delay_us);
/* Sees every datagram that is about to be delivered (addresses as the receiver sees them) and may change it in place;
 * false = it vanishes. NULL = none. */
typedef bool (*rmt_tap_fn)(void *ctx, int64_t now_us, const struct rmi_addr *from, const struct rmi_addr *to,
                           uint8_t *data, size_t *len);
void rmt_vnet_set_tap(struct rmt_vnet *v, rmt_tap_fn fn, void *ctx);
struct rmt_vnet_stats {
    uint64_t sent, delivered, unrouted, no_socket, tapped;
};
struct rmt_vnet_stats rmt_vnet_stats(const struct rmt_vnet *v);

/* ---- pipes (vnet_pipe.c): reliable, ordered messages between two hosts, for simulated signaling ---- */
struct rmt_pipe_config {
    const char *name;
    int64_t delay_us, jitter_us; /* jitter is added: uniform in [0, jitter]; order stays */
    uint32_t slow_p;             /* this share of messages takes slow_us instead, and holds up those behind it */
    int64_t slow_us;
    uint32_t drop_p, dup_p, reorder_p; /* faults no real pipe has, for hostile tests; reordered: overtakes the queue */
};
/* data NULL: the other side closed, or the pipe was killed; nothing comes after. now_us is the host's clock. */
typedef void (*rmt_pipe_fn)(void *ctx, int64_t now_us, const char *data, size_t len);
struct rmt_pipe *rmt_pipe_create(struct rmt_vnet *v, const struct rmt_pipe_config *config);
/* end is 0 or 1. Before the first message arrives there. */
void rmt_pipe_attach(struct rmt_pipe *p, int end, struct rmt_host *h, rmt_pipe_fn fn, void *ctx);
/* RM_E_CLOSED once this end has closed or was told of the end; what is sent between a kill and that is lost. */
rm_err rmt_pipe_send(struct rmt_pipe *p, int from_end, const char *data, size_t len);
/* The other end hears of it after everything sent before; this end hears nothing more. */
void rmt_pipe_close(struct rmt_pipe *p, int end);
/* What is under way is lost and both ends are told after the delay (a connection reset). */
void rmt_pipe_kill(struct rmt_pipe *p);
/* A dead TCP connection that nobody noticed: messages wait; they arrive after the stall ends. */
void rmt_pipe_stall(struct rmt_pipe *p, bool stalled);
void rmt_pipe_set(struct rmt_pipe *p, const struct rmt_pipe_config *config);
bool rmt_pipe_is_open(const struct rmt_pipe *p);
/* A pipe that both ends know to be closed, with nothing under way, begins anew; else false. For runs so long that one
 * pipe a connection would be too many. */
bool rmt_pipe_reopen(struct rmt_pipe *p);

/* ---- trace and invariants (vnet_trace.c) ---- */
/* Over every delivered datagram and message: time, source, destination, length, bytes. Each item is taken as 64-bit
 * little-endian words (the bytes zero-padded) and mixed in by h = (h ^ w) * 0x9E3779B97F4A7C15, h ^= h >> 32. */
uint64_t rmt_vnet_trace_hash(const struct rmt_vnet *v);
/* One line a delivery, drop and note; stays the caller's. NULL = off. */
void rmt_vnet_set_trace(struct rmt_vnet *v, FILE *out);
/* A line of the scenario's own in the trace. */
void rmt_vnet_note(struct rmt_vnet *v, const char *fmt, ...) RM_PRINTF(2, 3);
/* After every event. False: it is broken, and `why` says how. */
typedef bool (*rmt_invariant_fn)(void *ctx, char *why, size_t cap);
void rmt_vnet_add_invariant(struct rmt_vnet *v, const char *name, rmt_invariant_fn fn, void *ctx);
/* "FAIL seed=N t=SECONDS: message" on stderr, then exit 1. v may be NULL. */
_Noreturn void rmt_vnet_fail(const struct rmt_vnet *v, const char *fmt, ...) RM_PRINTF(2, 3);
#define RMT_CHECK(v, cond)                                                                                             \
    do {                                                                                                               \
        if (!(cond))                                                                                                   \
            rmt_vnet_fail((v), "%s:%d: %s", __FILE__, __LINE__, #cond);                                                \
    } while (0)
/* Both as int64_t; shows the values. */
#define RMT_CHECK_INT(v, got, want)                                                                                    \
    do {                                                                                                               \
        long long got_ = (long long)(got), want_ = (long long)(want);                                                  \
        if (got_ != want_)                                                                                             \
            rmt_vnet_fail((v), "%s:%d: %s is %lld, not %lld", __FILE__, __LINE__, #got, got_, want_);                  \
    } while (0)

#endif
