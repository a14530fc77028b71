/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/params.h"
#include "runtime/manifest_private.h"
#include "runtime/suggest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHOICE_LEN_MAX 64
#define EXACT_INTEGER_MAX 9007199254740992.0 /* 2^53: whole numbers up to here have one spelling as a double */

const rm_node_param rmi_common_params[] = {
    {.name = "on_error",
     .type = RM_PARAM_STRING,
     .choices = "drop|passthrough|mute|stop",
     .summary = "what follows when the node fails; default: metadata.on_error of the manifest, else drop"},
    {.name = "queue_size",
     .type = RM_PARAM_INT,
     .default_json = "64",
     .min = 1,
     .max = 4096,
     .summary = "items that may wait for the node; beyond, the oldest media is dropped"},
    {.name = "own_thread", .type = RM_PARAM_BOOL, .summary = "give it a thread of its own; default as its type says"},
};
const size_t rmi_common_param_count = sizeof rmi_common_params / sizeof rmi_common_params[0];

void rmi_camel_case(const char *snake, char *out, size_t size) {
    size_t n = 0;
    bool upper = false;
    for (; *snake && n + 1 < size; snake++) {
        if (*snake == '_') {
            upper = n > 0;
            continue;
        }
        out[n++] = upper && *snake >= 'a' && *snake <= 'z' ? (char)(*snake - 'a' + 'A') : *snake;
        upper = false;
    }
    out[n] = '\0';
}

/* The choice that `text` is, as the choices spell it, in `out`. Upper and lower case are the same, because
 * RemoteMedia's own documents mix them. */
static bool find_choice(const char *choices, const char *text, char out[CHOICE_LEN_MAX + 1]) {
    size_t len = strlen(text);
    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
        size_t n = strcspn(p, "|");
        if (n == len && n <= CHOICE_LEN_MAX && !strncasecmp(p, text, n)) {
            memcpy(out, p, n);
            out[n] = '\0';
            return true;
        }
    }
    return false;
}

static const char *near_choice(const char *choices, const char *text, char out[CHOICE_LEN_MAX + 1]) {
    struct rmi_suggest s = rmi_suggest_init(text);
    size_t best = SIZE_MAX;
    const char *found = NULL;
    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
        char word[CHOICE_LEN_MAX + 1];
        size_t n = strcspn(p, "|");
        if (n > CHOICE_LEN_MAX)
            continue;
        memcpy(word, p, n);
        word[n] = '\0';
        rmi_suggest_offer(&s, word);
        if (s.best && s.distance < best) {
            best = s.distance;
            memcpy(out, word, n + 1);
            found = out;
        }
    }
    return found;
}

static bool whole(const json_t *value, json_int_t *out) {
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return true;
    }
    double v = json_is_real(value) ? json_real_value(value) : 0.5;
    if (v != floor(v) || fabs(v) > EXACT_INTEGER_MAX)
        return false;
    *out = (json_int_t)v;
    return true;
}

/* What a value must be, for messages: "a whole number from 1 to 65536 or auto". */
static void describe(const rm_node_param *p, struct rmi_sbuf *out) {
    static const char *const kinds[] = {"", "true or false", "a whole number", "a number", "a text", "any value"};
    if (p->type != RM_PARAM_STRING || !p->choices)
        rmi_sbuf_add(out, kinds[p->type]);
    if (p->min != 0 || p->max != 0)
        rmi_sbuf_addf(out, " from %.15g to %.15g", p->min, p->max);
    for (const char *c = p->choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL) {
        const char *joint = !out->len ? "" : strchr(c, '|') ? ", " : " or ";
        rmi_sbuf_addf(out, "%s%.*s", joint, (int)strcspn(c, "|"), c);
    }
}

/* A new reference to the value as nodes will see it, or NULL: it does not fit. */
static json_t *convert(const rm_node_param *p, json_t *value) {
    char choice[CHOICE_LEN_MAX + 1];
    json_int_t i;
    if (json_is_string(value) && p->choices)
        return find_choice(p->choices, json_string_value(value), choice) ? json_string(choice) : NULL;
    switch (p->type) {
    case RM_PARAM_BOOL:
        return json_is_boolean(value) ? json_incref(value) : NULL;
    case RM_PARAM_INT:
        if (!whole(value, &i) || ((p->min != 0 || p->max != 0) && ((double)i < p->min || (double)i > p->max)))
            return NULL;
        return json_integer(i);
    case RM_PARAM_NUMBER:
        if (!json_is_number(value) ||
            ((p->min != 0 || p->max != 0) && (json_number_value(value) < p->min || json_number_value(value) > p->max)))
            return NULL;
        return json_incref(value);
    case RM_PARAM_STRING:
        return json_is_string(value) ? json_incref(value) : NULL;
    case RM_PARAM_JSON:
        return json_incref(value);
    default:
        return NULL;
    }
}

bool rmi_param_valid(const rm_node_param *p) {
    if (!p->name || !p->name[0] || strlen(p->name) > RM_MANIFEST_KEY_MAX || p->type < RM_PARAM_BOOL ||
        p->type > RM_PARAM_JSON || !(p->min <= p->max) ||
        (p->choices && (p->type == RM_PARAM_BOOL || p->type == RM_PARAM_JSON)))
        return false;
    if (!p->default_json)
        return true;
    json_t *value = json_loads(p->default_json, JSON_DECODE_ANY, NULL);
    json_t *fits = value ? convert(p, value) : NULL;
    json_decref(value);
    json_decref(fits);
    return fits != NULL;
}

static void note_misfit(const rm_node_param *p, const struct rmi_doc_node *given, struct rmi_faults *f) {
    struct rmi_sbuf wanted = {0};
    char near[CHOICE_LEN_MAX + 1];
    describe(p, &wanted);
    if (json_is_string(given->value)) {
        const char *text = json_string_value(given->value);
        const char *meant = p->choices ? near_choice(p->choices, text, near) : NULL;
        if (meant)
            rmi_fault_error(f, given, NULL, "must be %s, is \"%.40s\"; did you mean \"%s\"?", rmi_sbuf_text(&wanted),
                            text, meant);
        else
            rmi_fault_error(f, given, NULL, "must be %s, is \"%.40s\"", rmi_sbuf_text(&wanted), text);
    } else if (json_is_number(given->value)) {
        rmi_fault_error(f, given, NULL, "must be %s, is %.15g", rmi_sbuf_text(&wanted),
                        json_number_value(given->value));
    } else {
        rmi_fault_error(f, given, NULL, "must be %s, is %s", rmi_sbuf_text(&wanted), rmi_json_kind(given->value));
    }
    rmi_sbuf_fini(&wanted);
}

static rm_err read_one(const rm_node_param *p, const struct rmi_doc_node *node, const struct rmi_doc_node *given,
                       struct rmi_faults *f, json_t *out) {
    char camel[RM_MANIFEST_KEY_MAX + 1];
    rmi_camel_case(p->name, camel, sizeof camel);
    const struct rmi_doc_node *n = rmi_doc_get(given, p->name);
    const struct rmi_doc_node *c = strcmp(camel, p->name) ? rmi_doc_get(given, camel) : NULL;
    if (n && c)
        rmi_fault_error(f, c, NULL, "is given twice: also as \"%s\"", p->name);
    n = n ? n : c;
    json_t *value = NULL;
    if (n && !json_is_null(n->value)) {
        value = convert(p, n->value);
        if (!value)
            note_misfit(p, n, f);
    } else if (p->required) {
        rmi_fault_error(f, given ? given : node, given ? p->name : NULL, "missing parameter \"%s\": %s", p->name,
                        p->summary ? p->summary : "required");
    } else if (p->default_json) {
        value = json_loads(p->default_json, JSON_DECODE_ANY, NULL);
        if (!value)
            return RM_E_NO_MEMORY;
    }
    return value && json_object_set_new(out, p->name, value) ? RM_E_NO_MEMORY : RM_OK;
}

static const rm_node_param *param_at(const rm_node_class *c, size_t i) {
    if (i < c->param_count)
        return &c->params[i];
    i -= c->param_count;
    if (i >= rmi_common_param_count)
        return NULL;
    for (size_t k = 0; k < c->param_count; k++) /* a node's own parameter hides the common one */
        if (!strcmp(c->params[k].name, rmi_common_params[i].name))
            return &c->params[k];
    return &rmi_common_params[i];
}

static void note_unknown(const rm_node_class *c, const struct rmi_doc_node *given, struct rmi_faults *f) {
    for (const struct rmi_doc_node *n = given->first; n; n = n->next) {
        struct rmi_suggest s = rmi_suggest_init(n->key);
        bool known = false;
        for (size_t i = 0; param_at(c, i) && !known; i++) {
            char camel[RM_MANIFEST_KEY_MAX + 1];
            rmi_camel_case(param_at(c, i)->name, camel, sizeof camel);
            known = !strcmp(n->key, param_at(c, i)->name) || !strcmp(n->key, camel);
            rmi_suggest_offer(&s, param_at(c, i)->name);
        }
        if (known)
            continue;
        if (s.best)
            rmi_fault_warning(f, n, NULL, "%s has no such parameter, ignored; did you mean \"%s\"?", c->name, s.best);
        else
            rmi_fault_warning(f, n, NULL, "%s has no such parameter, ignored", c->name);
    }
}

rm_err rmi_params_read(const rm_node_class *node_class, const struct rmi_doc_node *node,
                       const struct rmi_doc_node *given, struct rmi_faults *f, json_t **out) {
    if (given && json_is_null(given->value))
        given = NULL;
    if (given && !json_is_object(given->value)) {
        rmi_fault_error(f, given, NULL, "must be an object, is %s", rmi_json_kind(given->value));
        given = NULL;
    }
    json_t *values = json_object();
    rm_err err = values ? RM_OK : RM_E_NO_MEMORY;
    for (size_t i = 0; !err && param_at(node_class, i); i++)
        err = read_one(param_at(node_class, i), node, given, f, values);
    if (err) {
        json_decref(values);
        return err;
    }
    if (given)
        note_unknown(node_class, given, f);
    *out = values;
    return RM_OK;
}

static json_t *get(const rm_node_params *params, const char *name) {
    return json_object_get(params->values, name);
}

bool rm_node_params_has(const rm_node_params *params, const char *name) {
    json_t *v = get(params, name);
    return v && !json_is_null(v);
}

bool rm_node_params_bool(const rm_node_params *params, const char *name, bool otherwise) {
    json_t *v = get(params, name);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

int64_t rm_node_params_int(const rm_node_params *params, const char *name, int64_t otherwise) {
    json_t *v = get(params, name);
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : otherwise;
}

double rm_node_params_number(const rm_node_params *params, const char *name, double otherwise) {
    json_t *v = get(params, name);
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

const char *rm_node_params_string(const rm_node_params *params, const char *name, const char *otherwise) {
    json_t *v = get(params, name);
    return json_is_string(v) ? json_string_value(v) : otherwise;
}

char *rm_node_params_json(const rm_node_params *params) {
    return json_dumps(params->values, JSON_COMPACT | JSON_SORT_KEYS);
}
