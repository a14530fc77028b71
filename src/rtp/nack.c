/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/nack.h"
#include "base/time.h"
#include "rtp/packet.h"
#include <string.h>

void rmi_nack_init(struct rmi_nack *n, const struct rmi_nack_config *config) {
    memset(n, 0, sizeof *n);
    n->config = *config;
    if (n->config.tries == 0)
        n->config.tries = 1;
    n->budget = RMI_NACK_MAX;
}

static void abandon_oldest(struct rmi_nack *n, size_t count) {
    if (count == 0)
        return;
    n->count -= count;
    memmove(n->missing, n->missing + count, n->count * sizeof n->missing[0]);
    n->abandoned += count;
    n->gave_up = true;
}

static void remove_if_missing(struct rmi_nack *n, uint16_t seq) {
    for (size_t i = 0; i < n->count; i++) {
        if (n->missing[i].seq != seq)
            continue;
        n->count--;
        memmove(&n->missing[i], &n->missing[i + 1], (n->count - i) * sizeof n->missing[0]);
        n->recovered++;
        return;
    }
}

int64_t rmi_nack_answer_us(const struct rmi_nack *n, uint16_t seq, int64_t now_us, int64_t least_us) {
    size_t i = 0;
    while (i < n->count && n->missing[i].seq != seq)
        i++;
    if (i == n->count || n->missing[i].tries == 0)
        return 0;
    const struct rmi_nack_entry *e = &n->missing[i];
    return e->tries == 1 || now_us - e->asked_us < least_us ? now_us - e->first_us : 0;
}

void rmi_nack_input(struct rmi_nack *n, uint16_t seq, int64_t now_us) {
    n->budget += n->budget < RMI_NACK_MAX;
    if (!n->started) {
        n->started = true;
        n->newest = seq;
        return;
    }
    int32_t ahead = rmi_seq_diff(seq, n->newest);
    if (ahead <= 0) {
        remove_if_missing(n, seq);
        return;
    }
    size_t gap = (size_t)ahead - 1;
    if (gap > RMI_NACK_MAX) { /* an outage or a new start: asking for all of it would prolong it */
        abandon_oldest(n, n->count);
        n->abandoned += gap;
        n->gave_up = true;
        gap = 0;
    }
    if (n->count + gap > RMI_NACK_MAX)
        abandon_oldest(n, n->count + gap - RMI_NACK_MAX);
    for (size_t i = 0; i < gap; i++)
        n->missing[n->count++] = (struct rmi_nack_entry){
            .seq = (uint16_t)(n->newest + 1 + i), .since_us = now_us, .due_us = now_us + n->config.reorder_us};
    n->newest = seq;
}

/* Where requests have echoes, every second one is one. */
static bool is_echo(const struct rmi_nack *n, const struct rmi_nack_entry *e) {
    return n->config.echo_us > 0 && e->tries % 2 == 1;
}

static void ask(struct rmi_nack *n, struct rmi_nack_entry *e, int64_t now_us, int64_t retry_us) {
    const int64_t echo_us = n->config.echo_us;
    n->budget -= !is_echo(n, e);
    e->first_us = e->tries ? e->first_us : now_us;
    e->asked_us = now_us;
    e->tries++;
    e->due_us = now_us + (echo_us == 0 ? retry_us : is_echo(n, e) ? echo_us : rmi_max64(retry_us - echo_us, echo_us));
}

static bool is_worthless(const struct rmi_nack *n, const struct rmi_nack_entry *e, int64_t now_us, int64_t retry_us) {
    return e->tries >= n->config.tries ||
           (n->config.worth_us > 0 && now_us - e->since_us + retry_us > n->config.worth_us);
}

size_t rmi_nack_due(struct rmi_nack *n, int64_t now_us, int64_t retry_us, uint16_t *out, size_t cap) {
    size_t asked = 0, kept = 0;
    if (now_us < n->next_us)
        return 0;
    for (size_t i = 0; i < n->count; i++) {
        struct rmi_nack_entry e = n->missing[i];
        if (e.due_us <= now_us && is_worthless(n, &e, now_us, retry_us)) {
            n->abandoned++;
            n->gave_up = true;
            continue;
        }
        if (e.due_us <= now_us) {
            n->next_us = now_us + n->config.apart_us;
            if (asked < cap && (n->budget > 0 || is_echo(n, &e))) {
                out[asked++] = e.seq;
                ask(n, &e, now_us, retry_us);
            }
        }
        n->missing[kept++] = e;
    }
    n->count = kept;
    return asked;
}

int64_t rmi_nack_next_deadline(const struct rmi_nack *n) {
    int64_t at = RMI_NEVER;
    for (size_t i = 0; i < n->count; i++)
        at = rmi_min64(at, n->missing[i].due_us);
    return rmi_max64(at, n->next_us);
}

void rmi_nack_forget_before(struct rmi_nack *n, uint16_t seq) {
    size_t old = 0;
    while (old < n->count && rmi_seq_diff(n->missing[old].seq, seq) < 0)
        old++;
    n->count -= old;
    memmove(n->missing, n->missing + old, n->count * sizeof n->missing[0]);
}

bool rmi_nack_take_gave_up(struct rmi_nack *n) {
    bool gave_up = n->gave_up;
    n->gave_up = false;
    return gave_up;
}
