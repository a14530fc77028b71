/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/sdp_private.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PORT_MAX 65535
#define PT_MAX 127

rm_err rmi_sdp_fail(struct rmi_sdp_parser *p, rm_err err, const char *fmt, ...) {
    if (p->fault) {
        va_list args;
        va_start(args, fmt);
        p->fault->line = p->line;
        vsnprintf(p->fault->text, sizeof p->fault->text, fmt, args);
        va_end(args);
    }
    return err;
}

/* Control characters could smuggle a second line into what we write back. */
static bool has_control(const struct rmi_rd *token) {
    for (size_t i = 0; i < token->len; i++) {
        if ((token->data[i] < ' ' && token->data[i] != '\t') || token->data[i] == 0x7f)
            return true;
    }
    return false;
}

rm_err rmi_sdp_copy_token(struct rmi_sdp_parser *p, const struct rmi_rd *token, const char *what, const char **out) {
    if (token->len == 0)
        return rmi_sdp_fail(p, RM_E_SDP, "%s has no value", what);
    if (token->len > RMI_SDP_TOKEN_MAX)
        return rmi_sdp_fail(p, RM_E_TOO_BIG, "%s is longer than %d", what, RMI_SDP_TOKEN_MAX);
    if (has_control(token))
        return rmi_sdp_fail(p, RM_E_SDP, "%s has a control character", what);
    const char *text = rmi_sdp_text(p->sdp, (const char *)token->data, token->len);
    if (!text)
        return rmi_sdp_fail(p, RM_E_NO_MEMORY, "no memory");
    *out = text;
    return RM_OK;
}

/* Payload types that need no rtpmap (RFC 3551 table 4), so that a refusal can name what was offered. */
static void static_payload(struct rmi_sdp_codec *c) {
    static const struct {
        uint8_t pt;
        const char *name;
    } types[] = {{0, "PCMU"}, {3, "GSM"}, {8, "PCMA"}, {9, "G722"}, {13, "CN"}, {18, "G729"}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].pt == c->pt && !c->name[0]) {
            c->name = types[i].name;
            c->clock = 8000;
        }
    }
}

static rm_err parse_payload_types(struct rmi_sdp_parser *p, struct rmi_sdp_media *m, struct rmi_rd line) {
    for (;;) {
        struct rmi_rd word = rmi_sdp_word(&line);
        uint64_t pt;
        if (word.len == 0)
            return RM_OK;
        if (!rmi_sdp_token_number(&word, PT_MAX, &pt))
            return rmi_sdp_fail(p, RM_E_SDP, "payload type not in 0..127");
        if (rmi_sdp_codec_by_pt(m, (int)pt))
            continue;
        if (m->codec_count >= RMI_SDP_CODEC_MAX)
            return rmi_sdp_fail(p, RM_E_TOO_BIG, "more than %d payload types", RMI_SDP_CODEC_MAX);
        struct rmi_sdp_codec *codec = rmi_sdp_add_codec(p->sdp, m);
        if (!codec)
            return rmi_sdp_fail(p, RM_E_NO_MEMORY, "no memory");
        codec->pt = (uint8_t)pt;
    }
}

/* What the session level gives to a section that has none of its own (RFC 8839 5.4, RFC 8122 5, RFC 8866 6.7). */
static void finish_media(struct rmi_sdp_parser *p) {
    struct rmi_sdp_media *m = p->media;
    const struct rmi_sdp_media *s = &p->session;
    if (!m)
        return;
    if (!m->ice_ufrag[0] && !m->ice_pwd[0]) {
        m->ice_ufrag = s->ice_ufrag;
        m->ice_pwd = s->ice_pwd;
    }
    if (m->fingerprint_count == 0) {
        memcpy(m->fingerprints, s->fingerprints, sizeof m->fingerprints);
        m->fingerprint_count = s->fingerprint_count;
    }
    if (m->setup == RMI_SETUP_NONE)
        m->setup = s->setup;
    if (!m->tls_id[0])
        m->tls_id = s->tls_id;
    if (!p->media_has_direction)
        m->direction = s->direction;
    m->trickle = m->trickle || s->trickle;
    m->end_of_candidates = m->end_of_candidates || s->end_of_candidates;
    for (size_t i = 0; i < m->codec_count; i++) {
        struct rmi_sdp_codec *c = &m->codecs[i];
        size_t len;
        uint64_t apt;
        static_payload(c);
        if (!rmi_sdp_text_is_nocase(c->name, "rtx"))
            continue;
        const char *text = rmi_sdp_fmtp_param(c->fmtp, "apt", &len);
        struct rmi_rd token = rmi_rd_init(text ? text : "", len);
        if (rmi_sdp_token_number(&token, PT_MAX, &apt))
            c->apt = (int16_t)apt;
    }
}

static rm_err parse_media_line(struct rmi_sdp_parser *p, struct rmi_rd line) {
    finish_media(p);
    p->media = NULL;
    p->media_has_direction = false;
    struct rmi_rd kind = rmi_sdp_word(&line);
    struct rmi_rd ports = rmi_sdp_word(&line);
    struct rmi_rd port = rmi_sdp_until(&ports, '/');
    struct rmi_rd proto = rmi_sdp_word(&line);
    struct rmi_rd fmt = rmi_sdp_trim(rmi_sdp_rest(&line));
    const char *kind_name = NULL;
    uint64_t number;
    rm_err err = rmi_sdp_copy_token(p, &kind, "m= media type", &kind_name);
    if (err)
        return err;
    if (!rmi_sdp_token_number(&port, PORT_MAX, &number))
        return rmi_sdp_fail(p, RM_E_SDP, "m= port not in 0..65535");
    if (p->sdp->media_count >= RMI_SDP_MEDIA_MAX)
        return rmi_sdp_fail(p, RM_E_TOO_BIG, "more than %d media sections", RMI_SDP_MEDIA_MAX);
    struct rmi_sdp_media *m = rmi_sdp_add_media(p->sdp, kind_name);
    if (!m)
        return rmi_sdp_fail(p, RM_E_NO_MEMORY, "no memory");
    p->media = m;
    m->port = (uint16_t)number;
    err = rmi_sdp_copy_token(p, &proto, "m= protocol", &m->proto);
    if (err)
        return err;
    if (fmt.len == 0)
        return rmi_sdp_fail(p, RM_E_SDP, "m= has no format");
    if (has_control(&fmt))
        return rmi_sdp_fail(p, RM_E_SDP, "m= has a control character");
    m->fmt = rmi_sdp_text(p->sdp, (const char *)fmt.data, fmt.len);
    if (!m->fmt)
        return rmi_sdp_fail(p, RM_E_NO_MEMORY, "no memory");
    return strstr(m->proto, "RTP/") ? parse_payload_types(p, m, fmt) : RM_OK;
}

static rm_err parse_origin(struct rmi_sdp_parser *p, struct rmi_rd line) {
    rmi_sdp_word(&line);
    struct rmi_rd id = rmi_sdp_word(&line);
    struct rmi_rd version = rmi_sdp_word(&line);
    if (!rmi_sdp_token_number(&id, UINT64_MAX, &p->sdp->origin_id) ||
        !rmi_sdp_token_number(&version, UINT64_MAX, &p->sdp->origin_version))
        return rmi_sdp_fail(p, RM_E_SDP, "o= needs a numeric id and version");
    return RM_OK;
}

static rm_err parse_line(struct rmi_sdp_parser *p, struct rmi_rd line) {
    if (line.len < 2 || line.data[1] != '=' || line.data[0] < 'a' || line.data[0] > 'z')
        return rmi_sdp_fail(p, RM_E_SDP, "not of the form x=value");
    if (p->line == 1)
        return rmi_sdp_token_is(&line, "v=0") ? RM_OK : rmi_sdp_fail(p, RM_E_SDP, "does not start with v=0");
    if (p->line == 2 && line.data[0] != 'o')
        return rmi_sdp_fail(p, RM_E_SDP, "o= missing after v=");
    uint8_t type = rmi_rd_u8(&line);
    rmi_rd_skip(&line, 1);
    line = rmi_sdp_rest(&line);
    switch (type) {
    case 'v':
        return rmi_sdp_fail(p, RM_E_SDP, "second v=");
    case 'o':
        return p->line == 2 ? parse_origin(p, line) : rmi_sdp_fail(p, RM_E_SDP, "second o=");
    case 'm':
        return parse_media_line(p, line);
    case 'a':
        return rmi_sdp_parse_attribute(p, line);
    default:
        return RM_OK; /* s, t, c, b and the like mean nothing here */
    }
}

static rm_err parse_lines(struct rmi_sdp_parser *p, struct rmi_rd text) {
    while (rmi_rd_left(&text)) {
        struct rmi_rd line = rmi_sdp_until(&text, '\n');
        p->line++;
        if (line.len && line.data[line.len - 1] == '\r')
            line = rmi_rd_sub(&line, line.len - 1);
        if (line.len > RMI_SDP_LINE_MAX)
            return rmi_sdp_fail(p, RM_E_TOO_BIG, "line longer than %d", RMI_SDP_LINE_MAX);
        if (line.len && memchr(line.data, '\0', line.len))
            return rmi_sdp_fail(p, RM_E_SDP, "NUL character");
        if (line.len == 0 && p->line > 1)
            continue;
        rm_err err = parse_line(p, line);
        if (err)
            return err;
    }
    finish_media(p);
    if (p->line < 2)
        return rmi_sdp_fail(p, RM_E_SDP, "o= missing after v=");
    return RM_OK;
}

static rm_err check_mids(struct rmi_sdp_parser *p) {
    const struct rmi_sdp *sdp = p->sdp;
    for (size_t i = 0; i < sdp->media_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (sdp->media[i].mid[0] && strcmp(sdp->media[i].mid, sdp->media[k].mid) == 0)
                return rmi_sdp_fail(p, RM_E_SDP, "mid %.40s is used twice", sdp->media[i].mid);
        }
    }
    return RM_OK;
}

rm_err rmi_sdp_parse(const char *text, size_t len, struct rmi_sdp **out, struct rmi_sdp_fault *fault) {
    struct rmi_sdp_parser p = {.fault = fault};
    *out = NULL;
    if (fault)
        *fault = (struct rmi_sdp_fault){0};
    if (len > RMI_SDP_TEXT_MAX)
        return rmi_sdp_fail(&p, RM_E_TOO_BIG, "longer than %d", RMI_SDP_TEXT_MAX);
    p.sdp = rmi_sdp_create();
    if (!p.sdp)
        return rmi_sdp_fail(&p, RM_E_NO_MEMORY, "no memory");
    p.session.ice_ufrag = p.session.ice_pwd = p.session.tls_id = "";
    p.session.direction = RMI_DIR_SENDRECV;
    rm_err err = parse_lines(&p, rmi_rd_init(text, len));
    if (!err)
        err = check_mids(&p);
    if (err) {
        rmi_sdp_free(p.sdp);
        return err;
    }
    *out = p.sdp;
    return RM_OK;
}
