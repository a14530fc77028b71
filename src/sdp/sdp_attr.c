/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/sdp_private.h"
#include <string.h>

#define PT_MAX 127
/* RFC 8839 5.4. */
#define UFRAG_MIN 4
#define PWD_MIN 22
#define EXTMAP_ID_MAX 255 /* two-byte headers (RFC 8285 4.3) */

/* `m` is the section, or the collector of the session level. */
typedef rm_err (*attribute_fn)(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value);

static rm_err no_memory(struct rmi_sdp_parser *p) {
    return rmi_sdp_fail(p, RM_E_NO_MEMORY, "no memory");
}

/* A value that may be there once; the very same again is harmless, another one is not. */
static rm_err set_once(struct rmi_sdp_parser *p, struct rmi_rd value, const char *what, const char **field) {
    struct rmi_rd token = rmi_sdp_trim(value);
    if ((*field)[0]) {
        if (rmi_sdp_token_is(&token, *field))
            return RM_OK;
        return rmi_sdp_fail(p, RM_E_SDP, "%s given twice", what);
    }
    return rmi_sdp_copy_token(p, &token, what, field);
}

static rm_err on_mid(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    struct rmi_rd token = rmi_sdp_trim(value);
    if (token.len && memchr(token.data, ' ', token.len))
        return rmi_sdp_fail(p, RM_E_SDP, "a=mid has a space");
    if (token.len > RMI_SDP_MID_MAX)
        return rmi_sdp_fail(p, RM_E_TOO_BIG, "a=mid is longer than %d", RMI_SDP_MID_MAX);
    return set_once(p, value, "a=mid", &m->mid);
}

static rm_err ice_credential(struct rmi_sdp_parser *p, struct rmi_rd value, size_t min, const char *what,
                             const char **field) {
    struct rmi_rd token = rmi_sdp_trim(value);
    for (size_t i = 0; i < token.len; i++) {
        uint8_t c = token.data[i];
        /* ice-char, and '-' and '_', which some senders use and which do no harm. */
        bool ok =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c != 0 && strchr("+/-_", c));
        if (!ok)
            return rmi_sdp_fail(p, RM_E_SDP, "%s has a character outside the ice-char set", what);
    }
    if (token.len && token.len < min)
        return rmi_sdp_fail(p, RM_E_SDP, "%s is shorter than %zu", what, min);
    return set_once(p, value, what, field);
}

static rm_err on_ufrag(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    return ice_credential(p, value, UFRAG_MIN, "a=ice-ufrag", &m->ice_ufrag);
}

static rm_err on_pwd(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    return ice_credential(p, value, PWD_MIN, "a=ice-pwd", &m->ice_pwd);
}

static rm_err on_ice_options(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    (void)p;
    for (struct rmi_rd word = rmi_sdp_word(&value); word.len; word = rmi_sdp_word(&value)) {
        if (rmi_sdp_token_is(&word, "trickle"))
            m->trickle = true;
    }
    return RM_OK;
}

static rm_err on_ice_lite(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    (void)m;
    (void)value;
    p->sdp->ice_lite = true;
    return RM_OK;
}

static rm_err on_end_of_candidates(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    (void)p;
    (void)value;
    m->end_of_candidates = true;
    return RM_OK;
}

static rm_err on_fingerprint(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    struct rmi_rd token = rmi_sdp_trim(value);
    struct rmi_rd line = token;
    struct rmi_rd hash = rmi_sdp_word(&line);
    struct rmi_rd digest = rmi_sdp_trim(rmi_sdp_rest(&line));
    if (hash.len == 0 || digest.len == 0)
        return rmi_sdp_fail(p, RM_E_SDP, "a=fingerprint needs a hash name and a digest");
    for (size_t i = 0; i < digest.len; i++) {
        uint8_t c = digest.data[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (i % 3 == 2 ? c != ':' : !hex)
            return rmi_sdp_fail(p, RM_E_SDP, "a=fingerprint is not AA:BB:..");
    }
    if (digest.len % 3 != 2)
        return rmi_sdp_fail(p, RM_E_SDP, "a=fingerprint is not AA:BB:..");
    if (m->fingerprint_count >= RMI_SDP_FINGERPRINT_MAX)
        return rmi_sdp_fail(p, RM_E_TOO_BIG, "more than %d fingerprints", RMI_SDP_FINGERPRINT_MAX);
    rm_err err = rmi_sdp_copy_token(p, &token, "a=fingerprint", &m->fingerprints[m->fingerprint_count]);
    if (!err)
        m->fingerprint_count++;
    return err;
}

static rm_err on_setup(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    static const struct {
        const char *name;
        enum rmi_sdp_setup setup;
    } values[] = {{"actpass", RMI_SETUP_ACTPASS},
                  {"active", RMI_SETUP_ACTIVE},
                  {"passive", RMI_SETUP_PASSIVE},
                  {"holdconn", RMI_SETUP_HOLDCONN}};
    struct rmi_rd token = rmi_sdp_trim(value);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (!rmi_sdp_token_is_nocase(&token, values[i].name))
            continue;
        if (m->setup != RMI_SETUP_NONE && m->setup != values[i].setup)
            return rmi_sdp_fail(p, RM_E_SDP, "a=setup given twice");
        m->setup = values[i].setup;
        return RM_OK;
    }
    return rmi_sdp_fail(p, RM_E_SDP, "a=setup has an unknown value");
}

static rm_err on_tls_id(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    return set_once(p, value, "a=tls-id", &m->tls_id);
}

static bool direction_of(const struct rmi_rd *token, enum rmi_direction *out) {
    static const struct {
        const char *name;
        enum rmi_direction direction;
    } values[] = {{"sendrecv", RMI_DIR_SENDRECV},
                  {"sendonly", RMI_DIR_SENDONLY},
                  {"recvonly", RMI_DIR_RECVONLY},
                  {"inactive", RMI_DIR_INACTIVE}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (rmi_sdp_token_is(token, values[i].name)) {
            *out = values[i].direction;
            return true;
        }
    }
    return false;
}

static rm_err on_rtcp_mux(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    (void)p;
    (void)value;
    m->rtcp_mux = true;
    return RM_OK;
}

static rm_err on_rtcp_rsize(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    (void)p;
    (void)value;
    m->rtcp_rsize = true;
    return RM_OK;
}

static rm_err on_bundle_only(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    (void)p;
    (void)value;
    m->bundle_only = true;
    return RM_OK;
}

static rm_err on_candidate(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    static const char prefix[] = "candidate:";
    char line[RMI_CAND_TEXT_MAX];
    struct rmi_candidate candidate;
    size_t len = sizeof prefix - 1 + value.len;
    if (len > sizeof line) {
        m->candidates_skipped++;
        return RM_OK;
    }
    memcpy(line, prefix, sizeof prefix - 1);
    if (value.len)
        memcpy(line + sizeof prefix - 1, value.data, value.len);
    /* One bad or surplus candidate must not cost the session: the other ones may work. */
    if (m->candidate_count >= RMI_SDP_CANDIDATE_MAX || rmi_candidate_parse(line, len, &candidate)) {
        m->candidates_skipped++;
        return RM_OK;
    }
    struct rmi_candidate *slot = rmi_sdp_add_candidate(p->sdp, m);
    if (!slot)
        return no_memory(p);
    *slot = candidate;
    return RM_OK;
}

/* The payload type at the start of a value; the entry of the m= line that it names, or NULL when it names none. */
static rm_err payload_type(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd *value, const char *what,
                           struct rmi_sdp_codec **out) {
    struct rmi_rd word = rmi_sdp_word(value);
    uint64_t pt;
    *out = NULL;
    if (!rmi_sdp_token_number(&word, PT_MAX, &pt))
        return rmi_sdp_fail(p, RM_E_SDP, "%s: payload type not in 0..127", what);
    for (size_t i = 0; i < m->codec_count; i++) {
        if (m->codecs[i].pt == pt)
            *out = &m->codecs[i];
    }
    return RM_OK;
}

static rm_err on_rtpmap(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    struct rmi_sdp_codec *codec;
    rm_err err = payload_type(p, m, &value, "a=rtpmap", &codec);
    if (err)
        return err;
    struct rmi_rd encoding = rmi_sdp_word(&value);
    struct rmi_rd name = rmi_sdp_until(&encoding, '/');
    struct rmi_rd clock = rmi_sdp_until(&encoding, '/');
    struct rmi_rd channels = rmi_sdp_rest(&encoding);
    uint64_t rate, count = 1;
    if (!rmi_sdp_token_number(&clock, UINT32_MAX, &rate) || rate == 0)
        return rmi_sdp_fail(p, RM_E_SDP, "a=rtpmap: clock rate not a number");
    if (channels.len && (!rmi_sdp_token_number(&channels, UINT8_MAX, &count) || count == 0))
        return rmi_sdp_fail(p, RM_E_SDP, "a=rtpmap: channels not in 1..255");
    if (!codec)
        return RM_OK;
    if (codec->name[0]) {
        bool same = rmi_sdp_token_is_nocase(&name, codec->name) && codec->clock == rate && codec->channels == count;
        return same ? RM_OK : rmi_sdp_fail(p, RM_E_SDP, "a=rtpmap:%u given twice", codec->pt);
    }
    err = rmi_sdp_copy_token(p, &name, "a=rtpmap encoding name", &codec->name);
    codec->clock = (uint32_t)rate;
    codec->channels = (uint8_t)count;
    return err;
}

static rm_err on_fmtp(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    struct rmi_sdp_codec *codec;
    rm_err err = payload_type(p, m, &value, "a=fmtp", &codec);
    struct rmi_rd text = rmi_sdp_trim(rmi_sdp_rest(&value));
    if (err || !codec || text.len == 0 || codec->fmtp[0])
        return err;
    /* Sprop parameter sets can be long, so the bound is the line's and only control characters matter. */
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] == 0x7f)
            return rmi_sdp_fail(p, RM_E_SDP, "a=fmtp has a control character");
    }
    codec->fmtp = rmi_sdp_text(p->sdp, (const char *)text.data, text.len);
    return codec->fmtp ? RM_OK : no_memory(p);
}

static uint32_t feedback_flag(struct rmi_rd value) {
    static const struct {
        const char *type, *parameter;
        uint32_t flag;
    } known[] = {
        {"nack", "", RMI_FB_NACK},
        {"nack", "pli", RMI_FB_NACK_PLI},
        {"ccm", "fir", RMI_FB_CCM_FIR},
        {"goog-remb", "", RMI_FB_GOOG_REMB},
        {"transport-cc", "", RMI_FB_TRANSPORT_CC},
        {"nack", "ecn", RMI_FB_NACK_ECN},
    };
    struct rmi_rd type = rmi_sdp_word(&value);
    struct rmi_rd parameter = rmi_sdp_word(&value);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (rmi_sdp_token_is_nocase(&type, known[i].type) && rmi_sdp_token_is_nocase(&parameter, known[i].parameter))
            return known[i].flag;
    }
    return 0;
}

static rm_err on_rtcp_fb(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    struct rmi_rd ahead = value;
    struct rmi_rd first = rmi_sdp_word(&ahead);
    if (rmi_sdp_token_is(&first, "*")) {
        for (size_t i = 0; i < m->codec_count; i++)
            m->codecs[i].feedback |= feedback_flag(ahead);
        return RM_OK;
    }
    struct rmi_sdp_codec *codec;
    rm_err err = payload_type(p, m, &value, "a=rtcp-fb", &codec);
    if (codec)
        codec->feedback |= feedback_flag(value);
    return err;
}

static void ecn_parameter(struct rmi_sdp_media *m, struct rmi_rd parameter) {
    struct rmi_rd name = rmi_sdp_until(&parameter, '=');
    struct rmi_rd value = rmi_sdp_trim(rmi_sdp_rest(&parameter));
    name = rmi_sdp_trim(name);
    if (!rmi_sdp_token_is_nocase(&name, "mode"))
        return; /* ect= is a wish that RFC 8311 5 took back; others are unknown */
    m->ecn_no_read = rmi_sdp_token_is_nocase(&value, "setonly");
    m->ecn_no_set = rmi_sdp_token_is_nocase(&value, "readonly");
}

static rm_err on_ecn(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    static const struct {
        const char *name;
        unsigned method;
    } methods[] = {{"rtp", RMI_ECN_BY_RTP}, {"ice", RMI_ECN_BY_ICE}, {"leap", RMI_ECN_BY_LEAP}};
    (void)p;
    struct rmi_rd list = rmi_sdp_word(&value);
    while (rmi_rd_left(&list) > 0) {
        struct rmi_rd name = rmi_sdp_until(&list, ',');
        for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
            if (rmi_sdp_token_is_nocase(&name, methods[i].name))
                m->ecn |= methods[i].method;
    }
    while (rmi_rd_left(&value) > 0)
        ecn_parameter(m, rmi_sdp_until(&value, ';'));
    return RM_OK;
}

static rm_err on_rtcp_xr(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    (void)p;
    for (struct rmi_rd word = rmi_sdp_word(&value); word.len; word = rmi_sdp_word(&value))
        m->ecn_summary = m->ecn_summary || rmi_sdp_token_is_nocase(&word, "ecn-sum");
    return RM_OK;
}

static rm_err on_extmap(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    struct rmi_rd head = rmi_sdp_word(&value);
    struct rmi_rd id = rmi_sdp_until(&head, '/');
    struct rmi_rd direction = rmi_sdp_rest(&head);
    struct rmi_rd uri = rmi_sdp_word(&value);
    enum rmi_direction dir = RMI_DIR_SENDRECV;
    uint64_t number;
    /* 4096 and above are provisional numbers of offers (RFC 8285 5), which WebRTC does not use. */
    if (!rmi_sdp_token_number(&id, UINT16_MAX, &number) || number == 0)
        return rmi_sdp_fail(p, RM_E_SDP, "a=extmap id is not a number from 1");
    if (direction.len && !direction_of(&direction, &dir))
        return rmi_sdp_fail(p, RM_E_SDP, "a=extmap has an unknown direction");
    if (uri.len == 0)
        return rmi_sdp_fail(p, RM_E_SDP, "a=extmap has no name");
    if (number > EXTMAP_ID_MAX)
        return RM_OK;
    if (m->extmap_count >= RMI_SDP_EXTMAP_MAX)
        return rmi_sdp_fail(p, RM_E_TOO_BIG, "more than %d header extensions", RMI_SDP_EXTMAP_MAX);
    struct rmi_sdp_extmap *e = rmi_sdp_add_extmap(p->sdp, m);
    if (!e)
        return no_memory(p);
    e->id = (uint8_t)number;
    e->direction = dir;
    return rmi_sdp_copy_token(p, &uri, "a=extmap", &e->uri);
}

static rm_err on_msid(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    struct rmi_rd stream = rmi_sdp_word(&value);
    struct rmi_rd track = rmi_sdp_word(&value);
    if (m->msid_stream[0])
        return RM_OK; /* a track in several streams has several lines; the first one counts */
    rm_err err = rmi_sdp_copy_token(p, &stream, "a=msid", &m->msid_stream);
    if (!err && track.len)
        err = rmi_sdp_copy_token(p, &track, "a=msid", &m->msid_track);
    return err;
}

static rm_err on_ssrc(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    struct rmi_rd number = rmi_sdp_word(&value);
    struct rmi_rd rest = rmi_sdp_rest(&value);
    struct rmi_rd name = rmi_sdp_until(&rest, ':');
    struct rmi_rd text = rmi_sdp_trim(rmi_sdp_rest(&rest));
    struct rmi_sdp_ssrc *entry = NULL;
    uint64_t ssrc;
    if (!rmi_sdp_token_number(&number, UINT32_MAX, &ssrc))
        return rmi_sdp_fail(p, RM_E_SDP, "a=ssrc is not a 32-bit number");
    for (size_t i = 0; i < m->ssrc_count; i++) {
        if (m->ssrcs[i].ssrc == ssrc)
            entry = &m->ssrcs[i];
    }
    if (!entry) {
        if (m->ssrc_count >= RMI_SDP_SSRC_MAX)
            return rmi_sdp_fail(p, RM_E_TOO_BIG, "more than %d sources", RMI_SDP_SSRC_MAX);
        entry = rmi_sdp_add_ssrc(p->sdp, m);
        if (!entry)
            return no_memory(p);
        entry->ssrc = (uint32_t)ssrc;
    }
    if (rmi_sdp_token_is(&name, "cname") && text.len && !entry->cname[0])
        return rmi_sdp_copy_token(p, &text, "a=ssrc cname", &entry->cname);
    return RM_OK;
}

static rm_err on_ssrc_group(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    struct rmi_rd semantics = rmi_sdp_word(&value);
    struct rmi_rd first = rmi_sdp_word(&value);
    struct rmi_rd second = rmi_sdp_word(&value);
    uint64_t media, rtx;
    if (!rmi_sdp_token_is(&semantics, "FID"))
        return RM_OK;
    if (!rmi_sdp_token_number(&first, UINT32_MAX, &media) || !rmi_sdp_token_number(&second, UINT32_MAX, &rtx))
        return rmi_sdp_fail(p, RM_E_SDP, "a=ssrc-group:FID needs two 32-bit numbers");
    if (m->fid_count >= RMI_SDP_FID_MAX)
        return rmi_sdp_fail(p, RM_E_TOO_BIG, "more than %d source groups", RMI_SDP_FID_MAX);
    struct rmi_sdp_fid *fid = rmi_sdp_add_fid(p->sdp, m);
    if (!fid)
        return no_memory(p);
    fid->media_ssrc = (uint32_t)media;
    fid->rtx_ssrc = (uint32_t)rtx;
    return RM_OK;
}

static rm_err on_sctp_port(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    struct rmi_rd token = rmi_sdp_word(&value);
    uint64_t port;
    if (!rmi_sdp_token_number(&token, UINT16_MAX, &port))
        return rmi_sdp_fail(p, RM_E_SDP, "SCTP port not in 0..65535");
    if (m->sctp_port >= 0 && m->sctp_port != (int32_t)port)
        return rmi_sdp_fail(p, RM_E_SDP, "SCTP port given twice");
    m->sctp_port = (int32_t)port;
    return RM_OK;
}

static rm_err on_max_message_size(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    struct rmi_rd token = rmi_sdp_trim(value);
    uint64_t size;
    if (!rmi_sdp_token_number(&token, INT64_MAX, &size))
        return rmi_sdp_fail(p, RM_E_SDP, "a=max-message-size is not a number");
    if (m->max_message_size >= 0 && m->max_message_size != (int64_t)size)
        return rmi_sdp_fail(p, RM_E_SDP, "a=max-message-size given twice");
    m->max_message_size = (int64_t)size;
    return RM_OK;
}

static rm_err on_group(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    (void)m;
    struct rmi_sdp *sdp = p->sdp;
    struct rmi_rd semantics = rmi_sdp_word(&value);
    /* With several groups the first one is the transport we take; the rest is refused as not bundled. */
    if (!rmi_sdp_token_is(&semantics, "BUNDLE") || sdp->has_bundle)
        return RM_OK;
    sdp->has_bundle = true;
    for (struct rmi_rd word = rmi_sdp_word(&value); word.len; word = rmi_sdp_word(&value)) {
        const char *mid = "";
        rm_err err = rmi_sdp_copy_token(p, &word, "a=group", &mid);
        if (err)
            return err;
        if (rmi_sdp_bundled(sdp, mid))
            continue;
        if (sdp->bundle_count >= RMI_SDP_GROUP_MAX)
            return rmi_sdp_fail(p, RM_E_TOO_BIG, "a=group has more than %d members", RMI_SDP_GROUP_MAX);
        sdp->bundle[sdp->bundle_count++] = mid;
    }
    return RM_OK;
}

static rm_err on_allow_mixed(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    (void)m;
    (void)value;
    p->sdp->extmap_allow_mixed = true;
    return RM_OK;
}

static rm_err on_answers(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd value) {
    (void)m;
    struct rmi_rd id = rmi_sdp_word(&value), version = rmi_sdp_word(&value);
    /* Malformed: as if it were not there, like every attribute that is not understood. */
    p->sdp->has_answers = rmi_sdp_token_number(&id, UINT64_MAX, &p->sdp->answers_id) &&
                          rmi_sdp_token_number(&version, UINT64_MAX, &p->sdp->answers_version);
    return RM_OK;
}

#define SESSION 1U
#define MEDIA 2U

static const struct {
    const char *name;
    unsigned levels;
    attribute_fn fn;
} attributes[] = {
    {"mid", MEDIA, on_mid},
    {"ice-ufrag", SESSION | MEDIA, on_ufrag},
    {"ice-pwd", SESSION | MEDIA, on_pwd},
    {"ice-options", SESSION | MEDIA, on_ice_options},
    {"ice-lite", SESSION, on_ice_lite},
    {"end-of-candidates", SESSION | MEDIA, on_end_of_candidates},
    {"fingerprint", SESSION | MEDIA, on_fingerprint},
    {"setup", SESSION | MEDIA, on_setup},
    {"tls-id", SESSION | MEDIA, on_tls_id},
    {"rtcp-mux", MEDIA, on_rtcp_mux},
    {"rtcp-mux-only", MEDIA, on_rtcp_mux},
    {"rtcp-rsize", MEDIA, on_rtcp_rsize},
    {"bundle-only", MEDIA, on_bundle_only},
    {"candidate", MEDIA, on_candidate},
    {"rtpmap", MEDIA, on_rtpmap},
    {"fmtp", MEDIA, on_fmtp},
    {"rtcp-fb", MEDIA, on_rtcp_fb},
    {"ecn-capable-rtp", MEDIA, on_ecn},
    {"rtcp-xr", MEDIA, on_rtcp_xr},
    {"extmap", MEDIA, on_extmap},
    {"msid", MEDIA, on_msid},
    {"ssrc", MEDIA, on_ssrc},
    {"ssrc-group", MEDIA, on_ssrc_group},
    {"sctp-port", MEDIA, on_sctp_port},
    {"sctpmap", MEDIA, on_sctp_port},
    {"max-message-size", MEDIA, on_max_message_size},
    {"group", SESSION, on_group},
    {"extmap-allow-mixed", SESSION | MEDIA, on_allow_mixed},
    {"x-answers", SESSION, on_answers},
};

static rm_err set_direction(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, enum rmi_direction direction) {
    bool *given = p->media ? &p->media_has_direction : &p->session_has_direction;
    if (*given && m->direction != direction)
        return rmi_sdp_fail(p, RM_E_SDP, "two directions");
    *given = true;
    m->direction = direction;
    return RM_OK;
}

rm_err rmi_sdp_parse_attribute(struct rmi_sdp_parser *p, struct rmi_rd line) {
    struct rmi_rd value = line;
    struct rmi_rd name = rmi_sdp_until(&value, ':');
    struct rmi_sdp_media *m = p->media ? p->media : &p->session;
    unsigned level = p->media ? MEDIA : SESSION;
    enum rmi_direction direction;
    value = rmi_sdp_rest(&value);
    if (direction_of(&name, &direction))
        return set_direction(p, m, direction);
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if (rmi_sdp_token_is(&name, attributes[i].name))
            return attributes[i].levels & level ? attributes[i].fn(p, m, value) : RM_OK;
    }
    return RM_OK;
}
