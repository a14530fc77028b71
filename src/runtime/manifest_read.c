/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/manifest_private.h"
#include "runtime/suggest.h"

#include <stdlib.h>
#include <string.h>

#define VERSION "v1"

static const char *const root_keys[] = {"version", "metadata", "nodes", "connections", "python_env", NULL};
static const char *const metadata_keys[] = {"name", "description", "created_at", "auto_negotiate", "on_error", NULL};
static const char *const node_keys[] = {
    "id",        "node_type", "params",    "is_streaming", "is_output_node", "capabilities",       "runtime_hint",
    "execution", "docker",    "fast_path", "python_deps",  "host",           "media_capabilities", NULL};
static const char *const connection_keys[] = {"from", "to", NULL};

/* Names that other tools and documents give to our members. */
static const struct {
    const char *written, *meant;
} aliases[] = {{"type", "node_type"}, {"nodeType", "node_type"}, {"name", "id"},
               {"source", "from"},    {"target", "to"},          {"parameters", "params"},
               {"config", "params"},  {"edges", "connections"},  {"links", "connections"}};

const char *rmi_json_kind(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_NULL:
        return "null";
    default:
        return "true or false";
    }
}

rm_err rmi_on_error_parse(const char *text, enum rmi_on_error *out) {
    static const char *const names[] = {"drop", "passthrough", "mute", "stop"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(text, names[i])) {
            *out = (enum rmi_on_error)i;
            return RM_OK;
        }
    return RM_E_NOT_FOUND;
}

static bool is_among(const char *const *keys, const char *key) {
    for (; *keys; keys++)
        if (!strcmp(*keys, key))
            return true;
    return false;
}

/* A key of `node` that was probably meant to be `missing`, or NULL. */
static const char *near_key(const struct rmi_doc_node *node, const char *missing, const char *const *known) {
    struct rmi_suggest s = rmi_suggest_init(missing);
    for (const struct rmi_doc_node *n = node->first; n; n = n->next) {
        if (!n->key || is_among(known, n->key))
            continue;
        for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
            if (!strcmp(aliases[i].written, n->key) && !strcmp(aliases[i].meant, missing))
                return n->key;
        rmi_suggest_offer(&s, n->key);
    }
    return s.best;
}

static const struct rmi_doc_node *require(struct rmi_faults *f, const struct rmi_doc_node *node, const char *key,
                                          const char *const *known) {
    const struct rmi_doc_node *n = rmi_doc_get(node, key);
    if (n)
        return n;
    const char *near = near_key(node, key, known);
    if (near)
        rmi_fault_error(f, node, key, "missing; did you mean \"%s\" to be \"%s\"?", near, key);
    else
        rmi_fault_error(f, node, key, "missing");
    return NULL;
}

/* Unknown keys are ignored, as RemoteMedia does, but a slip of the pen is worth a word. */
static void check_keys(struct rmi_faults *f, const struct rmi_doc_node *node, const char *const *known,
                       const char *const *required) {
    for (const struct rmi_doc_node *n = node->first; n; n = n->next) {
        struct rmi_suggest s = rmi_suggest_init(n->key);
        if (is_among(known, n->key))
            continue;
        for (const char *const *k = known; *k; k++)
            if (!rmi_doc_get(node, *k) && !(required && is_among(required, *k))) /* that one is a fault already */
                rmi_suggest_offer(&s, *k);
        if (s.best)
            rmi_fault_warning(f, n, NULL, "unknown key, ignored; did you mean \"%s\"?", s.best);
    }
}

static bool is_kind(struct rmi_faults *f, const struct rmi_doc_node *node, json_type type, const char *wanted) {
    if (!node)
        return false;
    if (json_typeof(node->value) == type)
        return true;
    rmi_fault_error(f, node, NULL, "must be %s, is %s", wanted, rmi_json_kind(node->value));
    return false;
}

const char *rmi_manifest_text(struct rmi_faults *f, const struct rmi_doc_node *node, const char *key, bool required) {
    const struct rmi_doc_node *n = rmi_doc_get(node, key);
    if (!n && required)
        rmi_fault_error(f, node, key, "missing");
    if (!n || (!required && json_is_null(n->value)) || !is_kind(f, n, JSON_STRING, "a text"))
        return NULL;
    return json_string_value(n->value);
}

static void check_bool(struct rmi_faults *f, const struct rmi_doc_node *node, const char *key) {
    const struct rmi_doc_node *n = rmi_doc_get(node, key);
    if (n && !json_is_boolean(n->value) && !json_is_null(n->value))
        rmi_fault_error(f, n, NULL, "must be true or false, is %s", rmi_json_kind(n->value));
}

static void read_version(const struct rmi_doc_node *root, struct rmi_faults *f) {
    static const char *const required[] = {"version", "metadata", "nodes", "connections", NULL};
    check_keys(f, root, root_keys, required);
    const struct rmi_doc_node *n = require(f, root, "version", root_keys);
    if (!n)
        return;
    const char *text = json_string_value(n->value);
    if (text && !strcmp(text, VERSION))
        return;
    if ((text && !strcmp(text, "1.0")) || (json_is_number(n->value) && json_number_value(n->value) == 1.0))
        rmi_fault_warning(f, n, NULL, "1.0 is read as \"" VERSION "\"; please write \"" VERSION "\"");
    else if (text)
        rmi_fault_error(f, n, NULL, "unsupported manifest version \"%.40s\"; write \"" VERSION "\"", text);
    else
        rmi_fault_error(f, n, NULL, "must be the text \"" VERSION "\", is %s", rmi_json_kind(n->value));
}

static void read_metadata(struct rm_manifest *m, struct rmi_faults *f) {
    m->name = m->description = "";
    const struct rmi_doc_node *n = require(f, m->doc.root, "metadata", root_keys);
    if (!is_kind(f, n, JSON_OBJECT, "an object"))
        return;
    check_keys(f, n, metadata_keys, NULL);
    check_bool(f, n, "auto_negotiate");
    const char *text = rmi_manifest_text(f, n, "name", false);
    m->name = text ? text : "";
    text = rmi_manifest_text(f, n, "description", false);
    m->description = text ? text : "";
    text = rmi_manifest_text(f, n, "on_error", false);
    if (text && rmi_on_error_parse(text, &m->on_error))
        rmi_fault_error(f, rmi_doc_get(n, "on_error"), NULL, "\"%.40s\" is not drop, passthrough, mute or stop", text);
}

static void read_node(struct rm_manifest *m, const struct rmi_doc_node *doc, struct rmi_faults *f) {
    static const char *const required[] = {"id", "node_type", NULL};
    static const char *const bools[] = {"is_streaming", "is_output_node", "fast_path"};
    static const char *const in_params[] = {"on_error", "queue_size", "own_thread"};
    struct rmi_manifest_node *n = &m->nodes[m->node_count++];
    *n = (struct rmi_manifest_node){.doc = doc, .params = rmi_doc_get(doc, "params")};
    if (!is_kind(f, doc, JSON_OBJECT, "an object"))
        return;
    check_keys(f, doc, node_keys, required);
    for (size_t i = 0; i < sizeof bools / sizeof bools[0]; i++)
        check_bool(f, doc, bools[i]);
    for (size_t i = 0; i < sizeof in_params / sizeof in_params[0]; i++)
        if (rmi_doc_get(doc, in_params[i]))
            rmi_fault_warning(f, rmi_doc_get(doc, in_params[i]), NULL, "ignored here; write it in the node's params");
    if (require(f, doc, "id", node_keys))
        n->id = rmi_manifest_text(f, doc, "id", true);
    if (require(f, doc, "node_type", node_keys))
        n->type = rmi_manifest_text(f, doc, "node_type", true);
    if (n->id && (!n->id[0] || strlen(n->id) > RMI_NODE_ID_LEN_MAX))
        rmi_fault_error(f, rmi_doc_get(doc, "id"), NULL, "must have 1..%d bytes", RMI_NODE_ID_LEN_MAX);
    for (size_t i = 0; n->id && i + 1 < m->node_count; i++) {
        const struct rmi_manifest_node *other = &m->nodes[i];
        if (other->id && !strcmp(other->id, n->id)) {
            rmi_fault_error(f, rmi_doc_get(doc, "id"), NULL, "duplicate node id \"%s\", first used in line %u", n->id,
                            other->doc->line);
            break;
        }
    }
}

static rm_err read_nodes(struct rm_manifest *m, struct rmi_faults *f) {
    const struct rmi_doc_node *list = require(f, m->doc.root, "nodes", root_keys);
    if (!is_kind(f, list, JSON_ARRAY, "a list"))
        return RM_OK;
    size_t count = json_array_size(list->value);
    if (count == 0)
        rmi_fault_error(f, list, NULL, "a pipeline needs at least one node");
    if (count > RM_MANIFEST_NODES_MAX)
        rmi_fault_error(f, list, NULL, "%zu nodes, at most %d are accepted", count, RM_MANIFEST_NODES_MAX);
    if (count == 0 || count > RM_MANIFEST_NODES_MAX)
        return RM_OK;
    m->nodes = calloc(count, sizeof *m->nodes);
    if (!m->nodes)
        return RM_E_NO_MEMORY;
    for (const struct rmi_doc_node *n = list->first; n; n = n->next)
        read_node(m, n, f);
    return RM_OK;
}

static void check_connection_keys(const struct rmi_doc_node *list, struct rmi_faults *f) {
    for (const struct rmi_doc_node *n = list->first; n; n = n->next)
        if (is_kind(f, n, JSON_OBJECT, "an object")) {
            require(f, n, "from", connection_keys);
            require(f, n, "to", connection_keys);
        }
}

rm_err rmi_manifest_read(struct rm_manifest *m, struct rmi_faults *f) {
    if (!is_kind(f, m->doc.root, JSON_OBJECT, "an object"))
        return RM_OK;
    read_version(m->doc.root, f);
    read_metadata(m, f);
    rm_err err = read_nodes(m, f);
    if (err)
        return err;
    const struct rmi_doc_node *list = require(f, m->doc.root, "connections", root_keys);
    if (!is_kind(f, list, JSON_ARRAY, "a list"))
        return RM_OK;
    if (json_array_size(list->value) > RMI_CONNECTIONS_MAX) {
        rmi_fault_error(f, list, NULL, "%zu connections, at most %d are accepted", json_array_size(list->value),
                        RMI_CONNECTIONS_MAX);
        return RM_OK;
    }
    check_connection_keys(list, f);
    return rmi_manifest_read_graph(m, list, f);
}
