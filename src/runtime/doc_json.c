/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/doc_private.h"

#include <remotemedia/manifest.h>
#include <stdint.h>
#include <string.h>

/* jansson reads the values but keeps no places. So a text it has accepted is walked a second time, next to its tree: at
 * each value the walker notes line and column. jansson keeps the members of an object in the order of the text, and
 * refuses doubled keys, so the n-th key of the text is the n-th member of the object. */

struct walker {
    const char *at, *end;
    unsigned line, column;
    struct rmi_doc *doc;
    struct rmi_doc_error *error;
};

static void step(struct walker *w) {
    unsigned char c = (unsigned char)*w->at++;
    if (c == '\n') {
        w->line++;
        w->column = 1;
    } else if ((c & 0xc0) != 0x80) { /* the bytes of one UTF-8 character are one column */
        w->column++;
    }
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct walker *w) {
    while (w->at < w->end && is_space(*w->at))
        step(w);
}

/* Steps over an expected mark and the space around it. */
static void skip_mark(struct walker *w, char mark) {
    skip_space(w);
    if (w->at < w->end && *w->at == mark)
        step(w);
    skip_space(w);
}

static void skip_string(struct walker *w) {
    if (w->at < w->end)
        step(w);
    while (w->at < w->end && *w->at != '"') {
        if (*w->at == '\\')
            step(w);
        if (w->at < w->end)
            step(w);
    }
    if (w->at < w->end)
        step(w);
}

static rm_err skip_number_or_word(struct walker *w) {
    unsigned line = w->line, column = w->column;
    const char *begin = w->at;
    while (w->at < w->end && !is_space(*w->at) && !strchr(",]}", *w->at))
        step(w);
    if (w->at - begin > RMI_DOC_NUMBER_MAX)
        return rmi_doc_fail(w->error, line, column, "a number of more than %d characters", RMI_DOC_NUMBER_MAX);
    return RM_OK;
}

static rm_err walk(struct walker *w, struct rmi_doc_node *parent, const char *key, json_t *value);

static rm_err walk_object(struct walker *w, struct rmi_doc_node *node) {
    skip_mark(w, '{');
    for (void *it = json_object_iter(node->value); it; it = json_object_iter_next(node->value, it)) {
        const char *key = json_object_iter_key(it);
        if (strlen(key) > RM_MANIFEST_KEY_MAX)
            return rmi_doc_fail(w->error, w->line, w->column, "a key of more than %d bytes", RM_MANIFEST_KEY_MAX);
        skip_string(w);
        skip_mark(w, ':');
        rm_err err = walk(w, node, key, json_object_iter_value(it));
        if (err)
            return err;
        skip_mark(w, ',');
    }
    skip_mark(w, '}');
    return RM_OK;
}

static rm_err walk_array(struct walker *w, struct rmi_doc_node *node) {
    skip_mark(w, '[');
    for (size_t i = 0; i < json_array_size(node->value); i++) {
        rm_err err = walk(w, node, NULL, json_array_get(node->value, i));
        if (err)
            return err;
        skip_mark(w, ',');
    }
    skip_mark(w, ']');
    return RM_OK;
}

static rm_err walk(struct walker *w, struct rmi_doc_node *parent, const char *key, json_t *value) {
    skip_space(w);
    struct rmi_doc_node *node = rmi_doc_add(w->doc, parent, value, w->line, w->column);
    if (!node)
        return RM_E_NO_MEMORY;
    node->key = key;
    if (json_is_object(value))
        return walk_object(w, node);
    if (json_is_array(value))
        return walk_array(w, node);
    if (!json_is_string(value))
        return skip_number_or_word(w);
    skip_string(w);
    return RM_OK;
}

/* Before jansson sees the text, because it recurses for each level. */
static rm_err check_depth(struct walker w) {
    size_t depth = 0;
    while (w.at < w.end) {
        if (*w.at == '"') {
            skip_string(&w);
            continue;
        }
        if (*w.at == '[' || *w.at == '{') {
            if (++depth > RM_MANIFEST_DEPTH_MAX)
                return rmi_doc_fail(w.error, w.line, w.column, "nested deeper than %d levels", RM_MANIFEST_DEPTH_MAX);
        } else if ((*w.at == ']' || *w.at == '}') && depth > 0) {
            depth--;
        }
        step(&w);
    }
    return RM_OK;
}

rm_err rmi_doc_parse_json(const char *text, size_t len, struct rmi_doc *out, struct rmi_doc_error *error) {
    json_error_t e;
    struct rmi_doc doc = {0};
    struct walker w = {.at = text, .end = text + len, .line = 1, .column = 1, .doc = &doc, .error = error};
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) /* a byte order mark, as Windows editors write */
        w.at += 3;
    rm_err err = check_depth(w);
    if (err)
        return err;
    doc.value = json_loadb(w.at, (size_t)(w.end - w.at), JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!doc.value)
        return json_error_code(&e) == json_error_out_of_memory
                   ? RM_E_NO_MEMORY
                   : rmi_doc_fail(error, e.line > 0 ? (unsigned)e.line : 1, e.column > 0 ? (unsigned)e.column : 1, "%s",
                                  e.text);
    err = walk(&w, NULL, NULL, doc.value);
    if (err) {
        rmi_doc_free(&doc);
        return err;
    }
    *out = doc;
    return RM_OK;
}
