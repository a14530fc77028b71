/* SPDX-License-Identifier: Apache-2.0 */
/* A shared session as JSON:
 * {"version":1,"session_id":"mix","auto_peers":true,"members":["a"],"counters":{"inputs":7,...},"router":{...}}
 * members: those whom the application has added; router: see session/router_json.c. */
#include "webrtc/session_private.h"

#include "signaling/dialect.h"
#include <jansson.h>
#include <remotemedia/data_json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1

/* ---- writing ---- */

static json_t *number(uint64_t value) {
    return json_integer(value < INT64_MAX ? (json_int_t)value : INT64_MAX);
}

static json_t *write_router(const rm_session_router *router) {
    char *text = NULL;
    size_t size = 0;
    json_t *object = rm_session_router_save(router, &text, &size) ? NULL : json_loadb(text, size, 0, NULL);
    rm_json_free(&text);
    return object;
}

static json_t *write_members(const rm_webrtc_session *s) {
    json_t *list = json_array();
    for (size_t i = 0; i < s->member_count; i++)
        if (s->members[i]->added && json_array_append_new(list, json_string(s->members[i]->id))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* The name of each counter in the snapshot, and where it is. */
static uint64_t *counter(rm_webrtc_session *s, size_t index, const char **name) {
    static const char *const names[] = {"outputs", "unwanted", "sent", "failed", "held", "node_errors"};
    uint64_t *const places[] = {&s->outputs, &s->unwanted, &s->sent, &s->failed, &s->held, &s->node_errors};
    if (index >= sizeof names / sizeof names[0])
        return NULL;
    *name = names[index];
    return places[index];
}

static json_t *write_counters(rm_webrtc_session *s) {
    const uint64_t refused = atomic_load(&s->refused);
    const char *name = NULL;
    json_t *object =
        json_pack("{s:o,s:o}", "inputs", number(atomic_load(&s->sequence) - refused), "refused", number(refused));
    for (size_t i = 0; counter(s, i, &name); i++)
        json_object_set_new(object, name, number(*counter(s, i, &name)));
    return object;
}

rm_err rm_webrtc_session_save(rm_webrtc_session *session, char **out, size_t *size) {
    if (!session || !out)
        return RM_E_INVALID_ARG;
    pthread_mutex_lock(&session->mutex);
    json_t *root = json_pack("{s:i,s:s,s:b,s:o,s:o,s:o}", "version", VERSION, "session_id", session->id, "auto_peers",
                             session->auto_peers, "members", write_members(session), "counters",
                             write_counters(session), "router", write_router(session->router));
    pthread_mutex_unlock(&session->mutex);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (!text)
        return RM_E_NO_MEMORY;
    *out = text;
    if (size)
        *size = strlen(text);
    return RM_OK;
}

/* ---- reading ---- */

static rm_err fault(rm_err err, char *detail, size_t size, const char *text) {
    if (detail && size)
        snprintf(detail, size, "%s", text);
    return err;
}

static bool counters_good(const json_t *counters) {
    const char *name;
    json_t *value;
    if (!json_is_object(counters))
        return false;
    json_object_foreach((json_t *)counters, name, value) {
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return false;
    }
    return true;
}

static bool members_good(const json_t *members) {
    size_t i;
    json_t *value;
    bool good = json_is_array(members);
    json_array_foreach(members, i, value) good &= json_is_string(value) && rmi_sig_id_valid(json_string_value(value));
    return good;
}

static rm_err read_router(const json_t *object, rm_session_router **out, char *detail, size_t detail_size) {
    char *text = json_is_object(object) ? json_dumps(object, JSON_COMPACT) : NULL;
    if (!text)
        return fault(RM_E_PARSE, detail, detail_size, "router must be an object");
    const rm_err err = rm_session_router_restore(text, strlen(text), out, detail, detail_size);
    free(text);
    return err;
}

static rm_err read_all(struct rmi_session_snapshot *s, char *detail, size_t size) {
    const char *id = rmi_session_snapshot_id(s);
    if (json_integer_value(json_object_get(s->root, "version")) != VERSION)
        return fault(RM_E_PARSE, detail, size, "version must be 1");
    if (!id || !rmi_sig_id_valid(id))
        return fault(RM_E_PARSE, detail, size, "session_id: 1 to 64 characters of A-Z a-z 0-9 _ -");
    if (!json_is_boolean(json_object_get(s->root, "auto_peers")))
        return fault(RM_E_PARSE, detail, size, "auto_peers must be true or false");
    if (!members_good(json_object_get(s->root, "members")))
        return fault(RM_E_PARSE, detail, size, "members must be a list of peer ids");
    if (json_array_size(json_object_get(s->root, "members")) > RM_ROUTER_PEERS_MAX)
        return fault(RM_E_TOO_BIG, detail, size, "members: too many");
    if (!counters_good(json_object_get(s->root, "counters")))
        return fault(RM_E_PARSE, detail, size, "counters must be an object of whole numbers from 0");
    return read_router(json_object_get(s->root, "router"), &s->router, detail, size);
}

rm_err rmi_session_read(const char *text, size_t size, struct rmi_session_snapshot *out, char *detail,
                        size_t detail_size) {
    json_error_t error;
    if (size > RM_ROUTER_JSON_MAX)
        return fault(RM_E_TOO_BIG, detail, detail_size, "the snapshot is longer than 1 MiB");
    *out = (struct rmi_session_snapshot){.root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error)};
    if (!out->root)
        return fault(RM_E_PARSE, detail, detail_size, error.text);
    const rm_err err = read_all(out, detail, detail_size);
    if (err)
        rmi_session_snapshot_fini(out);
    return err;
}

void rmi_session_snapshot_fini(struct rmi_session_snapshot *snapshot) {
    json_decref(snapshot->root);
    snapshot->root = NULL;
    rm_session_router_destroy(&snapshot->router);
}

const char *rmi_session_snapshot_id(const struct rmi_session_snapshot *snapshot) {
    return json_string_value(json_object_get(snapshot->root, "session_id"));
}

static uint64_t read_counter(const json_t *counters, const char *name) {
    return (uint64_t)json_integer_value(json_object_get(counters, name)); /* 0: a snapshot without it */
}

rm_err rmi_session_apply(rm_webrtc_session *s, struct rmi_session_snapshot *snapshot) {
    const json_t *counters = json_object_get(snapshot->root, "counters"),
                 *members = json_object_get(snapshot->root, "members");
    const char *name = NULL;
    s->router = snapshot->router;
    snapshot->router = NULL;
    s->auto_peers = json_is_true(json_object_get(snapshot->root, "auto_peers"));
    atomic_store(&s->refused, read_counter(counters, "refused"));
    atomic_store(&s->sequence, read_counter(counters, "inputs") + read_counter(counters, "refused"));
    for (size_t i = 0; counter(s, i, &name); i++)
        *counter(s, i, &name) = read_counter(counters, name);
    for (size_t i = 0; i < json_array_size(members); i++) {
        const char *id = json_string_value(json_array_get(members, i));
        const rm_err err = rmi_session_find_member(s, id) ? RM_OK : rmi_session_new_member(s, id, true, NULL);
        if (err)
            return err == RM_E_LIMIT ? RM_E_TOO_BIG : err;
    }
    return RM_OK;
}
