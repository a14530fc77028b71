/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_VNET_PRIVATE_H
#define RMT_VNET_PRIVATE_H

#include "base/list.h"
#include "support/vnet.h"

/* ---- event queue: a binary heap of slots, ordered by (time, sequence number) ---- */
struct rmt_event {
    int64_t when;
    uint64_t seq;
    rmt_task_fn fn;
    void *ctx;
    void (*drop)(void *ctx); /* frees ctx when the event never runs; NULL = nothing to free */
    struct rmt_host *host;   /* fn is given this host's time, and runs no earlier than host_when by it */
    int64_t host_when;
    uint32_t generation; /* tells a slot's uses apart, so that a stale id cancels nothing */
    size_t at;           /* index in the heap */
    bool used;
};
struct rmt_queue {
    struct rmt_event *slots;
    uint32_t *heap, *spare; /* slot numbers */
    size_t n, spares, cap;
    uint64_t next_seq, done;
};

/* ---- links ---- */
#define RMT_WINDOWS_MAX 16
struct rmt_wire {
    struct rmt_vnet *v;
    char name[2 * RMT_NAME_MAX + 16];
    struct rmt_link link;
    struct rmt_link_stats stats;
    /* One generator for each effect: switching one on does not move the draws of the others. */
    struct rmi_prng loss, burst, jitter, reorder, dup, corrupt, mark;
    int64_t above_us, mark_us; /* CoDel: when it may mark for the first time (0: below), and the next time */
    unsigned mark_count;
    bool bad;            /* Gilbert-Elliott state */
    int64_t free_ns;     /* when the transmitter is idle again: nanoseconds, for the remainders of high rates */
    int64_t last_due_us; /* no packet leaves before this one, unless reordering is allowed */
    struct {
        int64_t from_us, to_us;
    } windows[RMT_WINDOWS_MAX];
    size_t window_count;
};

struct rmt_packet {
    struct rmt_vnet *v;
    struct rmi_addr from, to;
    struct rmt_host *origin;    /* NULL: injected */
    struct rmt_iface *to_iface; /* once routed */
    struct rmt_host *to_host;
    struct rmt_nat *realm; /* where it goes on from; NULL = the public network */
    struct rmt_nat *nat;   /* the NAT on whose wire it is */
    enum rmi_ecn ecn;
    size_t len;
    uint8_t *data; /* inside room, RMI_HEADROOM from its start */
    uint8_t room[];
};

/* ---- hosts ---- */
struct rmt_iface {
    struct rmi_addr addr; /* port 0 */
    bool up;
    struct rmt_nat *nat; /* the realm it is in; NULL = public */
    struct rmt_wire wires[2];
};
struct rmt_path {
    struct rmt_host *to;
    struct rmt_wire wire;
    struct rmt_path *next;
};
struct rmt_host {
    struct rmt_vnet *v;
    struct rmt_host *next;
    char name[RMT_NAME_MAX];
    struct rmt_iface ifaces[RMT_IFACES_MAX];
    int iface_count;
    int64_t net_base_us, host_base_us, wall_offset_us; /* its clock at net_base_us was host_base_us */
    int32_t skew_ppm;
    struct rmi_list sockets;
    struct rmt_path *paths;
    uint16_t next_port;
    rmt_task_fn change_fn;
    void *change_ctx;
};
struct rmt_socket {
    struct rmi_list node;
    struct rmt_host *host;
    struct rmt_iface *iface; /* NULL: loopback */
    struct rmi_addr addr;
    rmt_recv_fn fn;
    void *ctx;
};

/* ---- NATs ---- */
struct rmt_permit {
    struct rmi_addr remote;
    int64_t used_us;
};
struct rmt_mapping {
    struct rmi_addr inside, remote; /* remote: as far as the mapping rule looks, else zero */
    uint16_t port;
    int64_t used_us;
    bool dead; /* lost in a rebinding; kept so that its port is not given out again */
    struct rmt_permit *permits;
    size_t permit_count, permit_cap;
};
struct rmt_nat {
    struct rmt_vnet *v;
    struct rmt_nat *next, *via;
    char name[RMT_NAME_MAX];
    struct rmi_addr outer4, outer6; /* family 0 = none */
    struct rmt_nat_config config;   /* its pointers are not used after rmt_nat_add */
    struct rmt_wire wires[2];
    struct rmt_mapping *maps;
    size_t map_count, map_cap;
    struct rmi_prng ports;
    struct rmt_nat_stats stats;
};

struct rmt_invariant {
    char name[RMT_NAME_MAX];
    rmt_invariant_fn fn;
    void *ctx;
};
#define RMT_INVARIANTS_MAX 64

struct rmt_vnet {
    uint64_t seed;
    int64_t now_us;
    struct rmt_queue queue;
    struct rmt_host *hosts, **hosts_end; /* in the order they were added */
    struct rmt_nat *nats, **nats_end;
    struct rmt_pipe *pipes;
    uint64_t hash;
    FILE *trace;
    enum rmi_ecn received_ecn;
    rmt_tap_fn tap;
    void *tap_ctx;
    struct rmt_vnet_stats stats;
    struct rmt_invariant invariants[RMT_INVARIANTS_MAX];
    size_t invariant_count;
};

/* Memory of the simulator: zeroed, or the process ends. */
void *rmt_alloc(size_t n);
void *rmt_grow(void *p, size_t count, size_t size);
void rmt_copy_name(char out[RMT_NAME_MAX], const char *name);
struct rmi_addr rmt_ip(const struct rmt_vnet *v, const char *text); /* or the test ends */

void rmt_queue_fini(struct rmt_queue *q);
/* The full form of rmt_vnet_at. */
uint64_t rmt_queue_add(struct rmt_vnet *v, struct rmt_event e);
/* The host's clock runs differently from now on: its timers move. */
void rmt_queue_retime(struct rmt_host *h);

/* True with a probability of ppm in a million. One draw each time, whatever ppm is. */
bool rmt_chance(struct rmi_prng *g, uint32_t ppm);
/* Uniform in [0, n). */
uint64_t rmt_below(struct rmi_prng *g, uint64_t n);

void rmt_wire_init(struct rmt_wire *w, struct rmt_vnet *v, const char *name);
/* Takes the packet; `next` gets it when it leaves, at once (inside this call) where the wire takes no time and
 * `direct` allows it. */
void rmt_wire_pass(struct rmt_wire *w, struct rmt_packet *p, rmt_task_fn next, bool direct);

struct rmt_packet *rmt_packet_new(struct rmt_vnet *v, const struct rmi_addr *from, const struct rmi_addr *to,
                                  const void *data, size_t len);
void rmt_packet_free(void *packet);
/* Stages of a packet's way, as tasks that own it. route: on from its realm, to a host there, into a NAT there, or out
 * through the realm's own NAT. deliver: to the socket. */
void rmt_route(void *packet, int64_t now_us);
void rmt_deliver(void *packet, int64_t now_us);
/* Rewrites the packet's source on its way out. False: dropped (not freed). */
bool rmt_nat_out(struct rmt_nat *n, struct rmt_packet *p);
bool rmt_nat_in(struct rmt_nat *n, struct rmt_packet *p);
/* The NAT's outer address of the family of `like`; family 0 = none. */
const struct rmi_addr *rmt_nat_outer(const struct rmt_nat *n, const struct rmi_addr *like);
void rmt_nat_free(struct rmt_nat *n);
void rmt_host_free(struct rmt_host *h);
void rmt_pipe_free_all(struct rmt_vnet *v);
/* The smallest network time at which the host's clock shows at least host_us (at most 30 days ahead). */
int64_t rmt_host_to_net(const struct rmt_host *h, int64_t host_us);

void rmt_trace_packet(struct rmt_vnet *v, const struct rmt_packet *p);
void rmt_trace_message(struct rmt_vnet *v, const char *pipe, int end, const char *data, size_t len);
void rmt_trace_drop(struct rmt_vnet *v, const struct rmt_packet *p, const char *where, const char *why);
void rmt_check_invariants(struct rmt_vnet *v);
uint64_t rmt_mix(uint64_t h, uint64_t word);
uint64_t rmt_mix_bytes(uint64_t h, const void *data, size_t len);

#endif
