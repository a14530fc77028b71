/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/doc_private.h"

#include <errno.h>
#include <remotemedia/manifest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* YAML 1.2's core schema over libyaml's events, into the values that JSON has. Anchors and aliases are refused: they
 * let a short text unfold without end. */

struct reader {
    yaml_parser_t parser;
    struct rmi_doc *doc;
    struct rmi_doc_error *error;
    size_t depth;
};

static rm_err fail_at(struct reader *r, yaml_mark_t mark, const char *message) {
    return rmi_doc_fail(r->error, (unsigned)mark.line + 1, (unsigned)mark.column + 1, "%s", message);
}

static rm_err next_event(struct reader *r, yaml_event_t *event) {
    yaml_parser_t *p = &r->parser;
    if (yaml_parser_parse(p, event))
        return RM_OK;
    if (p->error == YAML_MEMORY_ERROR)
        return RM_E_NO_MEMORY;
    yaml_mark_t mark = p->error == YAML_READER_ERROR ? p->mark : p->problem_mark;
    return rmi_doc_fail(r->error, (unsigned)mark.line + 1, (unsigned)mark.column + 1, "%s%s%s",
                        p->problem ? p->problem : "not readable", p->context ? " " : "", p->context ? p->context : "");
}

static bool is_word(const char *text, const char *lower, const char *title, const char *upper) {
    return !strcmp(text, lower) || !strcmp(text, title) || !strcmp(text, upper);
}

static size_t digits(const char *p) {
    return strspn(p, "0123456789");
}

/* Rewrites a decimal number as JSON spells it ("+.50" as "0.50"), so that no locale has a say in its reading. */
static bool json_number(const char *text, char *out, size_t size) {
    const char *p = text + (*text == '+' || *text == '-');
    while (p[0] == '0' && p[1] >= '0' && p[1] <= '9')
        p++;
    size_t whole = digits(p);
    const char *fraction = p + whole;
    size_t after = *fraction == '.' ? digits(fraction + 1) : 0;
    const char *exponent = fraction + (*fraction == '.') + after;
    if (whole + after == 0)
        return false;
    if (*exponent == 'e' || *exponent == 'E') {
        const char *e = exponent + 1;
        e += *e == '+' || *e == '-';
        if (digits(e) == 0 || e[digits(e)])
            return false;
    } else if (*exponent) {
        return false;
    }
    snprintf(out, size, "%s%.*s%s%.*s%s", *text == '-' ? "-" : "", whole ? (int)whole : 1, whole ? p : "0",
             *fraction == '.' ? "." : "", after ? (int)after : *fraction == '.', after ? fraction + 1 : "0", exponent);
    return true;
}

/* NULL with *is_number: it is one, but out of range. */
static json_t *number(const char *text, bool *is_number) {
    char spelled[RMI_DOC_NUMBER_MAX + 4];
    *is_number = true;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'o') && text[2]) {
        int base = text[1] == 'x' ? 16 : 8;
        if (strspn(text + 2, base == 16 ? "0123456789abcdefABCDEF" : "01234567") == strlen(text + 2)) {
            errno = 0;
            long long v = strtoll(text + 2, NULL, base);
            return errno ? NULL : json_integer(v);
        }
    }
    if (!json_number(text, spelled, sizeof spelled)) {
        *is_number = false;
        return NULL;
    }
    return json_loads(spelled, JSON_DECODE_ANY, NULL);
}

static rm_err plain(struct reader *r, const yaml_event_t *event, json_t **out) {
    const char *text = (const char *)event->data.scalar.value;
    bool is_number = false;
    if (!*text || !strcmp(text, "~") || is_word(text, "null", "Null", "NULL")) {
        *out = json_null();
        return RM_OK;
    }
    if (is_word(text, "true", "True", "TRUE") || is_word(text, "false", "False", "FALSE")) {
        *out = json_boolean(*text == 't' || *text == 'T');
        return RM_OK;
    }
    const char *bare = text + (*text == '+' || *text == '-');
    if (is_word(bare, ".inf", ".Inf", ".INF") || is_word(text, ".nan", ".NaN", ".NAN"))
        return fail_at(r, event->start_mark, "infinity and not-a-number are no values here");
    if (strlen(text) <= RMI_DOC_NUMBER_MAX)
        *out = number(text, &is_number);
    else if (digits(text) == strlen(text))
        return fail_at(r, event->start_mark, "a number of too many characters");
    if (is_number && !*out)
        return fail_at(r, event->start_mark, "a number that is too large");
    if (!*out)
        *out = json_string(text);
    return *out ? RM_OK : fail_at(r, event->start_mark, "text that is not UTF-8");
}

static rm_err scalar(struct reader *r, const yaml_event_t *event, json_t **out) {
    const char *text = (const char *)event->data.scalar.value;
    if (event->data.scalar.anchor)
        return fail_at(r, event->start_mark, "anchors are not accepted");
    if (strlen(text) != event->data.scalar.length)
        return fail_at(r, event->start_mark, "a NUL character");
    const char *tag = (const char *)event->data.scalar.tag;
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !tag)
        return plain(r, event, out);
    if (tag && strcmp(tag, "tag:yaml.org,2002:str") && strcmp(tag, "!"))
        return fail_at(r, event->start_mark, "tags other than !!str are not accepted");
    *out = json_string(text);
    return *out ? RM_OK : fail_at(r, event->start_mark, "text that is not UTF-8");
}

/* Where the next value goes. */
struct place {
    struct rmi_doc_node *parent; /* NULL: the root */
    const char *key;             /* in an object */
};

/* Takes the reference to `value`. */
static rm_err put(struct reader *r, struct place place, json_t *value, yaml_mark_t mark, struct rmi_doc_node **out) {
    int failed = 0;
    if (!place.parent)
        r->doc->value = value;
    else if (place.key)
        failed = json_object_set_new(place.parent->value, place.key, value);
    else
        failed = json_array_append_new(place.parent->value, value);
    if (failed)
        return RM_E_NO_MEMORY;
    *out = rmi_doc_add(r->doc, place.parent, value, (unsigned)mark.line + 1, (unsigned)mark.column + 1);
    if (!*out)
        return RM_E_NO_MEMORY;
    if (place.key) /* the object's own copy lives as long as the member */
        (*out)->key = json_object_iter_key(json_object_iter_at(place.parent->value, place.key));
    return RM_OK;
}

static rm_err read_value(struct reader *r, struct place place, yaml_event_t *event);

static rm_err read_key(struct reader *r, const struct rmi_doc_node *node, const yaml_event_t *event, char *key) {
    if (event->type != YAML_SCALAR_EVENT)
        return fail_at(r, event->start_mark, "a key that is not a text");
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    if (event->data.scalar.anchor)
        return fail_at(r, event->start_mark, "anchors are not accepted");
    if (strlen(text) != len)
        return fail_at(r, event->start_mark, "a NUL character");
    if (len > RM_MANIFEST_KEY_MAX)
        return rmi_doc_fail(r->error, (unsigned)event->start_mark.line + 1, (unsigned)event->start_mark.column + 1,
                            "a key of more than %d bytes", RM_MANIFEST_KEY_MAX);
    if (json_object_get(node->value, text))
        return rmi_doc_fail(r->error, (unsigned)event->start_mark.line + 1, (unsigned)event->start_mark.column + 1,
                            "duplicate key \"%.80s\"", text);
    memcpy(key, text, len + 1);
    return RM_OK;
}

static rm_err read_members(struct reader *r, struct rmi_doc_node *node) {
    char key[RM_MANIFEST_KEY_MAX + 1];
    for (;;) {
        yaml_event_t event;
        rm_err err = next_event(r, &event);
        if (err)
            return err;
        bool end = event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT;
        bool member = json_is_object(node->value);
        if (!end && member) {
            err = read_key(r, node, &event, key);
            yaml_event_delete(&event);
            if (!err)
                err = next_event(r, &event);
            if (err)
                return err;
        }
        if (!end)
            err = read_value(r, (struct place){.parent = node, .key = member ? key : NULL}, &event);
        yaml_event_delete(&event);
        if (err || end)
            return err;
    }
}

static rm_err read_value(struct reader *r, struct place place, yaml_event_t *event) {
    struct rmi_doc_node *node;
    json_t *value = NULL;
    rm_err err;
    if (event->type == YAML_SCALAR_EVENT) {
        err = scalar(r, event, &value);
        return err ? err : put(r, place, value, event->start_mark, &node);
    }
    if (event->type == YAML_ALIAS_EVENT)
        return fail_at(r, event->start_mark, "aliases are not accepted");
    bool mapping = event->type == YAML_MAPPING_START_EVENT;
    if (mapping ? event->data.mapping_start.anchor != NULL : event->data.sequence_start.anchor != NULL)
        return fail_at(r, event->start_mark, "anchors are not accepted");
    if (r->depth == RM_MANIFEST_DEPTH_MAX)
        return fail_at(r, event->start_mark, "nested too deeply");
    value = mapping ? json_object() : json_array();
    if (!value)
        return RM_E_NO_MEMORY;
    err = put(r, place, value, event->start_mark, &node);
    if (err)
        return err;
    r->depth++;
    err = read_members(r, node);
    r->depth--;
    return err;
}

static rm_err read_document(struct reader *r) {
    for (;;) {
        yaml_event_t event;
        rm_err err = next_event(r, &event);
        if (err)
            return err;
        yaml_event_type_t type = event.type;
        bool content = type == YAML_SCALAR_EVENT || type == YAML_ALIAS_EVENT || type == YAML_SEQUENCE_START_EVENT ||
                       type == YAML_MAPPING_START_EVENT;
        if (content)
            err = read_value(r, (struct place){0}, &event);
        else if (type == YAML_DOCUMENT_START_EVENT && r->doc->root)
            err = fail_at(r, event.start_mark, "a second document in one text");
        else if (type == YAML_STREAM_END_EVENT && !r->doc->root)
            err = fail_at(r, event.start_mark, "the text is empty");
        yaml_event_delete(&event);
        if (err || type == YAML_STREAM_END_EVENT)
            return err;
    }
}

rm_err rmi_doc_parse_yaml(const char *text, size_t len, struct rmi_doc *out, struct rmi_doc_error *error) {
    struct rmi_doc doc = {0};
    struct reader r = {.doc = &doc, .error = error};
    if (!yaml_parser_initialize(&r.parser))
        return RM_E_NO_MEMORY;
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    rm_err err = read_document(&r);
    yaml_parser_delete(&r.parser);
    if (err) {
        rmi_doc_free(&doc);
        return err;
    }
    *out = doc;
    return RM_OK;
}
