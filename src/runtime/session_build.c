/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/params.h"
#include "runtime/registry.h"
#include "runtime/runner_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct first_fault {
    char *detail;
    size_t size;
    bool taken;
};

static void take_fault(const rm_manifest_fault *fault, void *user) {
    struct first_fault *first = user;
    if (fault->warning || first->taken)
        return;
    first->taken = true;
    rmi_run_detail(first->detail, first->size, "%s: %s", fault->field, fault->message);
}

/* The manifest may have been read without a registry, or with another one. */
static rm_err check_types(struct rm_stream_session *s, char *detail, size_t size) {
    struct rmi_faults *f = calloc(1, sizeof *f);
    struct first_fault first = {.detail = detail, .size = size};
    if (!f)
        return RM_E_NO_MEMORY;
    rm_err err = rmi_manifest_check_types(s->manifest, s->runner->registry, f);
    rmi_faults_tell(f, "", take_fault, &first);
    if (!err && f->errors)
        err = RM_E_CONFIG;
    rmi_faults_fini(f);
    free(f);
    return err;
}

static rm_err read_params(const struct rm_manifest *m, struct rmi_run_node *n, struct rm_node_params *out) {
    struct rmi_faults *f = calloc(1, sizeof *f);
    if (!f)
        return RM_E_NO_MEMORY;
    rm_err err = rmi_params_read(n->node_class, n->info->doc, n->info->params, f, &out->values);
    rmi_faults_fini(f); /* there are none: check_types has seen the same values */
    free(f);
    if (err)
        return err;
    const char *policy = rm_node_params_string(out, "on_error", NULL);
    n->on_error = m->on_error;
    if (policy)
        rmi_on_error_parse(policy, &n->on_error);
    return RM_OK;
}

static rm_err create_node(struct rm_stream_session *s, struct rmi_run_node *n, bool *own_thread, char *detail,
                          size_t size) {
    struct rm_node_params params;
    const rm_node_class *c = n->node_class;
    rm_err err = read_params(s->manifest, n, &params);
    if (err)
        return err;
    *own_thread = rm_node_params_bool(&params, "own_thread", (c->flags & RM_NODE_OWN_THREAD) != 0);
    err = rmi_queue_init(&n->queue, (size_t)rm_node_params_int(&params, "queue_size", 1));
    rm_run_event loading = {.type = RM_RUN_EV_NODE_LOADING, .node_id = n->info->id};
    if (!err)
        rmi_session_tell(s, &loading);
    if (!err && c->create) {
        err = c->create(&n->context, &params, &n->state);
        n->has_state = !err;
        if (err)
            rmi_run_detail(detail, size, "node \"%s\" (%s): %.150s", n->info->id, c->name,
                           n->context.detail[0] ? n->context.detail : rm_strerror(err));
    }
    json_decref(params.values);
    return err;
}

static rm_err connect(struct rm_stream_session *s) {
    const struct rm_manifest *m = s->manifest;
    for (size_t i = 0; i < s->node_count; i++) {
        struct rmi_run_node *n = &s->nodes[i];
        n->open_inputs = n->info->in_count ? n->info->in_count : 1;
        s->open_sinks += n->info->out_count == 0;
        n->successors = n->info->out_count ? calloc(n->info->out_count, sizeof(struct rmi_run_node *)) : NULL;
        if (n->info->out_count && !n->successors)
            return RM_E_NO_MEMORY;
        for (size_t e = 0; e < m->edge_count; e++)
            if (m->edges[e].from == i)
                n->successors[n->successor_count++] = &s->nodes[m->edges[e].to];
    }
    return RM_OK;
}

/* The first lane takes the nodes that are quick, in topological order; each of the others has one node. */
static rm_err make_lanes(struct rm_stream_session *s, const bool *own_thread) {
    size_t count = 1;
    for (size_t i = 0; i < s->node_count; i++)
        count += own_thread[i];
    s->lanes = calloc(count, sizeof *s->lanes);
    if (!s->lanes)
        return RM_E_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct rmi_lane *lane = &s->lanes[i];
        lane->nodes = calloc(i ? 1 : s->node_count, sizeof(struct rmi_run_node *));
        if (!lane->nodes || pthread_cond_init(&lane->wake, NULL)) {
            free(lane->nodes);
            return RM_E_NO_MEMORY;
        }
        lane->session = s;
        s->lane_count++;
    }
    size_t next = 1;
    for (size_t i = 0; i < s->node_count; i++) {
        size_t index = s->manifest->order[i];
        struct rmi_lane *lane = own_thread[index] ? &s->lanes[next++] : &s->lanes[0];
        lane->nodes[lane->node_count++] = &s->nodes[index];
        s->nodes[index].lane = lane;
    }
    return RM_OK;
}

rm_err rmi_session_build(struct rm_stream_session *s, char *detail, size_t detail_size) {
    const struct rm_manifest *m = s->manifest;
    bool own_thread[RM_MANIFEST_NODES_MAX] = {false};
    rm_err err = check_types(s, detail, detail_size);
    if (err)
        return err;
    s->nodes = calloc(m->node_count, sizeof *s->nodes);
    if (!s->nodes)
        return RM_E_NO_MEMORY;
    for (size_t i = 0; !err && i < m->node_count; i++) {
        struct rmi_run_node *n = &s->nodes[s->node_count++];
        n->info = &m->nodes[i];
        n->node_class = rm_node_registry_find(s->runner->registry, n->info->type);
        n->context = (struct rm_node_context){.session = s, .node = n};
        atomic_init(&n->switched, RM_NODE_ENABLED);
        err = create_node(s, n, &own_thread[i], detail, detail_size);
    }
    if (!err)
        err = connect(s);
    return err ? err : make_lanes(s, own_thread);
}

rm_err rmi_session_start_lanes(struct rm_stream_session *s) {
    rm_err err = RM_OK;
    pthread_mutex_lock(&s->mutex); /* a lane begins with this lock: it finds its own fields complete */
    for (size_t i = 0; !err && i < s->lane_count; i++) {
        struct rmi_lane *lane = &s->lanes[i];
        if (lane->node_count == 0)
            continue;
        rmi_session_ref(s);
        s->lanes_running++;
        lane->started = true;
        if (pthread_create(&lane->thread, NULL, rmi_lane_main, lane)) {
            lane->started = false;
            s->lanes_running--;
            atomic_fetch_sub(&s->refs, 1);
            err = RM_E_LIMIT;
        }
    }
    pthread_mutex_unlock(&s->mutex);
    return err;
}
