/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/association_private.h"
#include <string.h>

/* Fragments become messages, and ordered messages wait for those before them. Numbers count fragments inside a message:
 * the FSN of I-DATA, the TSN of DATA, whose unordered messages have no other mark than that their TSNs follow each
 * other, so that all their fragments wait in one place. */

#define MID_BITS_DATA 16

static struct rmi_sctp_message *message_of(struct rmi_list *node) {
    return RMI_CONTAINER_OF(node, struct rmi_sctp_message, node);
}

static struct rmi_sctp_block *block_of(struct rmi_list *node) {
    return RMI_CONTAINER_OF(node, struct rmi_sctp_block, node);
}

static bool mid_after(const struct rmi_sctp *a, uint32_t x, uint32_t y) {
    const int wide = a->interleaving ? 0 : MID_BITS_DATA;
    return rmi_sctp_after(x << wide, y << wide);
}

static uint32_t mid_next(const struct rmi_sctp *a, uint32_t mid) {
    return a->interleaving ? mid + 1 : (uint16_t)(mid + 1);
}

static bool complete(const struct rmi_sctp_message *m) {
    return m->has_begin && m->has_end && m->last_fsn - m->first_fsn + 1 == m->count;
}

static void deliver(struct rmi_sctp *a, struct rmi_sctp_message *m) {
    rmi_list_remove(&m->node);
    m->type = RMI_SCTP_EV_MESSAGE;
    rmi_list_push_back(&a->ready, &m->node);
}

static void drop(struct rmi_sctp *a, struct rmi_sctp_message *m) {
    RMI_LIST_FOREACH (node, next, &m->fragments)
        a->held -= rmi_sctp_block_cost(block_of(node));
    rmi_sctp_message_put(a, m);
}

/* Ordered messages whose turn it is. */
static void deliver_ordered(struct rmi_sctp *a, struct rmi_sctp_stream_in *s) {
    while (!rmi_list_empty(&s->ordered)) {
        struct rmi_sctp_message *m = message_of(s->ordered.next);
        if (m->mid != s->next_mid || !complete(m))
            return;
        s->next_mid = mid_next(a, s->next_mid);
        deliver(a, m);
    }
}

/* What a peer sends later has higher numbers, so that a place in a sorted list is found by passing over nothing but
 * what came ahead of this TSN; a peer gone mad cannot make the walk longer. */
static uint32_t walk_most(const struct rmi_sctp *a, const struct rmi_sctp_data *d) {
    return rmi_sctp_after(a->recv_highest, d->tsn) ? a->recv_highest - d->tsn : 0;
}

/* The message of this number in a list sorted by it, made when it is not there; new ones mostly come last. */
static struct rmi_sctp_message *message_for(struct rmi_sctp *a, struct rmi_list *list, const struct rmi_sctp_data *d,
                                            enum rmi_sctp_taken *result) {
    struct rmi_list *after = list->prev;
    *result = RMI_SCTP_CONTRADICTION;
    for (uint32_t left = walk_most(a, d); after != list && mid_after(a, message_of(after)->mid, d->mid); left--) {
        if (left == 0)
            return NULL;
        after = after->prev;
    }
    if (after != list && message_of(after)->mid == d->mid)
        return message_of(after);
    *result = RMI_SCTP_NO_ROOM;
    struct rmi_sctp_message *m = rmi_sctp_message_get(a);
    if (!m)
        return NULL;
    m->stream = d->stream;
    m->mid = d->mid;
    m->unordered = d->flags & RMI_SCTP_FLAG_UNORDERED;
    rmi_list_push_front(after, &m->node);
    return m;
}

/* Whether the ends of the message stay its ends. */
static bool fits(const struct rmi_sctp_message *m, const struct rmi_sctp_data *d) {
    const bool begin = d->flags & RMI_SCTP_FLAG_BEGIN, end = d->flags & RMI_SCTP_FLAG_END;
    if ((begin && m->has_begin) || (end && m->has_end))
        return false;
    if ((m->has_begin && !rmi_sctp_after(d->fsn, m->first_fsn)) || (m->has_end && !rmi_sctp_after(m->last_fsn, d->fsn)))
        return false;
    if (rmi_list_empty(&m->fragments))
        return true;
    const uint32_t lowest = block_of(m->fragments.next)->fsn, highest = block_of(m->fragments.prev)->fsn;
    return !(begin && !rmi_sctp_after(lowest, d->fsn)) && !(end && !rmi_sctp_after(d->fsn, highest));
}

static struct rmi_sctp_block *add_fragment(struct rmi_sctp *a, struct rmi_sctp_message *m,
                                           const struct rmi_sctp_data *d, enum rmi_sctp_taken *result) {
    struct rmi_list *after = m->fragments.prev;
    *result = RMI_SCTP_CONTRADICTION;
    for (uint32_t left = walk_most(a, d); after != &m->fragments && rmi_sctp_after(block_of(after)->fsn, d->fsn);
         left--) {
        if (left == 0)
            return NULL;
        after = after->prev;
    }
    if (after != &m->fragments && block_of(after)->fsn == d->fsn)
        return NULL;
    *result = RMI_SCTP_NO_ROOM;
    struct rmi_sctp_block *b = rmi_sctp_block_get(a, d->len);
    if (!b)
        return NULL;
    memcpy(b->data, d->bytes, d->len);
    b->tsn = d->tsn;
    b->fsn = d->fsn;
    b->flags = d->flags;
    b->message = m;
    rmi_list_push_front(after, &b->node);
    a->held += rmi_sctp_block_cost(b);
    m->count++;
    m->bytes += d->len;
    *result = RMI_SCTP_TAKEN;
    return b;
}

static enum rmi_sctp_taken add(struct rmi_sctp *a, struct rmi_sctp_message *m, const struct rmi_sctp_data *d) {
    enum rmi_sctp_taken result;
    if (!fits(m, d))
        return RMI_SCTP_CONTRADICTION;
    if (m->bytes + d->len > a->config.message_in_max)
        return RMI_SCTP_TOO_BIG;
    if (!add_fragment(a, m, d, &result))
        return result;
    if (d->flags & RMI_SCTP_FLAG_BEGIN) {
        m->has_begin = true;
        m->first_fsn = d->fsn;
        m->ppid = d->ppid;
    }
    if (d->flags & RMI_SCTP_FLAG_END) {
        m->has_end = true;
        m->last_fsn = d->fsn;
    }
    return RMI_SCTP_TAKEN;
}

/* ---- unordered DATA ---- */

static void set_run(struct rmi_sctp_block *first, struct rmi_sctp_block *last, uint32_t count, uint32_t bytes) {
    first->run.other = last;
    last->run.other = first;
    first->run.count = last->run.count = count;
    first->run.bytes = last->run.bytes = bytes;
}

/* Joins a fragment with the runs before and behind it, which know their ends: no walk, however long a message is.
 * Returns the first of them. */
static struct rmi_sctp_block *join(const struct rmi_sctp_message *heap, struct rmi_sctp_block *b) {
    struct rmi_sctp_block *first = b, *last = b;
    uint32_t count = 1, bytes = b->len;
    if (!(b->flags & RMI_SCTP_FLAG_BEGIN) && b->node.prev != &heap->fragments) {
        struct rmi_sctp_block *before = block_of(b->node.prev);
        if (before->fsn + 1 == b->fsn && !(before->flags & RMI_SCTP_FLAG_END)) {
            count += before->run.count;
            bytes += before->run.bytes;
            first = before->run.other;
        }
    }
    if (!(b->flags & RMI_SCTP_FLAG_END) && b->node.next != &heap->fragments) {
        struct rmi_sctp_block *behind = block_of(b->node.next);
        if (behind->fsn == b->fsn + 1 && !(behind->flags & RMI_SCTP_FLAG_BEGIN)) {
            count += behind->run.count;
            bytes += behind->run.bytes;
            last = behind->run.other;
        }
    }
    set_run(first, last, count, bytes);
    return first;
}

/* The run of fragments around `b` without a gap, if it is a whole message: moved into one. */
static enum rmi_sctp_taken take_run(struct rmi_sctp *a, struct rmi_sctp_message *heap, struct rmi_sctp_block *b) {
    struct rmi_sctp_block *first = join(heap, b);
    uint32_t count = first->run.count;
    const uint32_t bytes = first->run.bytes;
    if (bytes > a->config.message_in_max)
        return RMI_SCTP_TOO_BIG;
    if (!(first->flags & RMI_SCTP_FLAG_BEGIN) || !(first->run.other->flags & RMI_SCTP_FLAG_END))
        return RMI_SCTP_TAKEN;
    struct rmi_sctp_message *m = rmi_sctp_message_get(a);
    if (!m)
        return RMI_SCTP_NO_ROOM;
    m->stream = heap->stream;
    m->ppid = first->ppid;
    m->bytes = bytes;
    heap->count -= count;
    heap->bytes -= bytes;
    for (struct rmi_sctp_block *at = first; count > 0; count--) {
        struct rmi_sctp_block *next = block_of(at->node.next);
        rmi_list_remove(&at->node);
        rmi_list_push_back(&m->fragments, &at->node);
        at = next;
    }
    deliver(a, m);
    return RMI_SCTP_TAKEN;
}

static enum rmi_sctp_taken unordered_data(struct rmi_sctp *a, struct rmi_sctp_stream_in *s,
                                          const struct rmi_sctp_data *d) {
    enum rmi_sctp_taken result;
    struct rmi_sctp_data one = *d;
    one.mid = 0;
    struct rmi_sctp_message *heap = message_for(a, &s->unordered, &one, &result);
    if (!heap)
        return result;
    struct rmi_sctp_block *b = add_fragment(a, heap, d, &result);
    if (!b)
        return result;
    b->ppid = d->ppid;
    result = take_run(a, heap, b);
    if (rmi_list_empty(&heap->fragments))
        rmi_sctp_message_put(a, heap);
    return result;
}

/* ---- entrance ---- */

enum rmi_sctp_taken rmi_sctp_reassemble(struct rmi_sctp *a, const struct rmi_sctp_data *d) {
    struct rmi_sctp_stream_in *s = rmi_sctp_in_stream(a, d->stream);
    if (!s)
        return RMI_SCTP_NO_ROOM;
    const bool unordered = d->flags & RMI_SCTP_FLAG_UNORDERED;
    if (unordered && !a->interleaving)
        return unordered_data(a, s, d);
    if (!unordered && mid_after(a, s->next_mid, d->mid))
        return RMI_SCTP_TAKEN; /* of a message that was passed over, and behind the TSN up to which it was */
    enum rmi_sctp_taken taken;
    struct rmi_sctp_message *m = message_for(a, unordered ? &s->unordered : &s->ordered, d, &taken);
    if (!m)
        return taken;
    taken = add(a, m, d);
    if (rmi_list_empty(&m->fragments))
        rmi_sctp_message_put(a, m);
    if (taken != RMI_SCTP_TAKEN)
        return taken;
    if (!unordered)
        deliver_ordered(a, s);
    else if (complete(m))
        deliver(a, m);
    return RMI_SCTP_TAKEN;
}

void rmi_sctp_skip_to(struct rmi_sctp *a, const struct rmi_sctp_skip *skip) {
    struct rmi_sctp_stream_in *s = rmi_sctp_in_stream(a, skip->stream);
    if (!s)
        return;
    struct rmi_list *list = skip->unordered ? &s->unordered : &s->ordered;
    if (!skip->unordered && mid_after(a, s->next_mid, skip->mid))
        return;
    RMI_LIST_FOREACH (node, next, list) {
        struct rmi_sctp_message *m = message_of(node);
        if (mid_after(a, m->mid, skip->mid))
            break;
        if (!skip->unordered && complete(m))
            deliver(a, m); /* it is whole: only those before it were given up */
        else
            drop(a, m);
    }
    if (skip->unordered)
        return;
    s->next_mid = mid_next(a, skip->mid);
    deliver_ordered(a, s);
}

void rmi_sctp_skip_unordered(struct rmi_sctp *a, uint32_t cum_tsn) {
    for (size_t i = 0; i < RMI_SCTP_STREAMS; i++) {
        if (!a->in[i] || rmi_list_empty(&a->in[i]->unordered))
            continue;
        struct rmi_sctp_message *heap = message_of(a->in[i]->unordered.next);
        RMI_LIST_FOREACH (node, next, &heap->fragments) {
            struct rmi_sctp_block *b = block_of(node);
            if (rmi_sctp_after(b->tsn, cum_tsn))
                break;
            if (b->run.count > 1) /* what is left of the run begins with the next one */
                set_run(block_of(next), b->run.other, b->run.count - 1, b->run.bytes - b->len);
            a->held -= rmi_sctp_block_cost(b);
            heap->count--;
            heap->bytes -= b->len;
            rmi_sctp_block_put(a, b);
        }
        if (rmi_list_empty(&heap->fragments))
            rmi_sctp_message_put(a, heap);
    }
}

void rmi_sctp_stream_in_reset(struct rmi_sctp *a, uint16_t id) {
    struct rmi_sctp_stream_in *s = rmi_sctp_in_stream(a, id);
    if (!s)
        return;
    RMI_LIST_FOREACH (node, next, &s->ordered)
        drop(a, message_of(node));
    RMI_LIST_FOREACH (other, following, &s->unordered)
        drop(a, message_of(other));
    s->next_mid = 0;
    rmi_sctp_peer_has_reset(a, id);
    if (!s->reset_pending) {
        s->reset_pending = true;
        rmi_sctp_post(a, RMI_SCTP_EV_RESET_IN, id, RM_OK);
    }
}
