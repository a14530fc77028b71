/* SPDX-License-Identifier: Apache-2.0 */
#include "signaling/dialect.h"

#include "signaling/jsonrpc.h"
#include <string.h>

const struct rmi_sig_dialect rmi_sig_dialect_peer = {
    .name = "peer",
    .methods =
        {
            [RMI_SIG_M_ANNOUNCE] = "peer.announce",
            [RMI_SIG_M_OFFER] = "peer.offer",
            [RMI_SIG_M_ANSWER] = "peer.answer",
            [RMI_SIG_M_CANDIDATE] = "peer.ice_candidate",
            [RMI_SIG_M_DISCONNECT] = "peer.disconnect",
            [RMI_SIG_M_LIST] = "peer.list",
            [RMI_SIG_M_JOINED] = "peer.joined",
            [RMI_SIG_M_LEFT] = "peer.left",
            [RMI_SIG_M_DISCONNECTED] = "peer.disconnected",
            [RMI_SIG_M_STATE_CHANGE] = "peer.state_change",
        },
    .from_key = "from",
    .to_key = "to",
    .mline_key = "sdp_m_line_index",
};

const struct rmi_sig_dialect rmi_sig_dialect_unprefixed = {
    .name = "unprefixed",
    .methods =
        {
            [RMI_SIG_M_ANNOUNCE] = "announce",
            [RMI_SIG_M_OFFER] = "offer",
            [RMI_SIG_M_ANSWER] = "answer",
            [RMI_SIG_M_CANDIDATE] = "ice_candidate",
            [RMI_SIG_M_DISCONNECT] = "disconnect",
            [RMI_SIG_M_LIST] = "list_peers",
            [RMI_SIG_M_JOINED] = "peer_joined",
            [RMI_SIG_M_LEFT] = "peer_left",
            [RMI_SIG_M_DISCONNECTED] = "peer_disconnected",
        },
    .from_key = "from_peer_id",
    .to_key = "to_peer_id",
    .mline_key = "sdp_mline_index",
    .caps_as_object = true,
    .one_server_error_code = true,
    .has_offer_id = true,
    .has_sdp_type = true,
};

static const struct rmi_sig_dialect *const dialects[] = {&rmi_sig_dialect_peer, &rmi_sig_dialect_unprefixed};

/* Names that older documents of the protocol use beside the ones in the tables. */
static const struct {
    const char *name;
    enum rmi_sig_method method;
} other_names[] = {
    {"peer.announced", RMI_SIG_M_JOINED},
    {"peer.state_changed", RMI_SIG_M_STATE_CHANGE},
};

enum rmi_sig_method rmi_sig_method_of(const char *name, const struct rmi_sig_dialect **dialect) {
    for (size_t d = 0; d < sizeof dialects / sizeof dialects[0]; d++) {
        for (int m = 0; m < RMI_SIG_M_COUNT; m++) {
            if (!dialects[d]->methods[m] || strcmp(dialects[d]->methods[m], name) != 0)
                continue;
            if (dialect)
                *dialect = dialects[d];
            return (enum rmi_sig_method)m;
        }
    }
    if (dialect)
        *dialect = &rmi_sig_dialect_peer;
    for (size_t i = 0; i < sizeof other_names / sizeof other_names[0]; i++)
        if (strcmp(other_names[i].name, name) == 0)
            return other_names[i].method;
    return RMI_SIG_M_UNKNOWN;
}

bool rmi_sig_id_valid(const char *id) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const size_t n = strnlen(id, RMI_SIG_MAX_ID + 1);
    return n >= 1 && n <= RMI_SIG_MAX_ID && strspn(id, alphabet) == n;
}

static json_t *member(const json_t *object, const char *const *keys) {
    for (; *keys; keys++) {
        json_t *value = json_object_get(object, *keys);
        if (value && !json_is_null(value))
            return value;
    }
    return NULL;
}

const char *rmi_sig_member(const json_t *object, const char *const *keys) {
    for (; *keys; keys++) {
        const char *text = json_string_value(json_object_get(object, *keys));
        if (text)
            return text;
    }
    return NULL;
}

const char *rmi_sig_from(const json_t *params) {
    static const char *const keys[] = {"from", "from_peer_id", NULL};
    return rmi_sig_member(params, keys);
}

const char *rmi_sig_to(const json_t *params) {
    static const char *const keys[] = {"to", "to_peer_id", NULL};
    return rmi_sig_member(params, keys);
}

static const struct {
    const char *name;
    unsigned bit;
} cap_names[] = {{"audio", RMI_SIG_CAP_AUDIO}, {"video", RMI_SIG_CAP_VIDEO}, {"data", RMI_SIG_CAP_DATA}};
#define CAP_COUNT (sizeof cap_names / sizeof cap_names[0])

static unsigned cap_of(const char *name) {
    for (size_t i = 0; name && i < CAP_COUNT; i++)
        if (strcmp(cap_names[i].name, name) == 0)
            return cap_names[i].bit;
    return 0;
}

unsigned rmi_sig_caps_parse(const json_t *caps) {
    unsigned bits = 0;
    for (size_t i = 0; i < json_array_size(caps); i++)
        bits |= cap_of(json_string_value(json_array_get(caps, i)));
    for (size_t i = 0; i < CAP_COUNT; i++)
        if (json_is_true(json_object_get(caps, cap_names[i].name)))
            bits |= cap_names[i].bit;
    return bits;
}

json_t *rmi_sig_caps_write(const struct rmi_sig_dialect *dialect, unsigned caps) {
    json_t *out = dialect->caps_as_object ? json_object() : json_array();
    for (size_t i = 0; i < CAP_COUNT; i++) {
        const bool has = (caps & cap_names[i].bit) != 0;
        if (dialect->caps_as_object)
            json_object_set_new(out, cap_names[i].name, json_boolean(has));
        else if (has)
            json_array_append_new(out, json_string(cap_names[i].name));
    }
    return out;
}

bool rmi_sig_sdp_plausible(const char *sdp, bool need_media, const char **reason) {
    *reason = "";
    if (strncmp(sdp, "v=0", 3) != 0)
        *reason = "the description does not start with v=0";
    else if (need_media && !strstr(sdp, "\nm="))
        *reason = "the description has no m= line";
    return **reason == '\0';
}

static bool has_control(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ')
            return true;
    return false;
}

static rm_err copy_candidate(const char *text, struct rmi_sig_candidate *out) {
    if (strncmp(text, "a=", 2) == 0)
        text += 2;
    size_t n = strnlen(text, RMI_SIG_MAX_CANDIDATE + 1);
    if (n > RMI_SIG_MAX_CANDIDATE)
        return RM_E_ICE_CANDIDATE_INVALID;
    while (n > 0 && strchr("\r\n \t", text[n - 1]))
        n--;
    memcpy(out->text, text, n);
    out->text[n] = '\0';
    static const char prefix[] = "candidate:";
    const bool ok = n == 0 || strncmp(out->text, prefix, sizeof prefix - 1) == 0;
    /* A line break inside would smuggle further lines into the description the candidate ends up in. */
    return ok && !has_control(out->text) ? RM_OK : RM_E_ICE_CANDIDATE_INVALID;
}

/* mid and index of `object`, where they are given. */
static rm_err read_place(const json_t *object, struct rmi_sig_candidate *out) {
    static const char *const mid_keys[] = {"sdp_mid", "sdpMid", NULL};
    static const char *const index_keys[] = {"sdp_m_line_index", "sdp_mline_index", "sdpMLineIndex", NULL};
    const char *mid = rmi_sig_member(object, mid_keys);
    if (mid) {
        if (strlen(mid) > RMI_SIG_MAX_MID || has_control(mid))
            return RM_E_RPC_INVALID_PARAMS;
        memcpy(out->mid, mid, strlen(mid) + 1);
    }
    const json_t *index = member(object, index_keys);
    if (index) {
        const int64_t value = rmi_rpc_id_int(index);
        if (value < 0 || value > UINT16_MAX) /* WebRTC: sdpMLineIndex is an unsigned short */
            return RM_E_RPC_INVALID_PARAMS;
        out->mline_index = (int)value;
    }
    return RM_OK;
}

static rm_err parse_wrapped(const json_t *object, struct rmi_sig_candidate *out) {
    const json_t *inner = json_object_get(object, "candidate");
    if (inner && !json_is_null(inner) && !json_is_string(inner))
        return RM_E_RPC_INVALID_PARAMS;
    const rm_err err = read_place(object, out);
    return err ? err : copy_candidate(json_is_string(inner) ? json_string_value(inner) : "", out);
}

rm_err rmi_sig_candidate_parse(const json_t *params, struct rmi_sig_candidate *out) {
    *out = (struct rmi_sig_candidate){.mline_index = -1};
    const json_t *candidate = json_object_get(params, "candidate");
    if (!candidate)
        return RM_E_RPC_INVALID_PARAMS;
    rm_err err = read_place(params, out);
    if (err)
        return err;
    if (json_is_null(candidate)) /* what a browser's last icecandidate event holds */
        return RM_OK;
    if (json_is_object(candidate))
        return parse_wrapped(candidate, out);
    if (!json_is_string(candidate))
        return RM_E_RPC_INVALID_PARAMS;
    const char *text = json_string_value(candidate);
    if (*text != '{')
        return copy_candidate(text, out);
    json_t *wrapped = NULL;
    if (rmi_json_parse(text, strlen(text), &wrapped))
        return RM_E_ICE_CANDIDATE_INVALID;
    err = parse_wrapped(wrapped, out);
    json_decref(wrapped);
    return err;
}

static bool put(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

static json_t *checked(json_t *object, bool ok) {
    if (ok)
        return object;
    json_decref(object);
    return NULL;
}

json_t *rmi_sig_addressed(const struct rmi_sig_dialect *dialect, const char *from, const char *to) {
    json_t *p = json_object();
    /* "from" and "to" in every dialect: whoever does not look for them ignores them. */
    const bool ok = put(p, "from", json_string(from)) && put(p, "to", json_string(to)) &&
                    put(p, dialect->from_key, json_string(from)) && put(p, dialect->to_key, json_string(to));
    return checked(p, ok);
}

json_t *rmi_sig_sdp_params(const struct rmi_sig_dialect *dialect, const char *from, const char *to, const char *type,
                           const char *sdp) {
    json_t *p = rmi_sig_addressed(dialect, from, to);
    const bool ok = !dialect->has_sdp_type || put(p, "type", json_string(type));
    return checked(p, ok && put(p, "sdp", json_string(sdp)));
}

json_t *rmi_sig_candidate_params(const struct rmi_sig_dialect *dialect, const char *from, const char *to,
                                 const char *text, const char *mid, int mline_index) {
    json_t *p = rmi_sig_addressed(dialect, from, to);
    bool ok = put(p, "candidate", json_string(text));
    ok = ok && put(p, "sdp_mid", mid && *mid ? json_string(mid) : json_null());
    ok = ok && put(p, dialect->mline_key, mline_index >= 0 ? json_integer(mline_index) : json_null());
    return checked(p, ok);
}
