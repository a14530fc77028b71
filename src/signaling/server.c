/* SPDX-License-Identifier: Apache-2.0 */
#include "server_private.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PEERS 10
#define MAX_PEERS_LIMIT 256 /* more could not be listed to a client within its limits */
#define MAX_CONNECTIONS 1024
#define PING_INTERVAL_US RMI_SEC(15)
#define GHOST_PINGS 2
#define ANNOUNCE_TIMEOUT_US RMI_SEC(10) /* timeout of the RemoteMedia signaling protocol */
#define ANSWER_TIMEOUT_US RMI_SEC(30)   /* likewise */
/* A mesh of ten that starts anew sends about 9 x (offer + 20 candidates) a peer at once. */
#define RATE_BURST 500
#define RATE_PER_SECOND 200
/* A message also costs its size: 500 of the largest ones in a row would be 128 MB to parse. */
#define BYTES_PER_TOKEN 16384

void rmi_sig_server_config_init(struct rmi_sig_server_config *config) {
    *config = (struct rmi_sig_server_config){
        .max_peers = MAX_PEERS,
        .max_connections = MAX_CONNECTIONS,
        .ping_interval_us = PING_INTERVAL_US,
        .announce_timeout_us = ANNOUNCE_TIMEOUT_US,
        .rate_per_second = RATE_PER_SECOND,
        .rate_burst = RATE_BURST,
        .mode = {.answer_timeout_us = ANSWER_TIMEOUT_US},
    };
}

static bool config_ok(const struct rmi_sig_server_config *config) {
    return config->max_peers >= 1 && config->max_peers <= MAX_PEERS_LIMIT && config->max_connections >= 1 &&
           config->ping_interval_us > 0 && config->announce_timeout_us > 0 && config->rate_per_second >= 1 &&
           config->rate_per_second <= RMI_SEC(1) && config->rate_burst >= 1 && config->cb.send && config->cb.close &&
           (!config->mode.peer_id || (rmi_sig_id_valid(config->mode.peer_id) && config->mode.answer_timeout_us > 0)) &&
           (!config->token || strnlen(config->token, RMI_SIG_MAX_TOKEN + 1) <= RMI_SIG_MAX_TOKEN);
}

rm_err rmi_sig_server_create(const struct rmi_sig_server_config *config, struct rmi_sig_server **out) {
    if (!config_ok(config))
        return RM_E_INVALID_ARG;
    struct rmi_sig_server *s = calloc(1, sizeof *s);
    if (!s)
        return RM_E_NO_MEMORY;
    s->config = *config;
    rmi_list_init(&s->rooms);
    s->next_id = 1;
    s->own_took = UINT64_MAX;
    s->deadline = RMI_NEVER;
    if (config->token && !(s->token = strdup(config->token))) {
        rmi_sig_server_destroy(&s);
        return RM_E_NO_MEMORY;
    }
    s->config.token = s->token;
    if (config->mode.peer_id)
        strcpy(s->own_id, config->mode.peer_id);
    *out = s;
    return RM_OK;
}

static void free_conn(struct conn *c) {
    json_decref(c->user_data);
    json_decref(c->offer_id);
    json_decref(c->early);
    free(c);
}

void rmi_sig_server_destroy(struct rmi_sig_server **server) {
    struct rmi_sig_server *s = server ? *server : NULL;
    if (!s)
        return;
    *server = NULL;
    for (size_t i = 0; i < s->count; i++)
        free_conn(s->conns[i]);
    RMI_LIST_FOREACH (at, next, &s->rooms) {
        free(RMI_CONTAINER_OF(at, struct room, node));
    }
    free(s->conns);
    free(s->token);
    free(s);
}

/* Index of the first connection whose id is not below `id`. */
static size_t lower_bound(const struct rmi_sig_server *s, uint64_t id) {
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (s->conns[mid]->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct conn *find(const struct rmi_sig_server *s, uint64_t id) {
    const size_t at = lower_bound(s, id);
    return at < s->count && s->conns[at]->id == id && !s->conns[at]->dead ? s->conns[at] : NULL;
}

struct room *rmi_sig_server_room(struct rmi_sig_server *s, const char *name, bool create) {
    RMI_LIST_FOREACH (at, next, &s->rooms) {
        struct room *room = RMI_CONTAINER_OF(at, struct room, node);
        if (strcmp(room->name, name) == 0)
            return room;
    }
    struct room *room = create ? calloc(1, sizeof *room) : NULL;
    if (!room)
        return NULL;
    strcpy(room->name, name);
    rmi_list_init(&room->members);
    rmi_list_push_back(&s->rooms, &room->node);
    s->room_count++;
    return room;
}

struct conn *rmi_sig_server_member(const struct room *room, const char *peer_id) {
    RMI_LIST_FOREACH (at, next, &room->members) {
        struct conn *c = RMI_CONTAINER_OF(at, struct conn, member);
        if (!c->dead && strcmp(c->peer_id, peer_id) == 0)
            return c;
    }
    return NULL;
}

void rmi_sig_server_say(struct rmi_sig_server *s, struct conn *c, char *text, size_t len) {
    if (text && !c->dead) {
        s->stats.messages_out++;
        s->own_sent += c->own;
        s->config.cb.send(s->config.cb.ctx, c->id, text, len);
    }
    free(text);
}

void rmi_sig_server_notify(struct rmi_sig_server *s, struct conn *c, enum rmi_sig_method what, json_t *params) {
    size_t len = 0;
    char *text = rmi_rpc_write_notification(c->dialect->methods[what], params, &len);
    rmi_sig_server_say(s, c, text, len);
}

static void tell_about(struct rmi_sig_server *s, struct conn *c, const struct conn *about, enum rmi_sig_method what) {
    if (c == about || c->dead)
        return;
    json_t *p = json_object();
    json_object_set_new(p, "peer_id", json_string(about->peer_id));
    if (what == RMI_SIG_M_JOINED) {
        json_object_set_new(p, "capabilities", rmi_sig_caps_write(c->dialect, about->capabilities));
        json_object_set_new(p, "metadata", about->user_data ? json_incref(about->user_data) : json_object());
    }
    rmi_sig_server_notify(s, c, what, p);
}

void rmi_sig_server_tell_room(struct rmi_sig_server *s, const struct conn *about, enum rmi_sig_method what) {
    RMI_LIST_FOREACH (at, next, &about->room->members) {
        tell_about(s, RMI_CONTAINER_OF(at, struct conn, member), about, what);
    }
    if (s->own && s->own->room)
        tell_about(s, s->own, about, what);
}

static void mark_dead(struct rmi_sig_server *s, struct conn *c) {
    c->dead = true;
    s->sweep_due = true;
}

void rmi_sig_server_kick(struct rmi_sig_server *s, struct conn *c, int code, const char *reason) {
    if (c->dead)
        return;
    rmi_log(s->config.log, RMI_LOG_SIGNALING, RM_LOG_INFO, "connection %llu peer=%s closed: %d %s",
            (unsigned long long)c->id, c->room ? c->peer_id : "-", code, reason);
    mark_dead(s, c);
    s->config.cb.close(s->config.cb.ctx, c->id, code, reason);
}

void rmi_sig_server_replace(struct rmi_sig_server *s, struct conn *c) {
    rmi_list_remove(&c->member);
    c->room->count--;
    c->room = NULL;
    s->stats.peers--;
    rmi_sig_server_kick(s, c, RMI_SIG_CLOSE_POLICY, "replaced by a newer connection");
}

/* Take one dead connection out and tell its room, which may kill further ones. */
static void bury(struct rmi_sig_server *s, size_t index) {
    struct conn *c = s->conns[index];
    s->count--;
    memmove(&s->conns[index], &s->conns[index + 1], (s->count - index) * sizeof s->conns[0]);
    if (c == s->own)
        s->own = NULL;
    if (c->room) {
        struct room *room = c->room;
        rmi_list_remove(&c->member);
        room->count--;
        s->stats.peers--;
        rmi_sig_server_tell_room(s, c, RMI_SIG_M_LEFT);
        if (rmi_sig_server_has_own(s) && !c->own && s->config.mode.left)
            s->config.mode.left(s->config.mode.ctx, c->peer_id);
        if (room->count == 0) {
            rmi_list_remove(&room->node);
            s->room_count--;
            free(room);
        }
    }
    free_conn(c);
}

static void enter(struct rmi_sig_server *s) {
    s->depth++;
}

static void leave(struct rmi_sig_server *s) {
    while (s->depth == 1 && s->sweep_due) {
        s->sweep_due = false;
        for (size_t i = s->count; i-- > 0;) {
            if (i < s->count && s->conns[i]->dead)
                bury(s, i);
        }
    }
    s->depth--;
}

static rm_err add_conn(struct rmi_sig_server *s, int64_t now_us, struct conn **out) {
    if (s->count == s->capacity) {
        const size_t capacity = s->capacity ? s->capacity * 2 : 16;
        struct conn **grown = realloc(s->conns, capacity * sizeof *grown);
        if (!grown)
            return RM_E_NO_MEMORY;
        s->conns = grown;
        s->capacity = capacity;
    }
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        return RM_E_NO_MEMORY;
    c->id = s->next_id++;
    c->opened_us = c->tokens_at_us = now_us;
    c->next_ping_us = now_us + s->config.ping_interval_us;
    c->tokens_us = (int64_t)s->config.rate_burst * (RMI_SEC(1) / s->config.rate_per_second);
    c->dialect = &rmi_sig_dialect_peer;
    c->offer_until_us = RMI_NEVER;
    s->conns[s->count++] = c;
    *out = c;
    return RM_OK;
}

rm_err rmi_sig_server_open(struct rmi_sig_server *s, int64_t now_us, uint64_t *conn) {
    struct conn *c;
    if (s->count >= s->config.max_connections) {
        s->stats.refused++;
        return RM_E_LIMIT;
    }
    rm_err err = add_conn(s, now_us, &c);
    if (err)
        return err;
    s->deadline = rmi_min64(s->deadline, rmi_min64(c->next_ping_us, now_us + s->config.announce_timeout_us));
    *conn = c->id;
    return RM_OK;
}

rm_err rmi_sig_server_open_own(struct rmi_sig_server *s, int64_t now_us, uint64_t *conn) {
    if (!rmi_sig_server_has_own(s) || s->own)
        return RM_E_STATE;
    rm_err err = add_conn(s, now_us, &s->own);
    if (err)
        return err;
    s->own->own = true;
    *conn = s->own->id;
    return RM_OK;
}

void rmi_sig_server_own_took(struct rmi_sig_server *s, uint64_t messages) {
    s->own_took = messages;
}

rm_err rmi_sig_server_tell(struct rmi_sig_server *s, const char *peer_id, const char *method, json_t *params) {
    struct conn *c = rmi_sig_server_anywhere(s, peer_id);
    size_t len = 0;
    if (!c) {
        json_decref(params);
        return RM_E_NOT_FOUND;
    }
    char *text = rmi_rpc_write_notification(method, params, &len);
    enter(s);
    rmi_sig_server_say(s, c, text, len);
    leave(s);
    return RM_OK;
}

void rmi_sig_server_offer_failed(struct rmi_sig_server *s, const char *peer_id, const char *reason) {
    struct conn *c = rmi_sig_server_anywhere(s, peer_id);
    enter(s);
    if (c)
        (void)rmi_sig_server_refuse_offer(s, c, reason);
    leave(s);
}

rm_err rmi_sig_server_conn_of(const struct rmi_sig_server *s, const char *peer_id, uint64_t *conn) {
    const struct conn *c = rmi_sig_server_anywhere(s, peer_id);
    if (!c)
        return RM_E_NOT_FOUND;
    *conn = c->id;
    return RM_OK;
}

/* Token bucket, kept in time: one token is worth 1 s / rate. */
static bool within_rate(const struct rmi_sig_server *s, struct conn *c, int64_t now_us, size_t len) {
    const int64_t token_us = RMI_SEC(1) / s->config.rate_per_second;
    const int64_t full_us = (int64_t)s->config.rate_burst * token_us;
    c->tokens_us = rmi_min64(full_us, c->tokens_us + rmi_max64(0, now_us - c->tokens_at_us));
    c->tokens_at_us = now_us;
    c->tokens_us -= token_us * (int64_t)(1 + len / BYTES_PER_TOKEN);
    return c->tokens_us >= 0;
}

void rmi_sig_server_input(struct rmi_sig_server *s, int64_t now_us, uint64_t conn, const char *text, size_t len) {
    struct conn *c = find(s, conn);
    if (!c)
        return;
    enter(s);
    s->stats.messages_in++;
    c->silent_pings = 0;
    if (c->own || within_rate(s, c, now_us, len)) {
        rmi_sig_server_handle(s, now_us, c, text, len);
    } else {
        s->stats.rate_limited++;
        rmi_sig_server_kick(s, c, RMI_SIG_CLOSE_POLICY, "too many messages");
    }
    leave(s);
}

void rmi_sig_server_activity(struct rmi_sig_server *s, int64_t now_us, uint64_t conn) {
    (void)now_us;
    struct conn *c = find(s, conn);
    if (c)
        c->silent_pings = 0;
}

void rmi_sig_server_closed(struct rmi_sig_server *s, int64_t now_us, uint64_t conn) {
    (void)now_us;
    struct conn *c = find(s, conn);
    if (!c)
        return;
    enter(s);
    mark_dead(s, c);
    leave(s);
}

int64_t rmi_sig_server_next_deadline(const struct rmi_sig_server *s) {
    return s->deadline;
}

/* A ghost is found by pings it did not answer, not by the time that passed: after a pause of the whole process
 * everybody has been silent for long, and nobody is dead. */
static void check(struct rmi_sig_server *s, int64_t now_us, struct conn *c) {
    rmi_sig_server_expire_offer(s, now_us, c);
    if (c->own)
        return;
    if (!c->room && now_us - c->opened_us >= s->config.announce_timeout_us) {
        rmi_sig_server_kick(s, c, RMI_SIG_CLOSE_POLICY, "no announcement in time");
    } else if (now_us >= c->next_ping_us && c->silent_pings >= GHOST_PINGS) {
        s->stats.ghosts++;
        rmi_sig_server_kick(s, c, RMI_SIG_CLOSE_GOING_AWAY, "no sign of life");
    } else if (now_us >= c->next_ping_us) {
        c->silent_pings++;
        c->next_ping_us = now_us + s->config.ping_interval_us;
        if (s->config.cb.ping)
            s->config.cb.ping(s->config.cb.ctx, c->id);
    }
}

void rmi_sig_server_timeout(struct rmi_sig_server *s, int64_t now_us) {
    enter(s);
    for (size_t i = 0; i < s->count; i++)
        if (!s->conns[i]->dead)
            check(s, now_us, s->conns[i]);
    leave(s);
    s->deadline = RMI_NEVER;
    for (size_t i = 0; i < s->count; i++) {
        const struct conn *c = s->conns[i];
        const int64_t announce = c->room ? RMI_NEVER : c->opened_us + s->config.announce_timeout_us;
        if (!c->own)
            s->deadline = rmi_min64(s->deadline, rmi_min64(c->next_ping_us, announce));
        s->deadline = rmi_min64(s->deadline, c->offer_until_us);
    }
}

void rmi_sig_server_stats(const struct rmi_sig_server *s, struct rmi_sig_server_stats *out) {
    *out = s->stats;
    out->connections = s->count;
    out->rooms = s->room_count;
}
