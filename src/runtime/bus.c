/* SPDX-License-Identifier: Apache-2.0 */
/* Topics, node states and what is put into nodes from outside. Taps: bus_tap.c. */
#include "runtime/bus.h"

#include "runtime/runner_private.h"
#include <remotemedia/data_json.h>
#include <string.h>

static const char barge_in[] = "barge_in"; /* the port that RemoteMedia's runtime keeps for itself */

struct rmi_run_node *rmi_bus_node(const struct rm_stream_session *s, const char *id) {
    for (size_t i = 0; i < s->node_count; i++)
        if (!strcmp(s->nodes[i].info->id, id))
            return &s->nodes[i];
    return NULL;
}

/* What follows the node's id: ".in", ".out", and perhaps a port. */
static bool read_rest(const char *rest, struct rmi_bus_address *out) {
    static const struct {
        const char *text;
        enum rmi_bus_side side;
    } sides[] = {{".in", RMI_BUS_IN}, {".out", RMI_BUS_OUT}};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        const size_t n = strlen(sides[i].text);
        if (strncmp(rest, sides[i].text, n))
            continue;
        out->side = sides[i].side;
        out->port = rest + n;
        if (!*out->port)
            return true;
        const size_t port = strnlen(out->port, RMI_BUS_PORT_MAX + 2) - 1;
        return *out->port++ == '.' && port >= 1 && port <= RMI_BUS_PORT_MAX;
    }
    return false;
}

/* Ids may have dots: the longest that fits is meant. */
static rm_err find(const struct rm_manifest *m, const char *topic, size_t *index, struct rmi_bus_address *out) {
    size_t longest = 0;
    for (size_t i = 0; i < m->node_count; i++) {
        const char *id = m->nodes[i].id;
        const size_t n = strlen(id);
        struct rmi_bus_address found = {0};
        if (n > longest && !strncmp(topic, id, n) && read_rest(topic + n, &found)) {
            longest = n;
            *index = i;
            *out = found;
        }
    }
    if (longest)
        return RM_OK;
    for (const char *dot = strchr(topic, '.'); dot; dot = strchr(dot + 1, '.')) {
        struct rmi_bus_address ignored;
        if (dot > topic && read_rest(dot, &ignored))
            return RM_E_NOT_FOUND;
    }
    return RM_E_INVALID_ARG;
}

rm_err rmi_bus_address(struct rm_stream_session *s, const char *topic, struct rmi_bus_address *out) {
    size_t index = 0;
    rm_err err = find(s->manifest, topic, &index, out);
    if (!err)
        out->node = &s->nodes[index]; /* in the manifest's order */
    return err;
}

rm_err rmi_bus_check_topic(const struct rm_manifest *m, const char *topic, enum rmi_bus_side *side) {
    struct rmi_bus_address at = {0};
    size_t index = 0;
    rm_err err = find(m, topic, &index, &at);
    *side = at.side;
    return err;
}

static rm_err push(struct rmi_run_node *n, rm_runtime_data *data) {
    struct rm_stream_session *s = n->context.session;
    const rm_transport_data item = {.data = data};
    pthread_mutex_lock(&s->mutex);
    rm_err err = atomic_load(&s->closed) || n->flushed ? RM_E_CLOSED
                 : rmi_queue_refuses(&n->queue, data)  ? RM_E_AGAIN
                                                       : RM_OK;
    if (!err)
        rmi_node_push_locked(n, &item);
    pthread_mutex_unlock(&s->mutex);
    if (!err)
        rmi_node_settle_loss(n);
    return err;
}

static rm_err push_aux(struct rmi_run_node *n, const char *port, rm_runtime_data *data) {
    rm_runtime_data *envelope = NULL;
    rm_err err = rm_runtime_data_create_aux(port, data, &envelope);
    if (!err && !rmi_node_accepts(n->node_class, envelope))
        err = RM_E_UNSUPPORTED; /* it would be passed on, and come out at the end of the pipeline */
    if (!err)
        err = push(n, envelope);
    rm_runtime_data_unref(&envelope);
    return err;
}

rm_err rm_stream_session_publish(rm_stream_session *session, const char *topic, rm_runtime_data *data) {
    struct rmi_bus_address to = {0};
    if (!session || !topic || !data)
        return RM_E_INVALID_ARG;
    rm_err err = rmi_bus_address(session, topic, &to);
    if (!err && to.side != RMI_BUS_IN)
        err = RM_E_INVALID_ARG;
    if (err)
        return err;
    rmi_session_ref(session); /* a callback from here may destroy the session */
    if (!strcmp(to.port, barge_in))
        atomic_store(&to.node->barged, true);
    else
        err = *to.port ? push_aux(to.node, to.port, data) : push(to.node, data);
    rmi_session_unref(session);
    return err;
}

rm_err rm_stream_session_set_node_state(rm_stream_session *session, const char *node_id, rm_node_state state) {
    if (!session || !node_id || state < RM_NODE_ENABLED || state > RM_NODE_DISABLED)
        return RM_E_INVALID_ARG;
    struct rmi_run_node *n = rmi_bus_node(session, node_id);
    if (!n)
        return RM_E_NOT_FOUND;
    atomic_store(&n->switched, state);
    return RM_OK;
}

rm_err rm_stream_session_node_state(const rm_stream_session *session, const char *node_id, rm_node_state *out) {
    const struct rmi_run_node *n = rmi_bus_node(session, node_id);
    if (!n)
        return RM_E_NOT_FOUND;
    *out = (rm_node_state)atomic_load(&n->switched);
    return RM_OK;
}

const char *rm_node_state_name(rm_node_state state) {
    return state == RM_NODE_ENABLED    ? "enabled"
           : state == RM_NODE_BYPASS   ? "bypass"
           : state == RM_NODE_DISABLED ? "disabled"
                                       : "unknown";
}

uint64_t rm_stream_session_flush_audio(rm_stream_session *session) {
    struct rm_stream_session *s = session;
    uint64_t dropped = 0;
    rmi_session_ref(s);
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i <= s->node_count; i++) {
        struct rmi_queue *q = i < s->node_count ? &s->nodes[i].queue : &s->outputs;
        dropped += rmi_queue_drop_audio(q);
        rmi_session_release_dead(s, q);
    }
    pthread_mutex_unlock(&s->mutex);
    rmi_session_unref(s);
    return dropped;
}

rm_err rmi_bus_init(struct rmi_bus *bus) {
    rmi_list_init(&bus->taps);
    return pthread_mutex_init(&bus->mutex, NULL) ? RM_E_NO_MEMORY : RM_OK;
}

void rmi_bus_fini(struct rmi_bus *bus) {
    pthread_mutex_destroy(&bus->mutex);
}
