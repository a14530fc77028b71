/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/jsonrpc.h"

#include "base/cursor.h"
#include <stdlib.h>
#include <string.h>

static const struct {
    int code;
    rm_err err;
} code_map[] = {
    {RMI_RPC_PARSE, RM_E_RPC_PARSE},
    {RMI_RPC_INVALID_REQUEST, RM_E_RPC_INVALID_REQUEST},
    {RMI_RPC_METHOD_NOT_FOUND, RM_E_RPC_METHOD_NOT_FOUND},
    {RMI_RPC_INVALID_PARAMS, RM_E_RPC_INVALID_PARAMS},
    {RMI_RPC_INTERNAL, RM_E_RPC_INTERNAL},
    {RMI_RPC_PEER_NOT_FOUND, RM_E_PEER_NOT_FOUND},
    {RMI_RPC_SESSION_LIMIT, RM_E_SESSION_LIMIT},
    {RMI_RPC_OFFER_INVALID, RM_E_OFFER_INVALID},
    {RMI_RPC_ANSWER_INVALID, RM_E_ANSWER_INVALID},
    {RMI_RPC_ICE_CANDIDATE_INVALID, RM_E_ICE_CANDIDATE_INVALID},
    {RMI_RPC_NEGOTIATION_IN_PROGRESS, RM_E_NEGOTIATION_IN_PROGRESS},
    {RMI_RPC_CONNECTION_TIMEOUT, RM_E_CONNECTION_TIMEOUT},
    {RMI_RPC_CODEC_MISMATCH, RM_E_CODEC_MISMATCH},
};
#define CODE_COUNT (sizeof code_map / sizeof code_map[0])

rm_err rmi_rpc_err_of_code(int64_t code) {
    for (size_t i = 0; i < CODE_COUNT; i++)
        if (code_map[i].code == code)
            return code_map[i].err;
    return RM_E_RPC_OTHER;
}

int rmi_rpc_code_of_err(rm_err err) {
    for (size_t i = 0; i < CODE_COUNT; i++)
        if (code_map[i].err == err)
            return code_map[i].code;
    return RMI_RPC_INTERNAL;
}

struct scan {
    struct rmi_rd rd;
    uint64_t brackets; /* one bit a level: 1 = object. The depth limit is the width of this word. */
    unsigned depth;
    size_t values;
    size_t string_bytes; /* length of the last string: a key, should a colon follow */
};
_Static_assert(RMI_JSON_MAX_DEPTH == 64, "struct scan keeps one bit a level");

static rm_err scan_string(struct scan *s) {
    size_t n = 0;
    for (;;) {
        const uint8_t c = rmi_rd_u8(&s->rd);
        if (s->rd.failed || c == '\0')
            return RM_E_PARSE;
        if (c == '"')
            break;
        n++;
        if (c == '\\') {
            if (rmi_rd_u8(&s->rd) == '\0')
                return RM_E_PARSE;
            n++;
        }
    }
    s->string_bytes = n;
    return RM_OK;
}

static bool is_number_char(uint8_t c) {
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static rm_err scan_open(struct scan *s, bool object) {
    if (s->depth == RMI_JSON_MAX_DEPTH || ++s->values > RMI_JSON_MAX_VALUES)
        return RM_E_TOO_BIG;
    s->depth++;
    s->brackets = (s->brackets << 1) | (object ? 1u : 0u);
    return RM_OK;
}

static rm_err scan_close(struct scan *s, bool object) {
    if (s->depth == 0 || (s->brackets & 1) != (object ? 1u : 0u))
        return RM_E_PARSE;
    s->depth--;
    s->brackets >>= 1;
    return RM_OK;
}

static rm_err scan_byte(struct scan *s, uint8_t c) {
    switch (c) {
    case '\0':
        return RM_E_PARSE;
    case '"':
        return scan_string(s);
    case '{':
    case '[':
        return scan_open(s, c == '{');
    case '}':
    case ']':
        return scan_close(s, c == '}');
    case ',':
        return ++s->values > RMI_JSON_MAX_VALUES ? RM_E_TOO_BIG : RM_OK;
    case ':':
        return s->string_bytes > RMI_JSON_MAX_KEY ? RM_E_TOO_BIG : RM_OK;
    default:
        return RM_OK;
    }
}

rm_err rmi_json_scan(const char *text, size_t len) {
    if (len > RMI_JSON_MAX_MESSAGE)
        return RM_E_TOO_BIG;
    struct scan s = {.rd = rmi_rd_init(text, len)};
    size_t number = 0;
    while (rmi_rd_left(&s.rd) > 0) {
        const uint8_t c = rmi_rd_u8(&s.rd);
        /* Letters of true and false count too: such a run is short, or no JSON at all. */
        number = is_number_char(c) ? number + 1 : 0;
        if (number > RMI_JSON_MAX_NUMBER)
            return RM_E_TOO_BIG;
        const rm_err err = scan_byte(&s, c);
        if (err)
            return err;
    }
    return s.depth == 0 && !s.rd.failed ? RM_OK : RM_E_PARSE;
}

rm_err rmi_json_parse(const char *text, size_t len, json_t **out) {
    const rm_err err = rmi_json_scan(text, len);
    if (err)
        return err;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if (!root)
        return RM_E_PARSE;
    *out = root;
    return RM_OK;
}

static rm_err parse_call(struct rmi_rpc *rpc, const json_t *method) {
    rpc->kind = RMI_RPC_CALL;
    rpc->method = json_string_value(method);
    if (!rpc->method)
        return RM_E_RPC_INVALID_REQUEST;
    json_t *params = json_object_get(rpc->root, "params");
    if (!params || json_is_null(params))
        return RM_OK;
    if (!json_is_object(params))
        return RM_E_RPC_INVALID_PARAMS;
    rpc->params = params;
    return RM_OK;
}

static rm_err parse_error(struct rmi_rpc *rpc, const json_t *error) {
    rpc->kind = RMI_RPC_ERROR;
    rpc->message = "";
    if (json_is_string(error)) { /* seen from servers that do not follow JSON-RPC 5.1 */
        rpc->message = json_string_value(error);
        return RM_OK;
    }
    if (!json_is_object(error))
        return RM_E_RPC_INVALID_REQUEST;
    rpc->code = rmi_rpc_id_int(json_object_get(error, "code"));
    const char *message = json_string_value(json_object_get(error, "message"));
    if (message)
        rpc->message = message;
    rpc->data = json_object_get(error, "data");
    return RM_OK;
}

rm_err rmi_rpc_parse(const char *text, size_t len, struct rmi_rpc *out) {
    *out = (struct rmi_rpc){0};
    const rm_err err = rmi_json_parse(text, len, &out->root);
    if (err)
        return err;
    if (!json_is_object(out->root))
        return RM_E_RPC_INVALID_REQUEST;
    json_t *id = json_object_get(out->root, "id");
    if (id && !json_is_null(id))
        out->id = id;
    const json_t *method = json_object_get(out->root, "method");
    if (method)
        return parse_call(out, method);
    const json_t *error = json_object_get(out->root, "error");
    if (error && !json_is_null(error))
        return parse_error(out, error);
    out->kind = RMI_RPC_RESULT;
    out->result = json_object_get(out->root, "result");
    return out->result ? RM_OK : RM_E_RPC_INVALID_REQUEST;
}

void rmi_rpc_fini(struct rmi_rpc *rpc) {
    json_decref(rpc->root);
    *rpc = (struct rmi_rpc){0};
}

static int64_t int_of_text(const char *text) {
    int64_t value = 0;
    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > (INT64_MAX - 9) / 10)
            return -1;
        value = value * 10 + (*text - '0');
    }
    return value;
}

int64_t rmi_rpc_id_int(const json_t *id) {
    if (json_is_integer(id))
        return json_integer_value(id);
    if (json_is_string(id))
        return int_of_text(json_string_value(id));
    if (json_is_real(id)) {
        /* Servers whose only number is a double write 3 as 3.0; beyond 2^53 a double names no single integer. */
        const double exact = 9007199254740992.0;
        const double value = json_real_value(id);
        if (value > -exact && value < exact && value == (double)(int64_t)value)
            return (int64_t)value;
    }
    return -1;
}

bool rmi_rpc_id_is(const json_t *id, int64_t want) {
    return id && want >= 0 && rmi_rpc_id_int(id) == want;
}

static bool put(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

static char *finish(json_t *root, bool ok, size_t *len) {
    char *text = ok ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (text && len)
        *len = strlen(text);
    return text;
}

static json_t *or_empty(json_t *value) {
    return value ? value : json_object();
}

static json_t *id_or_null(json_t *id) {
    return id ? json_incref(id) : json_null();
}

char *rmi_rpc_write_request(const char *method, int64_t id, json_t *params, size_t *len) {
    json_t *root = json_object();
    bool ok = put(root, "jsonrpc", json_string("2.0"));
    ok = put(root, "id", json_integer(id)) && ok;
    ok = put(root, "method", json_string(method)) && ok;
    ok = put(root, "params", or_empty(params)) && ok;
    return finish(root, ok, len);
}

char *rmi_rpc_write_notification(const char *method, json_t *params, size_t *len) {
    json_t *root = json_object();
    bool ok = put(root, "jsonrpc", json_string("2.0"));
    ok = put(root, "method", json_string(method)) && ok;
    ok = put(root, "params", or_empty(params)) && ok;
    return finish(root, ok, len);
}

char *rmi_rpc_write_result(json_t *id, json_t *result, size_t *len) {
    json_t *root = json_object();
    bool ok = put(root, "jsonrpc", json_string("2.0"));
    ok = put(root, "id", id_or_null(id)) && ok;
    ok = put(root, "result", or_empty(result)) && ok;
    return finish(root, ok, len);
}

char *rmi_rpc_write_error(json_t *id, int code, const char *message, json_t *data, size_t *len) {
    json_t *error = json_object();
    bool ok = put(error, "code", json_integer(code));
    ok = put(error, "message", json_string(message)) && ok;
    if (data)
        ok = put(error, "data", data) && ok;
    json_t *root = json_object();
    ok = put(root, "jsonrpc", json_string("2.0")) && ok;
    ok = put(root, "id", id_or_null(id)) && ok;
    ok = put(root, "error", error) && ok;
    return finish(root, ok, len);
}
