/* SPDX-License-Identifier: Apache-2.0 */
#include "support/vnet_private.h"
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define MIX 0x9E3779B97F4A7C15u /* 2^64 / golden ratio, odd */
#define US_PER_S 1000000
#define WHY_MAX 256

uint64_t rmt_mix(uint64_t h, uint64_t word) {
    h = (h ^ word) * MIX;
    return h ^ h >> 32;
}

uint64_t rmt_mix_bytes(uint64_t h, const void *data, size_t len) {
    const uint8_t *b = data;
    h = rmt_mix(h, len);
    while (len > 0) {
        uint64_t word = 0;
        size_t n = len < sizeof word ? len : sizeof word;
        for (size_t i = 0; i < n; i++)
            word |= (uint64_t)b[i] << (8 * i);
        h = rmt_mix(h, word);
        b += n;
        len -= n;
    }
    return h;
}

static uint64_t mix_addr(uint64_t h, const struct rmi_addr *a) {
    h = rmt_mix_bytes(h, a->ip, a->family == 4 ? 4 : sizeof a->ip);
    return rmt_mix(h, a->port);
}

uint64_t rmt_vnet_trace_hash(const struct rmt_vnet *v) {
    return v->hash;
}

void rmt_vnet_set_trace(struct rmt_vnet *v, FILE *out) {
    v->trace = out;
}

static void stamp(struct rmt_vnet *v) {
    int64_t since = v->now_us - RMT_START_US;
    fprintf(v->trace, "%" PRId64 ".%06" PRId64 " ", since / US_PER_S, since % US_PER_S);
}

static void addresses(struct rmt_vnet *v, const struct rmt_packet *p) {
    char from[RMI_ADDR_TEXT_MAX], to[RMI_ADDR_TEXT_MAX];
    fprintf(v->trace, "%s > %s %zu", rmi_addr_text(&p->from, from), rmi_addr_text(&p->to, to), p->len);
    if (p->len > 0)
        fprintf(v->trace, " b0=%02x", p->data[0]);
}

void rmt_trace_packet(struct rmt_vnet *v, const struct rmt_packet *p) {
    uint64_t h = rmt_mix(v->hash, (uint64_t)v->now_us);
    h = mix_addr(mix_addr(h, &p->from), &p->to);
    v->hash = rmt_mix_bytes(h, p->data, p->len);
    if (v->trace) {
        stamp(v);
        addresses(v, p);
        fputc('\n', v->trace);
    }
}

void rmt_trace_message(struct rmt_vnet *v, const char *pipe, int end, const char *data, size_t len) {
    uint64_t h = rmt_mix_bytes(rmt_mix(v->hash, (uint64_t)v->now_us), pipe, strlen(pipe));
    h = rmt_mix(h, (uint64_t)(end * 2 + (data != NULL)));
    v->hash = rmt_mix_bytes(h, data, len);
    if (v->trace) {
        stamp(v);
        fprintf(v->trace, "pipe %s>%d %zu %.*s\n", pipe, end, len, (int)len, data ? data : "");
    }
}

void rmt_trace_drop(struct rmt_vnet *v, const struct rmt_packet *p, const char *where, const char *why) {
    if (!v->trace)
        return;
    stamp(v);
    fprintf(v->trace, "drop (%s: %s) ", where, why);
    addresses(v, p);
    fputc('\n', v->trace);
}

void rmt_vnet_note(struct rmt_vnet *v, const char *fmt, ...) {
    if (!v->trace)
        return;
    stamp(v);
    fputs("note ", v->trace);
    va_list args;
    va_start(args, fmt);
    vfprintf(v->trace, fmt, args);
    va_end(args);
    fputc('\n', v->trace);
}

void rmt_vnet_add_invariant(struct rmt_vnet *v, const char *name, rmt_invariant_fn fn, void *ctx) {
    if (v->invariant_count == RMT_INVARIANTS_MAX)
        rmt_vnet_fail(v, "more than %d invariants", RMT_INVARIANTS_MAX);
    struct rmt_invariant *i = &v->invariants[v->invariant_count++];
    rmt_copy_name(i->name, name);
    i->fn = fn;
    i->ctx = ctx;
}

void rmt_check_invariants(struct rmt_vnet *v) {
    for (size_t i = 0; i < v->invariant_count; i++) {
        char why[WHY_MAX] = "";
        if (!v->invariants[i].fn(v->invariants[i].ctx, why, sizeof why))
            rmt_vnet_fail(v, "invariant %s broken: %s", v->invariants[i].name, why);
    }
}

_Noreturn void rmt_vnet_fail(const struct rmt_vnet *v, const char *fmt, ...) {
    fflush(stdout);
    if (v) {
        int64_t since = v->now_us - RMT_START_US;
        fprintf(stderr, "FAIL seed=%" PRIu64 " t=%" PRId64 ".%06" PRId64 ": ", v->seed, since / US_PER_S,
                since % US_PER_S);
    } else {
        fprintf(stderr, "FAIL: ");
    }
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    fflush(NULL);
    _exit(1); /* no leak report over a network that is abandoned on purpose */
}
