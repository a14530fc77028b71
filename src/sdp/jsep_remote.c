/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/jsep_private.h"
#include "sdp/sdp_private.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What becomes of one section of the remote's description. */
enum verdict {
    USABLE,
    REFUSED,   /* the remote gives it port 0 */
    PROFILE,   /* a transport protocol that we do not speak */
    CODEC,     /* nothing in common */
    UNBUNDLED, /* asks for a transport of its own */
    UNMUXED,   /* RTCP on a port of its own */
    SURPLUS,   /* a second data section, a kind that is switched off here, no room */
    ENDED,     /* we have stopped it */
};

/* One description being applied to j->scratch; nothing else changes before it is known to be good. */
struct applying {
    struct rmi_jsep *j;
    struct jsep_view *next;
    const struct jsep_view *base;
    struct rmi_sdp *sdp;
    bool answer;
    int tag; /* the section whose transport attributes count for the bundle (RFC 9143 7.1.3), or JSEP_NONE */
    enum verdict verdicts[RMI_SDP_MEDIA_MAX];
    char *detail;
};

static rm_err fail(struct applying *a, rm_err err, const char *fmt, ...) RM_PRINTF(3, 4);
static rm_err fail(struct applying *a, rm_err err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(a->detail, RMI_JSEP_DETAIL_MAX, fmt, args);
    va_end(args);
    return err;
}

static const char *verdict_text(enum verdict verdict) {
    switch (verdict) {
    case REFUSED:
        return "port 0";
    case PROFILE:
        return "transport protocol";
    case CODEC:
        return "no common codec";
    case UNBUNDLED:
        return "not bundled";
    case UNMUXED:
        return "no rtcp-mux";
    case SURPLUS:
        return "not wanted";
    case ENDED:
        return "stopped here";
    case USABLE:
        break;
    }
    return "usable";
}

static bool section_open(const struct applying *a, size_t i) {
    const struct rmi_sdp_media *m = &a->sdp->media[i];
    /* Port 0 with bundle-only in an offer is not a refusal (RFC 9143 6): GStreamer writes all but the first so. */
    return m->port != 0 || (!a->answer && m->bundle_only && rmi_sdp_bundled(a->sdp, m->mid));
}

/* --- shape: sections keep their place, kind and mid for life (RFC 8829 5.2.2) --- */

static rm_err check_shape(struct applying *a) {
    size_t count = a->sdp->media_count;
    if (count == 0)
        return fail(a, RM_E_SDP, "no media section");
    if (count < a->base->count || (a->answer && count != a->base->count))
        return fail(a, RM_E_SDP, "%zu media sections where %zu are expected", count, a->base->count);
    for (size_t i = 0; i < a->base->count; i++) {
        const struct jsep_section *s = &a->base->sections[i];
        const struct rmi_sdp_media *m = &a->sdp->media[i];
        if (s->dead && !a->answer)
            continue; /* may be recycled */
        if (s->dead && m->port != 0)
            return fail(a, RM_E_SDP, "section %zu was offered with port 0 and is answered with port %u", i, m->port);
        if (s->dead)
            continue;
        if (m->kind != s->kind)
            return fail(a, RM_E_SDP, "section %zu changes its kind to %.40s", i, m->kind_name);
        /* A refused section may come without its mid. */
        if ((m->mid[0] || section_open(a, i)) && strcmp(m->mid, s->mid) != 0)
            return fail(a, RM_E_SDP, "section %zu changes its mid from %s to %s", i, s->mid, m->mid);
    }
    return RM_OK;
}

static bool protocol_known(const struct rmi_sdp_media *m) {
    if (m->kind != RMI_MEDIA_DATA)
        return strcmp(m->proto, JSEP_RTP_PROTO) == 0;
    if (strcmp(m->proto, JSEP_OLD_SCTP_PROTO) == 0)
        return true;
    return strcmp(m->proto, JSEP_SCTP_PROTO) == 0 && strcmp(m->fmt, JSEP_SCTP_FMT) == 0;
}

static rm_err choose_tag(struct applying *a) {
    const struct rmi_sdp *sdp = a->sdp;
    a->tag = JSEP_NONE;
    for (size_t g = 0; g < sdp->bundle_count; g++) {
        bool found = false;
        for (size_t i = 0; i < sdp->media_count; i++) {
            if (strcmp(sdp->media[i].mid, sdp->bundle[g]) != 0)
                continue;
            found = true;
            if (a->tag == JSEP_NONE && section_open(a, i))
                a->tag = (int)i;
        }
        if (!found)
            return fail(a, RM_E_SDP, "BUNDLE names the unknown mid %.40s", sdp->bundle[g]);
    }
    for (size_t i = 0; i < sdp->media_count && a->tag == JSEP_NONE; i++) {
        if (section_open(a, i) && protocol_known(&sdp->media[i]))
            a->tag = (int)i;
    }
    return RM_OK;
}

/* --- the sections --- */

static void begin_section(struct applying *a, size_t i) {
    struct jsep_section *s = &a->next->sections[i];
    const struct rmi_sdp_media *m = &a->sdp->media[i];
    bool fresh = i >= a->base->count || (s->dead && section_open(a, i));
    if (fresh || (s->dead && !a->answer && strcmp(s->mid, m->mid) != 0)) {
        memset(s, 0, sizeof *s);
        s->transceiver = JSEP_NONE;
        s->kind = m->kind;
        snprintf(s->mid, sizeof s->mid, "%s", m->mid);
    }
    s->codec_count = 0;
    memset(s->ext, 0, sizeof s->ext);
    if (i >= a->next->count)
        a->next->count = i + 1;
}

static bool has_live_data(const struct applying *a, size_t before) {
    for (size_t i = 0; i < before; i++) {
        if (a->sdp->media[i].kind == RMI_MEDIA_DATA && a->verdicts[i] == USABLE)
            return true;
    }
    return false;
}

/* A transceiver of ours that waits for a section and can use this one (RFC 8829 5.10), or a new receiving one. */
static int associate(struct applying *a, const struct rmi_sdp_media *m) {
    struct rmi_jsep *j = a->j;
    for (int i = 0; i < RMI_JSEP_MEDIA_MAX; i++) {
        const struct jsep_transceiver *t = &j->transceivers[i];
        if (!t->used || t->stopped || t->provisional || t->kind != m->kind || jsep_section_of(a->next, i) != JSEP_NONE)
            continue;
        bool sends = t->want & RMI_DIR_SEND_BIT;
        if (t->kind == RMI_MEDIA_DATA || (sends ? m->direction & RMI_DIR_RECV_BIT : m->direction & RMI_DIR_SEND_BIT))
            return i;
    }
    int handle = jsep_new_transceiver(j, m->kind, m->kind == RMI_MEDIA_DATA ? RMI_DIR_SENDRECV : RMI_DIR_RECVONLY);
    if (handle != JSEP_NONE)
        j->transceivers[handle].from_remote = j->transceivers[handle].provisional = true;
    return handle;
}

/* Within one bundle an extension id has one meaning (RFC 9143 9.1); aiortc offers audio levels and send times under the
 * same one, and reads what comes under it as whatever it agreed on. The first section with it keeps it. */
static void drop_double_extensions(struct applying *a, size_t i) {
    uint8_t *ext = a->next->sections[i].ext;
    for (size_t before = 0; before < i; before++) {
        const uint8_t *other = a->next->sections[before].ext;
        for (int k = 0; k < RMI_JSEP_EXT_COUNT && !a->next->sections[before].dead; k++)
            for (int n = 0; n < RMI_JSEP_EXT_COUNT; n++)
                if (n != k && ext[k] != 0 && other[n] == ext[k])
                    ext[k] = 0;
    }
}

static enum verdict judge(struct applying *a, size_t i) {
    const struct rmi_sdp_media *m = &a->sdp->media[i];
    struct jsep_section *s = &a->next->sections[i];
    if (!section_open(a, i))
        return REFUSED;
    if (!protocol_known(m))
        return PROFILE;
    if ((int)i != a->tag && !rmi_sdp_bundled(a->sdp, m->mid))
        return UNBUNDLED;
    if (m->kind == RMI_MEDIA_DATA && (!a->j->accept_data || has_live_data(a, i)))
        return SURPLUS;
    if ((m->kind == RMI_MEDIA_AUDIO && a->j->no_audio) || (m->kind == RMI_MEDIA_VIDEO && a->j->no_video))
        return SURPLUS;
    if (m->kind != RMI_MEDIA_DATA) {
        const struct jsep_numbers *offered = a->answer ? &s->offered : NULL;
        s->codec_count = jsep_match_codecs(a->j, m, offered, s->codecs);
        if (s->codec_count == 0)
            return CODEC;
        if (!m->rtcp_mux)
            return UNMUXED;
        jsep_match_extensions(m, offered, s->ext);
        jsep_match_ecn(a->j, m, s);
        drop_double_extensions(a, i);
    }
    if (s->transceiver == JSEP_NONE)
        s->transceiver = associate(a, m);
    if (s->transceiver == JSEP_NONE)
        return SURPLUS;
    /* Stopped after our offer left: the section lives until our next offer says so. */
    return a->j->transceivers[s->transceiver].stopped && !a->answer ? ENDED : USABLE;
}

static void apply_section(struct applying *a, size_t i) {
    const struct rmi_sdp_media *m = &a->sdp->media[i];
    struct jsep_section *s = &a->next->sections[i];
    begin_section(a, i);
    enum verdict verdict = judge(a, i);
    a->verdicts[i] = verdict;
    s->dead = verdict != USABLE;
    if (s->dead) {
        char text[RMI_JSEP_DETAIL_MAX] = "";
        s->codec_count = 0;
        if (verdict == CODEC)
            jsep_mismatch_text(a->j, m, text, sizeof text);
        rmi_log(a->j->log, RMI_LOG_SDP, verdict == REFUSED || verdict == SURPLUS ? RM_LOG_INFO : RM_LOG_WARN,
                "peer=%s section %zu (%.20s) is not used: %s%s%s", a->j->name, i, m->kind_name, verdict_text(verdict),
                text[0] ? ", " : "", text);
        return;
    }
    s->remote_direction = m->kind == RMI_MEDIA_DATA ? RMI_DIR_SENDRECV : m->direction;
    s->rtcp_rsize = m->rtcp_rsize;
    if (a->answer)
        s->direction = (enum rmi_direction)(s->offered_want & jsep_reverse(s->remote_direction));
}

/* In an answer these are not ours to refuse any more: it claims something that was never offered. */
static rm_err check_answer(struct applying *a) {
    for (size_t i = 0; i < a->sdp->media_count; i++) {
        enum verdict v = a->verdicts[i];
        if (v == PROFILE)
            return fail(a, RM_E_SDP_PROFILE, "section %zu is answered with %.60s", i, a->sdp->media[i].proto);
        if (v == UNBUNDLED || v == UNMUXED || v == SURPLUS)
            return fail(a, RM_E_SDP, "answer section %zu: %s", i, verdict_text(v));
    }
    return RM_OK;
}

static size_t count_verdict(const struct applying *a, enum verdict verdict) {
    size_t n = 0;
    for (size_t i = 0; i < a->sdp->media_count; i++)
        n += a->verdicts[i] == verdict;
    return n;
}

static rm_err fail_mismatch(struct applying *a) {
    size_t len = 0;
    for (size_t i = 0; i < a->sdp->media_count && len + 1 < RMI_JSEP_DETAIL_MAX; i++) {
        const struct rmi_sdp_media *m = &a->sdp->media[i];
        bool rtp = m->kind == RMI_MEDIA_AUDIO || m->kind == RMI_MEDIA_VIDEO;
        if (!rtp || (a->verdicts[i] != CODEC && a->verdicts[i] != REFUSED))
            continue;
        if (len)
            len += (size_t)snprintf(a->detail + len, RMI_JSEP_DETAIL_MAX - len, " | ");
        if (len + 1 >= RMI_JSEP_DETAIL_MAX)
            break;
        jsep_mismatch_text(a->j, m, a->detail + len, RMI_JSEP_DETAIL_MAX - len);
        len += strlen(a->detail + len);
    }
    return RM_E_CODEC_MISMATCH;
}

/* Whether anything is left to talk about; *live is false when both sides agreed to close everything. */
static rm_err check_usable(struct applying *a, bool *live) {
    *live = count_verdict(a, USABLE) > 0;
    if (*live)
        return RM_OK;
    size_t rtp = 0, open = 0;
    for (size_t i = 0; i < a->sdp->media_count; i++)
        rtp += a->sdp->media[i].kind == RMI_MEDIA_AUDIO || a->sdp->media[i].kind == RMI_MEDIA_VIDEO;
    for (size_t i = 0; i < a->base->count; i++)
        open += !a->base->sections[i].dead;
    if (count_verdict(a, CODEC) || (a->answer && open && rtp))
        return fail_mismatch(a);
    for (size_t i = 0; i < a->sdp->media_count; i++) {
        if (a->verdicts[i] == PROFILE)
            return fail(a, RM_E_SDP_PROFILE, "section %zu (%.20s) is %.60s", i, a->sdp->media[i].kind_name,
                        a->sdp->media[i].proto);
    }
    bool closing = a->answer ? open == 0 : count_verdict(a, REFUSED) + count_verdict(a, ENDED) == a->sdp->media_count;
    if (closing && a->j->current.remote)
        return RM_OK;
    size_t first = 0;
    while (first + 1 < a->sdp->media_count && a->verdicts[first] == REFUSED)
        first++;
    return fail(a, RM_E_SDP, "no usable section; section %zu: %s", first, verdict_text(a->verdicts[first]));
}

/* Within one bundle a payload type has one meaning (RFC 9143 7.1.1); else packets could not be told apart. */
static rm_err check_payload_types(struct applying *a) {
    int meaning[JSEP_PT_COUNT];
    for (int i = 0; i < JSEP_PT_COUNT; i++)
        meaning[i] = JSEP_NONE;
    for (size_t s = 0; s < a->next->count; s++) {
        const struct jsep_section *section = &a->next->sections[s];
        for (size_t i = 0; i < section->codec_count; i++) {
            const struct rmi_jsep_codec *c = &section->codecs[i];
            const int pts[] = {c->pt_send, c->rtx_send};
            for (int rtx = 0; rtx < 2; rtx++) {
                int now = (int)c->id * 2 + rtx;
                if (pts[rtx] == RMI_SDP_NO_PT)
                    continue;
                if (meaning[pts[rtx]] != JSEP_NONE && meaning[pts[rtx]] != now)
                    return fail(a, RM_E_SDP, "payload type %d has two meanings in the bundle", pts[rtx]);
                meaning[pts[rtx]] = now;
            }
        }
    }
    return RM_OK;
}

/* --- the transport --- */

static bool same_fingerprints(const struct jsep_transport *x, const struct jsep_transport *y) {
    if (x->fingerprint_count != y->fingerprint_count)
        return false;
    for (size_t i = 0; i < x->fingerprint_count; i++) {
        if (!rmi_sdp_text_is_nocase(x->fingerprints[i], y->fingerprints[i]))
            return false;
    }
    return true;
}

static rm_err choose_role(struct applying *a, enum rmi_sdp_setup setup, bool known) {
    struct jsep_view *next = a->next;
    bool kept = known && next->has_role;
    if (setup == RMI_SETUP_HOLDCONN)
        return fail(a, RM_E_SDP, "a=setup:holdconn");
    if (a->answer) {
        if (setup != RMI_SETUP_ACTIVE && setup != RMI_SETUP_PASSIVE)
            return fail(a, RM_E_SDP, "an answer needs a=setup:active or passive");
        if (!kept)
            next->dtls_client = setup == RMI_SETUP_PASSIVE;
    } else if (setup == RMI_SETUP_ACTIVE || setup == RMI_SETUP_PASSIVE) {
        next->dtls_client = setup == RMI_SETUP_PASSIVE;
    } else if (!kept) {
        /* Without a=setup the offerer may take itself for active (RFC 4145 4): waiting is right either way. */
        next->dtls_client = setup == RMI_SETUP_ACTPASS;
    }
    next->has_role = true;
    return RM_OK;
}

static rm_err apply_transport(struct applying *a, bool *restarted, bool *changed) {
    const struct rmi_sdp_media *m = &a->sdp->media[a->tag];
    const struct jsep_transport *old = &a->base->transport;
    struct jsep_transport t = {.ufrag = m->ice_ufrag,
                               .pwd = m->ice_pwd,
                               .fingerprint_count = m->fingerprint_count,
                               .trickle = m->trickle,
                               .end_of_candidates = m->end_of_candidates,
                               .candidates = m->candidates,
                               .candidate_count = m->candidate_count};
    if (!t.ufrag[0] || !t.pwd[0])
        return fail(a, RM_E_SDP, "section %d has no a=ice-ufrag and a=ice-pwd", a->tag);
    if (t.fingerprint_count == 0)
        return fail(a, RM_E_SDP, "section %d has no a=fingerprint", a->tag);
    memcpy(t.fingerprints, m->fingerprints, sizeof t.fingerprints);
    for (size_t i = 0; i < a->sdp->media_count && t.candidate_count == 0; i++) {
        if (a->verdicts[i] != USABLE)
            continue;
        t.candidates = a->sdp->media[i].candidates;
        t.candidate_count = a->sdp->media[i].candidate_count;
        t.end_of_candidates = t.end_of_candidates || a->sdp->media[i].end_of_candidates;
    }
    bool known = old->ufrag != NULL;
    if (known) {
        bool ufrag = strcmp(old->ufrag, t.ufrag) != 0, pwd = strcmp(old->pwd, t.pwd) != 0;
        if (ufrag != pwd)
            return fail(a, RM_E_SDP, "an ICE restart must change both a=ice-ufrag and a=ice-pwd");
        *restarted = ufrag;
        *changed = !same_fingerprints(old, &t);
    }
    a->next->transport = t;
    return choose_role(a, m->setup, known && !*changed);
}

/* Everything is closed: nothing new is said about the transport, so the old words move into the new description. */
static rm_err carry_transport(struct applying *a) {
    struct jsep_transport *t = &a->next->transport;
    const char **texts[RMI_SDP_FINGERPRINT_MAX + 2] = {&t->ufrag, &t->pwd};
    size_t count = 2;
    for (size_t i = 0; i < t->fingerprint_count; i++)
        texts[count++] = &t->fingerprints[i];
    for (size_t i = 0; i < count; i++) {
        *texts[i] = rmi_sdp_text(a->sdp, *texts[i], strlen(*texts[i]));
        if (!*texts[i])
            return RM_E_NO_MEMORY;
    }
    t->candidates = NULL;
    t->candidate_count = 0;
    return RM_OK;
}

/* --- the whole --- */

static rm_err apply(struct applying *a, bool *restarted, bool *changed) {
    bool live = false;
    jsep_copy_view(a->next, a->base);
    a->next->remote = a->sdp;
    rm_err err = check_shape(a);
    if (!err)
        err = choose_tag(a);
    if (err)
        return err;
    for (size_t i = 0; i < a->sdp->media_count; i++)
        apply_section(a, i);
    if (a->answer)
        err = check_answer(a);
    if (!err)
        err = check_usable(a, &live);
    if (!err)
        err = check_payload_types(a);
    if (!err)
        err = live ? apply_transport(a, restarted, changed) : carry_transport(a);
    if (!err)
        jsep_settle_numbers(a->next);
    return err;
}

static rm_err check_state(const struct rmi_jsep *j, enum rmi_sdp_type type, char *detail) {
    bool offer = type == RMI_SDP_OFFER;
    if (offer && j->state == RMI_JSEP_HAVE_LOCAL_OFFER && !j->polite) {
        snprintf(detail, RMI_JSEP_DETAIL_MAX, "offers collide and ours stands");
        return RM_E_NEGOTIATION_IN_PROGRESS;
    }
    if (offer ? j->state == RMI_JSEP_HAVE_REMOTE_OFFER : j->state != RMI_JSEP_HAVE_LOCAL_OFFER) {
        snprintf(detail, RMI_JSEP_DETAIL_MAX,
                 offer ? "an offer before the one before it is answered" : "an answer without an offer");
        return RM_E_STATE;
    }
    return RM_OK;
}

/* An answer may name the offer it is for: one made before we started anew, under the same peer id, is not for us. */
static rm_err check_addressee(struct applying *a) {
    if (!a->sdp->has_answers || (a->sdp->answers_id == a->j->session_id && a->sdp->answers_version == a->j->version))
        return RM_OK;
    return fail(a, RM_E_STATE, "it answers another offer than ours");
}

static rm_err remote_rollback(struct rmi_jsep *j, char *detail) {
    if (j->state != RMI_JSEP_HAVE_REMOTE_OFFER) {
        snprintf(detail, RMI_JSEP_DETAIL_MAX, "a rollback without an offer");
        return RM_E_STATE;
    }
    j->rolled_back = j->ice_restarted = j->fingerprints_changed = false;
    return rmi_jsep_rollback(j);
}

static void commit(struct rmi_jsep *j, bool answer) {
    j->rolled_back = !answer && j->state == RMI_JSEP_HAVE_LOCAL_OFFER;
    jsep_install(&j->pending, &j->scratch);
    if (answer)
        jsep_agree(j, "answer applied");
    else
        jsep_set_state(j, RMI_JSEP_HAVE_REMOTE_OFFER,
                       j->rolled_back ? "offer applied, ours rolled back" : "offer applied");
}

rm_err rmi_jsep_set_remote(struct rmi_jsep *j, enum rmi_sdp_type type, const char *text, size_t len,
                           char detail[RMI_JSEP_DETAIL_MAX]) {
    struct rmi_sdp_fault fault;
    bool answer = type != RMI_SDP_OFFER, restarted = false, changed = false;
    detail[0] = '\0';
    if (type == RMI_SDP_ROLLBACK)
        return remote_rollback(j, detail);
    rm_err err = check_state(j, type, detail);
    if (err)
        return err;
    struct applying a = {
        .j = j, .next = &j->scratch, .base = answer ? &j->pending : &j->current, .answer = answer, .detail = detail};
    err = rmi_sdp_parse(text, len, &a.sdp, &fault);
    if (err) {
        snprintf(detail, RMI_JSEP_DETAIL_MAX, "line %zu: %s", fault.line, fault.text);
        return err;
    }
    err = answer ? check_addressee(&a) : RM_OK;
    if (!err)
        err = apply(&a, &restarted, &changed);
    if (err) {
        jsep_drop_provisional(j);
        rmi_sdp_free(a.sdp);
        j->scratch.remote = NULL;
        rmi_log(j->log, RMI_LOG_SDP, RM_LOG_WARN, "peer=%s %s not applied: %s, %s", j->name,
                answer ? "answer" : "offer", rm_err_name(err), detail);
        return err;
    }
    commit(j, answer);
    j->ice_restarted = restarted;
    j->fingerprints_changed = changed;
    return RM_OK;
}
