/* SPDX-License-Identifier: Apache-2.0 */
/* Taps and intercepts: a ring each, filled by the session's threads and emptied by whoever looks. */
#include "runtime/bus.h"
#include "runtime/runner_private.h"
#include <remotemedia/data_json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define US_PER_MS 1000
#define US_PER_S 1000000

struct rm_tap {
    struct rmi_list node; /* of the session's bus, guarded by that */
    atomic_size_t refs;   /* the subscriber's, the bus's, and one for each use under way */
    struct rmi_run_node *at;
    enum rmi_bus_side side;
    char port[RMI_BUS_PORT_MAX + 1];
    rm_tap_config config;
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t changed;
    struct rm_stream_session *session; /* NULL: it is closed */
    bool ended;                        /* by its subscriber */
    rm_tap_item *ring;
    size_t head, count, bytes;
    uint64_t skipped;
    bool telling, tell_again; /* on_ready is under way on `teller`; it is to be called once more */
    pthread_t teller;
    uint64_t last_id, waiting; /* waiting: the item that is to be decided on, 0: none */
    rm_tap_decision decision;  /* 0: none yet */
    rm_runtime_data *replacement;
};

void rm_tap_config_init(rm_tap_config *config) {
    *config = (rm_tap_config){.struct_size = (uint32_t)sizeof *config, .ring_size = RM_TAP_RING_DEFAULT};
}

void rm_tap_item_clear(rm_tap_item *item) {
    if (item)
        rm_runtime_data_unref(&item->data);
}

static void unref(struct rm_tap *t) {
    if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < t->count; i++)
        rm_tap_item_clear(&t->ring[(t->head + i) % t->config.ring_size]);
    rm_runtime_data_unref(&t->replacement);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->mutex);
    free(t->ring);
    free(t);
}

/* ---- the subscriber's side ---- */

static rm_err check_config(const rm_tap_config *c) {
    return c->struct_size == sizeof *c && c->ring_size >= 1 && c->ring_size <= RM_TAP_RING_MAX &&
                   c->deadline_ms <= RM_INTERCEPT_MAX_MS
               ? RM_OK
               : RM_E_INVALID_ARG;
}

static rm_err make_tap(const struct rmi_bus_address *at, const rm_tap_config *config, struct rm_tap **out) {
    struct rm_tap *t = calloc(1, sizeof *t);
    pthread_condattr_t attr;
    if (!t || pthread_condattr_init(&attr)) {
        free(t);
        return RM_E_NO_MEMORY;
    }
    t->config = *config;
    if (config->intercept)
        t->config.ring_size = 1; /* one item waits at a time */
    if (!t->config.deadline_ms)
        t->config.deadline_ms = RM_INTERCEPT_DEFAULT_MS;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    t->ring = calloc(t->config.ring_size, sizeof *t->ring);
    bool failed = !t->ring || pthread_cond_init(&t->changed, &attr) || pthread_mutex_init(&t->mutex, NULL);
    pthread_condattr_destroy(&attr);
    if (failed) {
        free(t->ring);
        free(t);
        return RM_E_NO_MEMORY;
    }
    atomic_init(&t->refs, 1);
    t->at = at->node;
    t->side = at->side;
    strcpy(t->port, at->port);
    *out = t;
    return RM_OK;
}

/* Under the bus's mutex. */
static void count_watch(struct rmi_bus *bus, struct rmi_run_node *n) {
    unsigned watch = 0;
    RMI_LIST_FOREACH (node, next, &bus->taps) {
        const struct rm_tap *t = RMI_CONTAINER_OF(node, struct rm_tap, node);
        if (t->at == n)
            watch |= t->side;
    }
    atomic_store(&n->watch, watch);
}

static rm_err may_add(const struct rmi_bus *bus, const struct rm_tap *tap) {
    if (bus->closed)
        return RM_E_CLOSED;
    if (bus->count == RM_TAPS_MAX)
        return RM_E_LIMIT;
    RMI_LIST_FOREACH (node, next, &bus->taps) {
        const struct rm_tap *t = RMI_CONTAINER_OF(node, struct rm_tap, node);
        if (tap->config.intercept && t->config.intercept && t->at == tap->at && t->side == tap->side &&
            !strcmp(t->port, tap->port))
            return RM_E_EXISTS;
    }
    return RM_OK;
}

rm_err rm_stream_session_tap(rm_stream_session *session, const char *topic, const rm_tap_config *config, rm_tap **out) {
    rm_tap_config defaults;
    struct rmi_bus_address at = {0};
    struct rm_tap *tap = NULL;
    if (!session || !topic || !out)
        return RM_E_INVALID_ARG;
    rm_tap_config_init(&defaults);
    rm_err err = check_config(config ? config : &defaults);
    if (!err)
        err = rmi_bus_address(session, topic, &at);
    if (!err)
        err = make_tap(&at, config ? config : &defaults, &tap);
    if (err)
        return err;
    struct rmi_bus *bus = &session->bus;
    pthread_mutex_lock(&bus->mutex);
    err = may_add(bus, tap);
    if (!err) {
        tap->session = session;
        atomic_fetch_add(&tap->refs, 1);
        rmi_list_push_back(&bus->taps, &tap->node);
        bus->count++;
        count_watch(bus, tap->at);
        *out = tap;
    }
    pthread_mutex_unlock(&bus->mutex);
    if (err)
        unref(tap);
    return err;
}

rm_err rm_tap_recv(rm_tap *tap, rm_tap_item *item, int timeout_ms) {
    struct rm_tap *t = tap;
    if (!t || !item)
        return RM_E_INVALID_ARG;
    struct timespec deadline = rmi_run_timespec(rmi_run_now_us() + (int64_t)timeout_ms * US_PER_MS);
    bool expired = timeout_ms == 0;
    rm_err err = RM_OK;
    pthread_mutex_lock(&t->mutex);
    while (!err && t->count == 0) {
        if (!t->session)
            err = RM_E_CLOSED;
        else if (expired)
            err = timeout_ms ? RM_E_TIMEOUT : RM_E_AGAIN;
        else if (timeout_ms < 0)
            pthread_cond_wait(&t->changed, &t->mutex);
        else
            expired = pthread_cond_timedwait(&t->changed, &t->mutex, &deadline) != 0;
    }
    if (!err) {
        *item = t->ring[t->head];
        item->skipped = t->skipped;
        t->skipped = 0;
        t->bytes -= item->data ? item->size : 0;
        t->head = (t->head + 1) % t->config.ring_size;
        t->count--;
    }
    pthread_mutex_unlock(&t->mutex);
    return err;
}

rm_err rm_tap_answer(rm_tap *tap, uint64_t id, rm_tap_decision decision, rm_runtime_data *replacement) {
    struct rm_tap *t = tap;
    if (!t || decision < RM_TAP_PASS || decision > RM_TAP_DROP || (decision == RM_TAP_REPLACE && !replacement))
        return RM_E_INVALID_ARG;
    pthread_mutex_lock(&t->mutex);
    rm_err err = id && t->waiting == id && !t->decision ? RM_OK : RM_E_NOT_FOUND;
    if (!err) {
        t->decision = decision;
        if (decision == RM_TAP_REPLACE)
            t->replacement = rm_runtime_data_ref(replacement);
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->mutex);
    return err;
}

/* Out of the list of its session, if that has not been closed before. */
static void detach(struct rm_tap *t) {
    pthread_mutex_lock(&t->mutex);
    struct rm_stream_session *s = t->session; /* as long as this is set, the session has not come to its close */
    if (s)
        rmi_session_ref(s);
    pthread_mutex_unlock(&t->mutex);
    if (!s)
        return;
    pthread_mutex_lock(&s->bus.mutex);
    bool listed = t->node.next != NULL;
    if (listed) {
        rmi_list_remove(&t->node);
        s->bus.count--;
        count_watch(&s->bus, t->at);
    }
    pthread_mutex_unlock(&s->bus.mutex);
    if (listed)
        unref(t);
    rmi_session_unref(s);
}

void rm_tap_destroy(rm_tap **tap) {
    struct rm_tap *t = tap ? *tap : NULL;
    if (!t)
        return;
    *tap = NULL;
    detach(t);
    pthread_mutex_lock(&t->mutex);
    t->ended = true;
    pthread_cond_broadcast(&t->changed); /* an item that waits for an answer passes */
    while (t->telling && !pthread_equal(t->teller, pthread_self()))
        pthread_cond_wait(&t->changed, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
    unref(t);
}

/* ---- the session's side ---- */

/* Tells the subscriber that there is something. One thread at a time does so, once more for those who came meanwhile.
 */
static void tell(struct rm_tap *t) {
    if (!t->config.on_ready)
        return;
    pthread_mutex_lock(&t->mutex);
    t->tell_again = true;
    while (!t->telling && t->tell_again && !t->ended) {
        t->telling = true;
        t->tell_again = false;
        t->teller = pthread_self();
        pthread_mutex_unlock(&t->mutex);
        t->config.on_ready(t, t->config.user);
        pthread_mutex_lock(&t->mutex);
        t->telling = false;
        pthread_cond_broadcast(&t->changed);
    }
    pthread_mutex_unlock(&t->mutex);
}

/* The item's reference goes to the ring. */
static void put(struct rm_tap *t, rm_tap_item *item) {
    const size_t bytes = item->data ? item->size : 0;
    pthread_mutex_lock(&t->mutex);
    while (t->count > 0 && (t->count == t->config.ring_size || t->bytes + bytes > RM_TAP_BYTES_MAX)) {
        rm_tap_item oldest = t->ring[t->head];
        t->bytes -= oldest.data ? oldest.size : 0;
        t->head = (t->head + 1) % t->config.ring_size;
        t->count--;
        t->skipped++;
        pthread_mutex_unlock(&t->mutex);
        rm_tap_item_clear(&oldest); /* may run the application's code */
        pthread_mutex_lock(&t->mutex);
    }
    t->ring[(t->head + t->count++) % t->config.ring_size] = *item;
    t->bytes += bytes;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}

/* Sound and pictures lie in pools that nodes need back soon, so that a tap gets a copy. False: no memory. */
static bool describe(const struct rm_tap *t, rm_runtime_data *data, rm_tap_item *item) {
    const rm_audio *audio = rm_runtime_data_audio(data);
    const bool media = audio || rm_runtime_data_video(data);
    *item = (rm_tap_item){.type = rm_runtime_data_type(data), .time_us = rmi_run_now_us()};
    rm_runtime_data_bytes(data, &item->size);
    if (audio) {
        item->size = audio->sample_count * sizeof *audio->samples;
        item->sample_rate = audio->sample_rate;
        item->channels = audio->channels;
    }
    if (!media || t->config.intercept) {
        item->data = rm_runtime_data_ref(data); /* an intercepted one waits here anyway */
        return true;
    }
    return !t->config.media || rm_runtime_data_copy(data, &item->data) == RM_OK;
}

static void offer(struct rm_tap *t, rm_runtime_data *data) {
    rm_tap_item item;
    if (describe(t, data, &item)) {
        put(t, &item);
    } else {
        pthread_mutex_lock(&t->mutex);
        t->skipped++;
        pthread_mutex_unlock(&t->mutex);
    }
    tell(t);
}

/* What the subscriber decides within the deadline; the replacement is the caller's. */
static rm_tap_decision ask(struct rm_tap *t, rm_runtime_data *data, rm_runtime_data **replacement) {
    rm_tap_item item;
    struct timespec deadline = rmi_run_timespec(rmi_run_now_us() + (int64_t)t->config.deadline_ms * US_PER_MS);
    describe(t, data, &item);
    pthread_mutex_lock(&t->mutex);
    if (t->waiting || t->ended || !t->session) { /* a node that emits on several threads: only one waits */
        pthread_mutex_unlock(&t->mutex);
        rm_tap_item_clear(&item);
        return RM_TAP_PASS;
    }
    item.id = t->waiting = ++t->last_id;
    t->decision = (rm_tap_decision)0;
    pthread_mutex_unlock(&t->mutex);
    put(t, &item);
    tell(t);
    bool expired = false;
    pthread_mutex_lock(&t->mutex);
    while (!t->decision && !expired && !t->ended && t->session)
        expired = pthread_cond_timedwait(&t->changed, &t->mutex, &deadline) != 0;
    rm_tap_decision decision = t->decision ? t->decision : RM_TAP_PASS;
    *replacement = t->replacement;
    t->replacement = NULL;
    t->waiting = 0;
    pthread_mutex_unlock(&t->mutex);
    return decision;
}

/* References to the taps that look at this. */
static size_t find(struct rmi_run_node *n, enum rmi_bus_side side, const char *port, struct rm_tap **out) {
    struct rmi_bus *bus = &n->context.session->bus;
    size_t count = 0;
    pthread_mutex_lock(&bus->mutex);
    RMI_LIST_FOREACH (node, next, &bus->taps) {
        struct rm_tap *t = RMI_CONTAINER_OF(node, struct rm_tap, node);
        if (t->at == n && t->side == side && !strcmp(t->port, port)) {
            atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
            out[count++] = t;
        }
    }
    pthread_mutex_unlock(&bus->mutex);
    return count;
}

/* Puts what an intercept gave in the place of the item's data; a port's item is in an envelope. */
static void replace(rm_transport_data *item, const char *port, rm_runtime_data *replacement) {
    rm_runtime_data *data = NULL;
    if (!*port)
        data = rm_runtime_data_ref(replacement);
    else if (rm_runtime_data_create_aux(port, replacement, &data))
        return; /* not for a port: the item passes as it was */
    rm_runtime_data_unref(&item->data);
    item->data = data;
}

static rm_runtime_data *content(const rm_transport_data *item, const char *port) {
    rm_runtime_data *inner = NULL;
    return *port && !rm_runtime_data_aux_payload(item->data, &inner) ? inner : rm_runtime_data_ref(item->data);
}

bool rmi_bus_show(struct rmi_run_node *n, enum rmi_bus_side side, rm_transport_data *item) {
    struct rm_tap *taps[RM_TAPS_MAX];
    char port[RMI_BUS_PORT_MAX + 1] = "";
    const char *aux = rm_runtime_data_type(item->data) == RM_DATA_JSON ? rm_runtime_data_aux_port(item->data) : NULL;
    if (aux)
        strcpy(port, aux);
    const size_t count = find(n, side, port, taps);
    if (count == 0)
        return true;
    rm_tap_decision decision = RM_TAP_PASS;
    for (size_t i = 0; i < count && decision == RM_TAP_PASS; i++) {
        rm_runtime_data *replacement = NULL;
        if (!taps[i]->config.intercept)
            continue;
        rm_runtime_data *data = content(item, port);
        decision = ask(taps[i], data, &replacement);
        rm_runtime_data_unref(&data);
        if (decision == RM_TAP_REPLACE)
            replace(item, port, replacement);
        rm_runtime_data_unref(&replacement);
    }
    rm_runtime_data *data = decision == RM_TAP_DROP ? NULL : content(item, port);
    for (size_t i = 0; i < count; i++) {
        if (data && !taps[i]->config.intercept)
            offer(taps[i], data);
        unref(taps[i]);
    }
    rm_runtime_data_unref(&data);
    return decision != RM_TAP_DROP;
}

void rmi_bus_close(struct rm_stream_session *s) {
    struct rmi_bus *bus = &s->bus;
    struct rm_tap *taps[RM_TAPS_MAX];
    size_t count = 0;
    pthread_mutex_lock(&bus->mutex);
    bus->closed = true;
    struct rmi_list *node;
    while ((node = rmi_list_pop_front(&bus->taps))) {
        struct rm_tap *t = RMI_CONTAINER_OF(node, struct rm_tap, node);
        pthread_mutex_lock(&t->mutex);
        t->session = NULL;
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->mutex);
        taps[count++] = t;
    }
    bus->count = 0;
    pthread_mutex_unlock(&bus->mutex);
    for (size_t i = 0; i < count; i++) {
        tell(taps[i]);
        unref(taps[i]);
    }
}
