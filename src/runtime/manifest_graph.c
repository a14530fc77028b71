/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/manifest_private.h"
#include "runtime/suggest.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t find_node(const struct rm_manifest *m, const char *id) {
    for (size_t i = 0; i < m->node_count; i++)
        if (m->nodes[i].id && !strcmp(m->nodes[i].id, id))
            return i;
    return SIZE_MAX;
}

static size_t read_end(const struct rm_manifest *m, const struct rmi_doc_node *connection, const char *key,
                       struct rmi_faults *f) {
    const struct rmi_doc_node *end = rmi_doc_get(connection, key);
    const char *id = end ? rmi_manifest_text(f, connection, key, true) : NULL; /* absence was noted before */
    if (!id)
        return SIZE_MAX;
    size_t index = find_node(m, id);
    if (index != SIZE_MAX)
        return index;
    struct rmi_suggest s = rmi_suggest_init(id);
    for (size_t i = 0; i < m->node_count; i++)
        if (m->nodes[i].id)
            rmi_suggest_offer(&s, m->nodes[i].id);
    if (s.best)
        rmi_fault_error(f, end, NULL, "there is no node \"%.80s\", did you mean \"%s\"?", id, s.best);
    else
        rmi_fault_error(f, end, NULL, "there is no node \"%.80s\"", id);
    return SIZE_MAX;
}

static void read_edge(struct rm_manifest *m, const struct rmi_doc_node *connection, struct rmi_faults *f) {
    size_t from = read_end(m, connection, "from", f);
    size_t to = read_end(m, connection, "to", f);
    if (from == SIZE_MAX || to == SIZE_MAX)
        return;
    for (size_t i = 0; i < m->edge_count; i++)
        if (m->edges[i].from == from && m->edges[i].to == to) {
            rmi_fault_warning(f, connection, NULL, "the same connection again, ignored");
            return;
        }
    m->edges[m->edge_count++] = (struct rmi_edge){.from = from, .to = to};
    m->nodes[from].out_count++;
    m->nodes[to].in_count++;
}

/* Kahn: nodes whose predecessors are all placed, in the manifest's order. Returns how many could be placed. */
static size_t sort(struct rm_manifest *m, size_t *waiting) {
    size_t placed = 0;
    for (size_t i = 0; i < m->node_count; i++)
        waiting[i] = m->nodes[i].in_count;
    for (size_t i = 0; i < m->node_count; i++)
        if (waiting[i] == 0)
            m->order[placed++] = i;
    for (size_t at = 0; at < placed; at++)
        for (size_t e = 0; e < m->edge_count; e++)
            if (m->edges[e].from == m->order[at] && --waiting[m->edges[e].to] == 0)
                m->order[placed++] = m->edges[e].to;
    return placed;
}

/* Every node that could not be placed has a predecessor that could not either: going back from one to the next must
 * come to a node seen before, and from there round is a cycle. `trail` gets it, last node first; returns its length. */
static size_t find_cycle(const struct rm_manifest *m, const size_t *waiting, size_t *trail) {
    size_t at = 0, length = 0;
    while (waiting[at] == 0)
        at++;
    for (;;) {
        for (size_t i = 0; i < length; i++)
            if (trail[i] == at) {
                memmove(trail, trail + i, (length - i) * sizeof *trail);
                return length - i;
            }
        trail[length++] = at;
        for (size_t e = 0; e < m->edge_count; e++)
            if (m->edges[e].to == at && waiting[m->edges[e].from] > 0) {
                at = m->edges[e].from;
                break;
            }
    }
}

static void note_cycle(const struct rm_manifest *m, const size_t *waiting, size_t *trail,
                       const struct rmi_doc_node *connections, struct rmi_faults *f) {
    struct rmi_sbuf text = {0};
    size_t length = find_cycle(m, waiting, trail);
    size_t first = length - 1; /* begin with the node that comes first in the manifest */
    for (size_t i = 0; i < length; i++)
        if (trail[i] < trail[first])
            first = i;
    for (size_t i = 0; i <= length; i++)
        rmi_sbuf_addf(&text, "%s%s", i ? " -> " : "", m->nodes[trail[(first + length * 2 - i) % length]].id);
    rmi_fault_error(f, connections, NULL, "the nodes form a cycle: %s", rmi_sbuf_text(&text));
    rmi_sbuf_fini(&text);
}

rm_err rmi_manifest_read_graph(struct rm_manifest *m, const struct rmi_doc_node *connections, struct rmi_faults *f) {
    size_t count = json_array_size(connections->value);
    if (count > 0 && !(m->edges = calloc(count, sizeof *m->edges)))
        return RM_E_NO_MEMORY;
    for (const struct rmi_doc_node *n = connections->first; n; n = n->next)
        read_edge(m, n, f);
    if (m->node_count == 0)
        return RM_OK;
    m->order = calloc(m->node_count, sizeof *m->order);
    size_t *waiting = calloc(m->node_count, sizeof *waiting);
    size_t *trail = calloc(m->node_count, sizeof *trail);
    rm_err err = m->order && waiting && trail ? RM_OK : RM_E_NO_MEMORY;
    if (!err && sort(m, waiting) < m->node_count)
        note_cycle(m, waiting, trail, connections, f);
    free(waiting);
    free(trail);
    return err;
}
