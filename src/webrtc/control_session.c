/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer asks of the pipeline session it has here. */
#include "webrtc/control.h"

#include "frame/json_text.h"
#include "runtime/manifest_json.h"
#include "runtime/runner.h"
#include "webrtc/media_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A reference to the peer if it has a pipeline here. */
static struct rmi_media_peer *find(struct rmi_media *m, const char *peer_id) {
    pthread_mutex_lock(&m->mutex);
    const bool pipeline = m->manifest != NULL;
    pthread_mutex_unlock(&m->mutex);
    return pipeline ? rmi_media_find(m, peer_id) : NULL;
}

rm_err rmi_control_reconfigure(struct rmi_media *m, const char *peer_id, rm_runtime_data *action) {
    struct rmi_media_peer *p = find(m, peer_id);
    if (!p)
        return RM_E_STATE;
    rm_err err = RM_OK;
    struct rmi_media_request *r = calloc(1, sizeof *r);
    pthread_mutex_lock(&p->mutex);
    if (!r || p->request_count == RMI_MEDIA_REQUESTS) {
        err = r ? RM_E_LIMIT : RM_E_NO_MEMORY;
        free(r);
    } else {
        r->action = rm_runtime_data_ref(action);
        rmi_list_push_back(&p->requests, &r->node);
        p->request_count++;
        p->woken = true;
        pthread_cond_broadcast(&p->wake);
    }
    pthread_mutex_unlock(&p->mutex);
    rmi_media_peer_unref(p);
    return err;
}

rm_err rmi_control_pause(struct rmi_media *m, const char *peer_id, bool pause) {
    struct rmi_media_peer *p = find(m, peer_id);
    if (!p)
        return RM_E_STATE;
    if (atomic_exchange(&p->paused, pause) && !pause) {
        /* Neither side's decoder has seen what was left out. */
        struct rmi_media_track *own = &p->own[RMI_RTP_VIDEO];
        atomic_fetch_or(&own->keys, atomic_load(&own->formats));
        atomic_store(&p->ask_key, true);
        rmi_media_ask_network(m, false);
    }
    rmi_media_peer_unref(p);
    return RM_OK;
}

static json_t *node_names(const rm_manifest *manifest) {
    json_t *names = json_array();
    rm_manifest_node node;
    for (size_t i = 0; names && !rm_manifest_get_node(manifest, i, &node); i++)
        json_array_append_new(names, json_string(node.id));
    return names;
}

json_t *rmi_control_nodes(struct rmi_media *m, const char *peer_id, bool *paused) {
    struct rmi_media_peer *p = rmi_media_find(m, peer_id);
    if (!p)
        return NULL;
    pthread_mutex_lock(&p->mutex);
    rm_manifest *manifest = p->session_manifest ? rm_manifest_ref(p->session_manifest) : NULL;
    pthread_mutex_unlock(&p->mutex);
    *paused = atomic_load(&p->paused);
    rmi_media_peer_unref(p);
    json_t *names = manifest ? node_names(manifest) : NULL;
    rm_manifest_unref(&manifest);
    return names;
}

/* ---- on the lane ---- */

/* The running manifest's text with other params of one node. NULL: `faults` says why. */
static char *changed_text(struct rmi_media_peer *p, const json_t *action, json_t *faults) {
    const char *id = json_string_value(json_object_get(action, "node_id"));
    json_t *params = json_object_get(action, "params"), *found = NULL;
    if (!id || !json_is_object(params)) {
        json_array_append_new(faults, json_string("neither \"manifest\", nor \"node_id\" and an object \"params\""));
        return NULL;
    }
    json_t *doc = p->session_manifest ? json_deep_copy(rmi_manifest_json(p->session_manifest)) : NULL;
    json_t *nodes = json_object_get(doc, "nodes"), *node;
    size_t i;
    json_array_foreach(nodes, i, node) {
        const char *name = json_string_value(json_object_get(node, "id"));
        found = name && !strcmp(name, id) ? node : found;
    }
    if (!found)
        json_array_append_new(faults, json_sprintf("node_id: there is no node \"%.64s\"", id));
    else if (json_is_object(json_object_get(found, "params")))
        json_object_update(json_object_get(found, "params"), params);
    else
        json_object_set(found, "params", params);
    char *text = found ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);
    return text;
}

static void take_fault(const rm_manifest_fault *fault, void *user) {
    if (!fault->warning)
        json_array_append_new(user, json_string(fault->text));
}

static rm_manifest *parse(struct rmi_media_peer *p, const char *text, rm_err *err, json_t *faults) {
    const size_t blank = strspn(text, " \t\r\n");
    rm_manifest *manifest = NULL;
    rm_manifest_options o;
    rm_manifest_options_init(&o);
    o.format = text[blank] == '{' ? RM_MANIFEST_JSON : RM_MANIFEST_YAML;
    o.on_fault = take_fault;
    o.user = faults;
    pthread_mutex_lock(&p->media->pipeline_mutex); /* so that the registry stays */
    if (p->media->runner) {
        o.registry = rmi_runner_registry(p->media->runner);
        *err = rm_manifest_parse(text, strlen(text), &o, &manifest);
    } else {
        *err = RM_E_STATE; /* the application has taken its pipeline away meanwhile */
    }
    pthread_mutex_unlock(&p->media->pipeline_mutex);
    return manifest;
}

rm_manifest *rmi_control_manifest(struct rmi_media_peer *p, rm_runtime_data *action, rm_err *err, json_t *faults) {
    const json_t *in = rmi_runtime_data_json_value(action), *value = json_object_get(in, "manifest");
    char *text = !value                  ? changed_text(p, in, faults)
                 : json_is_string(value) ? strdup(json_string_value(value))
                                         : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text) {
        *err = json_array_size(faults) ? RM_E_CONFIG : RM_E_NO_MEMORY;
        return NULL;
    }
    rm_manifest *manifest = parse(p, text, err, faults);
    free(text);
    return manifest;
}

void rmi_control_reconfigured(struct rmi_media_peer *p, rm_runtime_data *action, rm_err err, json_t *faults) {
    const json_t *request = json_object_get(rmi_runtime_data_json_value(action), "request");
    rm_event ev = {.type = RM_EV_CONTROL, .err = err};
    if (err) {
        const char *first = json_string_value(json_array_get(faults, 0));
        snprintf(ev.detail, sizeof ev.detail, "Reconfigure: %zu faults: %.200s", json_array_size(faults),
                 first ? first : rm_strerror(err));
        rmi_control_answer(p->media->t, p->id, "reconfigure_refused", request,
                           json_pack("{s:s, s:O}", "error", rm_err_name(err), "faults", faults));
    } else {
        json_t *nodes = node_names(p->session_manifest);
        snprintf(ev.detail, sizeof ev.detail, "Reconfigure: %zu nodes, session %s", json_array_size(nodes),
                 rm_stream_session_id(p->session));
        rmi_control_answer(p->media->t, p->id, "reconfigured", request,
                           json_pack("{s:s, s:o}", "session_id", rm_stream_session_id(p->session), "nodes", nodes));
    }
    rmi_media_tell(p, &ev);
}
