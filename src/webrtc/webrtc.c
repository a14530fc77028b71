/* SPDX-License-Identifier: Apache-2.0 */
/* The public transport: life cycle, commands to the network thread, events and pictures from it. */
#include "webrtc/control.h"
#include "webrtc/webrtc_private.h"

#include "io/priority.h"
#include "io/random.h"
#include "peer/access.h"
#include "signaling/dialect.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t log_now(void *ctx) {
    (void)ctx;
    return rmi_now_us();
}

static rm_err create_log(struct rm_webrtc *t) {
    const char *spec = t->config.log_spec ? t->config.log_spec : getenv("RM_LOG");
    struct rmi_log_config lc = {.sink = t->config.on_log,
                                .sink_user = t->config.user,
                                .now = log_now,
                                .level = t->config.log_level,
                                .spec = spec};
    rm_err err = rmi_log_create(&lc, &t->log);
    if (err != RM_E_PARSE)
        return err;
    lc.spec = NULL;
    err = rmi_log_create(&lc, &t->log);
    rmi_log(t->log, RMI_LOG_APP, RM_LOG_WARN,
            "log levels \"%.200s\" not understood; write e.g. info or ice:debug,dtls:trace", spec);
    return err;
}

struct command {
    struct rmi_list node; /* in t->commands: a loop that ends drops what was posted, and someone must free it */
    struct rm_webrtc *t;
    rm_err (*call)(struct rmi_endpoint *, int64_t, const char *); /* NULL: set_access with `access` */
    char peer_id[RM_PEER_ID_MAX];
    struct rmi_access access;
};

static void free_command(struct command *c) {
    rmi_access_fini(&c->access);
    free(c);
}

static void free_all(struct rm_webrtc *t) {
    RMI_LIST_FOREACH (node, next, &t->commands) {
        free_command(RMI_CONTAINER_OF(node, struct command, node));
    }
    rmi_serve_free(&t->serve);
    rmi_media_destroy(&t->media);
    rmi_execute_destroy(&t->execute);
    rmi_control_destroy(&t->control);
    rmi_data_destroy(&t->data);
    rmi_mailbox_destroy(&t->events);
    rmi_log_destroy(&t->log);
    rmi_webrtc_config_free(&t->config);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

rm_err rm_webrtc_create(const rm_webrtc_config *config, rm_webrtc **out) {
    if (!config || !out)
        return RM_E_INVALID_ARG;
    char faults[1024];
    rm_err err = rm_webrtc_config_check(config, faults, sizeof faults);
    struct rm_webrtc *t = err == RM_E_CONFIG && config->struct_size != sizeof *config ? NULL : calloc(1, sizeof *t);
    if (!t)
        return err ? err : RM_E_NO_MEMORY;
    rmi_list_init(&t->commands);
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->changed, NULL);
    rm_err made = rmi_webrtc_config_copy(config, &t->config);
    if (!made)
        made = create_log(t);
    if (!made && err)
        rmi_log(t->log, RMI_LOG_APP, RM_LOG_ERROR, "configuration: %s", faults);
    if (!made && !t->config.on_event)
        made = rmi_mailbox_create(sizeof(rm_event), RMI_WEBRTC_EVENTS_MAX, &t->events);
    if (!made && !err)
        made = rmi_media_create(t, &t->media);
    if (!made && !err)
        made = rmi_data_create(t, &t->data);
    if (!made && !err)
        made = rmi_control_create(t, &t->control);
    if (!made && !err)
        made = rmi_execute_create(t, &t->execute);
    if (made || err) {
        free_all(t);
        return err ? err : made;
    }
    if (t->config.peer_id) {
        snprintf(t->peer_id, sizeof t->peer_id, "%s", t->config.peer_id);
    } else {
        struct rmi_rng rng = rmi_system_rng();
        char uuid[37];
        rmi_rng_uuid(&rng, uuid);
        snprintf(t->peer_id, sizeof t->peer_id, "peer-%s", uuid);
    }
    *out = t;
    return RM_OK;
}

static void *network_main(void *ctx) {
    struct rm_webrtc *t = ctx;
    pthread_mutex_lock(&t->mutex); /* rm_webrtc_start holds it until t->thread is known, which callbacks rely on */
    pthread_mutex_unlock(&t->mutex);
    rmi_prefer_this_thread();
    rmi_webrtc_net_run(t);
    /* From here on commands are refused, and whoever waits for an answer wakes up. */
    pthread_mutex_lock(&t->mutex);
    t->stopped = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
    rmi_webrtc_net_close(t);
    rm_event ev = {.type = RM_EV_STOPPED};
    rmi_webrtc_emit(t, &ev);
    if (t->events)
        rmi_mailbox_close(t->events);
    pthread_mutex_lock(&t->mutex);
    bool free_here = t->free_at_end;
    pthread_mutex_unlock(&t->mutex);
    if (free_here)
        free_all(t);
    return NULL;
}

rm_err rm_webrtc_start(rm_webrtc *t) {
    if (!t)
        return RM_E_INVALID_ARG;
    pthread_mutex_lock(&t->mutex);
    bool again = t->started;
    t->started = true;
    pthread_mutex_unlock(&t->mutex);
    if (again)
        return RM_E_STATE;
    if (t->config.max_peers > RM_PEERS_MESH && !t->serve) /* a server's clients are no mesh */
        rmi_log(t->log, RMI_LOG_APP, RM_LOG_WARN,
                "max_peers is %u: in a mesh each peer sends to each of the others; %d are what it is made for",
                t->config.max_peers, RM_PEERS_MESH);
    rm_err err = rmi_webrtc_net_open(t);
    pthread_mutex_lock(&t->mutex);
    if (!err && pthread_create(&t->thread, NULL, network_main, t))
        err = RM_E_IO;
    t->has_thread = !err;
    t->stopped = err != RM_OK;
    pthread_mutex_unlock(&t->mutex);
    if (err)
        rmi_webrtc_net_close(t);
    return err;
}

bool rmi_webrtc_on_network_thread(const struct rm_webrtc *t) {
    return t->has_thread && pthread_equal(pthread_self(), t->thread);
}

/* With the mutex held, so that the loop cannot go away in between. RM_E_STATE, RM_E_CLOSED, RM_E_NO_MEMORY. */
static rm_err post_locked(struct rm_webrtc *t, rmi_loop_fn fn, void *arg) {
    return !t->has_thread ? RM_E_STATE : t->stopped ? RM_E_CLOSED : rmi_loop_post(t->loop, fn, arg);
}

void rm_webrtc_shutdown(rm_webrtc *t) {
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    if (t->has_thread && !t->stopped && !t->shutdown_asked)
        t->shutdown_asked = rmi_loop_post(t->loop, rmi_webrtc_net_shutdown, t) == RM_OK;
    pthread_mutex_unlock(&t->mutex);
}

/* Never started, and destroyed inside a callback of a session, whose end has to be waited for. */
static void *free_main(void *ctx) {
    free_all(ctx);
    return NULL;
}

void rm_webrtc_destroy(rm_webrtc **pt) {
    struct rm_webrtc *t = pt ? *pt : NULL;
    if (!t)
        return;
    *pt = NULL;
    atomic_store(&t->destroying, true);
    rm_webrtc_shutdown(t);
    if (!t->has_thread) {
        if (!rmi_media_in_callback(t->media))
            free_all(t);
        else if (!pthread_create(&t->thread, NULL, free_main, t)) /* without a thread nobody can wait: it stays */
            pthread_detach(t->thread);
    } else if (rmi_webrtc_on_network_thread(t) || rmi_media_in_callback(t->media)) {
        pthread_detach(t->thread);
        pthread_mutex_lock(&t->mutex);
        t->free_at_end = true;
        pthread_mutex_unlock(&t->mutex);
    } else {
        pthread_join(t->thread, NULL);
        free_all(t);
    }
}

const char *rm_webrtc_local_peer_id(const rm_webrtc *t) {
    return t ? t->peer_id : "";
}

/* ---- commands ---- */

static void run_command(void *ctx) {
    struct command *c = ctx;
    pthread_mutex_lock(&c->t->mutex);
    rmi_list_remove(&c->node);
    pthread_mutex_unlock(&c->t->mutex);
    rm_err err = c->call ? c->call(c->t->ep, rmi_now_us(), c->peer_id)
                         : rmi_endpoint_set_access(c->t->ep, rmi_now_us(), c->access.allowed, c->access.denied);
    if (err) {
        rm_event ev = {.type = RM_EV_ERROR, .err = err};
        snprintf(ev.peer_id, sizeof ev.peer_id, "%s", c->peer_id);
        snprintf(ev.detail, sizeof ev.detail, "%s", rm_strerror(err));
        rmi_webrtc_emit(c->t, &ev);
    }
    rmi_webrtc_after(c->t);
    free_command(c);
}

/* Takes the command; it is done after what the loop does now, as callbacks may call from within the endpoint. */
static rm_err post_command(struct rm_webrtc *t, struct command *c) {
    c->t = t;
    pthread_mutex_lock(&t->mutex);
    rm_err err = post_locked(t, run_command, c);
    if (!err)
        rmi_list_push_back(&t->commands, &c->node);
    pthread_mutex_unlock(&t->mutex);
    if (err)
        free_command(c);
    return err;
}

static rm_err command(struct rm_webrtc *t, const char *peer_id,
                      rm_err (*call)(struct rmi_endpoint *, int64_t, const char *)) {
    if (!t || !peer_id || !rmi_sig_id_valid(peer_id))
        return RM_E_INVALID_ARG;
    struct command *c = calloc(1, sizeof *c);
    if (!c)
        return RM_E_NO_MEMORY;
    c->call = call;
    snprintf(c->peer_id, sizeof c->peer_id, "%s", peer_id);
    return post_command(t, c);
}

rm_err rm_webrtc_set_peer_access(rm_webrtc *t, const char *allowed_peers, const char *denied_peers) {
    struct command *c = t ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return t ? RM_E_NO_MEMORY : RM_E_INVALID_ARG;
    rm_err err = rmi_access_set(&c->access, allowed_peers, denied_peers);
    if (err) {
        free_command(c);
        return err;
    }
    return post_command(t, c);
}

rm_err rm_webrtc_connect_peer(rm_webrtc *t, const char *peer_id) {
    return command(t, peer_id, rmi_endpoint_connect_peer);
}
rm_err rm_webrtc_disconnect_peer(rm_webrtc *t, const char *peer_id) {
    return command(t, peer_id, rmi_endpoint_disconnect_peer);
}
rm_err rm_webrtc_restart_ice(rm_webrtc *t, const char *peer_id) {
    return command(t, peer_id, rmi_endpoint_restart_ice);
}

rm_err rm_webrtc_poll(rm_webrtc *t, rm_event *event, int timeout_ms) {
    if (!t || !event)
        return RM_E_INVALID_ARG;
    if (!t->events)
        return RM_E_STATE;
    return rmi_mailbox_pop(t->events, event, timeout_ms);
}

int rm_webrtc_fd(const rm_webrtc *t) {
    return t && t->events ? rmi_mailbox_fd(t->events) : -1;
}

/* ---- questions to the network thread ---- */

struct question {
    struct rm_webrtc *t;
    void (*answer)(void *ctx);
    void *ctx;
    bool done;
};

static void run_question(void *ctx) {
    struct question *q = ctx;
    q->answer(q->ctx);
    pthread_mutex_lock(&q->t->mutex);
    q->done = true;
    pthread_cond_broadcast(&q->t->changed);
    pthread_mutex_unlock(&q->t->mutex);
}

rm_err rmi_webrtc_call(struct rm_webrtc *t, void (*answer)(void *ctx), void *ctx) {
    if (rmi_webrtc_on_network_thread(t)) {
        if (!t->ep)
            return RM_E_CLOSED; /* inside the callback of RM_EV_STOPPED */
        answer(ctx);
        return RM_OK;
    }
    struct question q = {.t = t, .answer = answer, .ctx = ctx};
    pthread_mutex_lock(&t->mutex);
    rm_err err = post_locked(t, run_question, &q);
    while (!err && !q.done && !t->stopped)
        pthread_cond_wait(&t->changed, &t->mutex);
    bool done = q.done;
    pthread_mutex_unlock(&t->mutex);
    return err ? err : done ? RM_OK : RM_E_CLOSED; /* the loop ended first and drops what was posted */
}

struct picture {
    struct rm_webrtc *t;
    rm_peer_info *out;
    size_t cap, count;
};

static void take_picture(void *ctx) {
    struct picture *p = ctx;
    p->count = rmi_endpoint_snapshot_count(p->t->ep);
    struct rmi_peer_snapshot s;
    for (size_t i = 0; i < p->count && i < p->cap; i++)
        if (rmi_endpoint_snapshot(p->t->ep, i, &s))
            rmi_webrtc_fill_info(p->t, &s, &p->out[i]);
}

rm_err rm_webrtc_peers(rm_webrtc *t, rm_peer_info *out, size_t cap, size_t *count) {
    if (!t || !count || (cap && !out))
        return RM_E_INVALID_ARG;
    struct picture p = {.t = t, .out = out, .cap = cap};
    rm_err err = rmi_webrtc_call(t, take_picture, &p);
    if (!err)
        *count = p.count;
    return err;
}
