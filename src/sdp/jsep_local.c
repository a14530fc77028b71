/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/jsep_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 8839 5.4. */
#define UFRAG_MIN 4
#define PWD_MIN 22
#define FORMAT_LIST_MAX 256

/* A description in the making; `failed` collects the memory errors on the way. */
struct builder {
    struct rmi_jsep *j;
    struct jsep_view *view;
    const struct rmi_jsep_local *local;
    struct rmi_sdp *sdp;
    const struct rmi_sdp *source; /* the remote description whose words dead and old data sections repeat, or NULL */
    bool answer;
    bool failed;
};

static const char *keep(struct builder *b, const char *text) {
    const char *copy = rmi_sdp_text(b->sdp, text, strlen(text));
    if (!copy)
        b->failed = true;
    return copy ? copy : "";
}

static bool text_ok(const char *text, size_t min) {
    size_t len = 0;
    if (!text)
        return false;
    for (; text[len]; len++) {
        if (len >= RMI_SDP_TOKEN_MAX || text[len] < ' ' || text[len] > '~')
            return false;
    }
    return len >= min;
}

static rm_err check_local(const struct rmi_jsep_local *l) {
    bool ok = l && text_ok(l->ufrag, UFRAG_MIN) && !strchr(l->ufrag, ' ') && text_ok(l->pwd, PWD_MIN) &&
              !strchr(l->pwd, ' ') && text_ok(l->fingerprint, 1) && strchr(l->fingerprint, ' ') &&
              (l->candidates || l->candidate_count == 0);
    return ok ? RM_OK : RM_E_INVALID_ARG;
}

/* --- one section --- */

static void add_codec(struct builder *b, struct rmi_sdp_media *m, enum rmi_jsep_codec_id id, int pt, int rtx,
                      uint32_t feedback, const char *remote_fmtp) {
    const struct jsep_codec_info *info = jsep_codec_info(id);
    char fmtp[JSEP_CODEC_TEXT_MAX];
    if (pt == RMI_SDP_NO_PT)
        return;
    struct rmi_sdp_codec *c = rmi_sdp_add_codec(b->sdp, m);
    if (!c) {
        b->failed = true;
        return;
    }
    jsep_local_fmtp(id, remote_fmtp, fmtp, sizeof fmtp);
    c->pt = (uint8_t)pt;
    c->name = info->name;
    c->clock = info->clock;
    c->channels = info->channels;
    c->feedback = feedback;
    c->fmtp = keep(b, fmtp);
    if (rtx == RMI_SDP_NO_PT)
        return;
    struct rmi_sdp_codec *r = rmi_sdp_add_codec(b->sdp, m);
    if (!r) {
        b->failed = true;
        return;
    }
    const bool red = info->kind == RMI_MEDIA_AUDIO;
    snprintf(fmtp, sizeof fmtp, red ? "%d/%d" : "apt=%d", pt, pt);
    r->pt = (uint8_t)rtx;
    r->name = red ? "red" : "rtx";
    r->clock = info->clock;
    r->channels = red ? info->channels : r->channels;
    r->fmtp = keep(b, fmtp);
    r->apt = red ? RMI_SDP_NO_PT : (int16_t)pt;
}

static void add_codecs(struct builder *b, struct rmi_sdp_media *m, const struct jsep_section *s) {
    if (b->answer) {
        for (size_t i = 0; i < s->codec_count; i++) {
            const struct rmi_jsep_codec *c = &s->codecs[i];
            add_codec(b, m, c->id, c->pt_recv, c->rtx_recv, c->feedback, c->fmtp);
        }
    } else {
        enum rmi_jsep_codec_id ids[RMI_JSEP_CODEC_COUNT];
        size_t count = jsep_codec_list(b->j, s->kind, ids);
        for (size_t i = 0; i < count; i++)
            add_codec(b, m, ids[i], s->offered.pt[ids[i]], s->offered.rtx[ids[i]], jsep_feedback(b->j, ids[i]), NULL);
    }
    char list[FORMAT_LIST_MAX] = "";
    size_t len = 0;
    for (size_t i = 0; i < m->codec_count && len < sizeof list; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%u", i ? " " : "", m->codecs[i].pt);
    m->fmt = keep(b, list);
}

static void add_extensions(struct builder *b, struct rmi_sdp_media *m, const struct jsep_section *s) {
    for (int k = 0; k < RMI_JSEP_EXT_COUNT; k++) {
        uint8_t id = b->answer ? s->ext[k] : s->offered.ext[k];
        if (id == 0 || !jsep_ext_applies(k, s->kind))
            continue;
        struct rmi_sdp_extmap *e = rmi_sdp_add_extmap(b->sdp, m);
        if (!e) {
            b->failed = true;
            return;
        }
        e->id = id;
        e->uri = jsep_ext_uri(k);
    }
}

static void add_source(struct builder *b, struct rmi_sdp_media *m, uint32_t ssrc) {
    struct rmi_sdp_ssrc *s = rmi_sdp_add_ssrc(b->sdp, m);
    if (!s) {
        b->failed = true;
        return;
    }
    s->ssrc = ssrc;
    s->cname = b->j->cname;
}

static void add_sources(struct builder *b, struct rmi_sdp_media *m, const struct jsep_transceiver *t) {
    bool rtx = false;
    m->msid_stream = t->stream;
    m->msid_track = t->track;
    for (size_t i = 0; i < m->codec_count; i++)
        rtx = rtx || m->codecs[i].apt != RMI_SDP_NO_PT;
    add_source(b, m, t->ssrc);
    if (!rtx || !t->rtx_ssrc)
        return;
    struct rmi_sdp_fid *fid = rmi_sdp_add_fid(b->sdp, m);
    if (!fid) {
        b->failed = true;
        return;
    }
    fid->media_ssrc = t->ssrc;
    fid->rtx_ssrc = t->rtx_ssrc;
    add_source(b, m, t->rtx_ssrc);
}

static void add_transport(struct builder *b, struct rmi_sdp_media *m, bool first) {
    const struct rmi_jsep_local *l = b->local;
    m->ice_ufrag = l->ufrag;
    m->ice_pwd = l->pwd;
    m->trickle = true;
    m->fingerprints[0] = l->fingerprint;
    m->fingerprint_count = 1;
    m->setup = !b->answer ? RMI_SETUP_ACTPASS : b->view->dtls_client ? RMI_SETUP_ACTIVE : RMI_SETUP_PASSIVE;
    /* One transport carries all: its candidates are told once, in the section that stands for it (RFC 8829 5.2.1). */
    if (!first)
        return;
    for (size_t i = 0; i < l->candidate_count && i < RMI_SDP_CANDIDATE_MAX; i++) {
        struct rmi_candidate *c = rmi_sdp_add_candidate(b->sdp, m);
        if (c)
            *c = l->candidates[i];
        else
            b->failed = true;
    }
    m->end_of_candidates = l->end_of_candidates;
}

static void fill_rtp(struct builder *b, struct rmi_sdp_media *m, const struct jsep_section *s) {
    const struct jsep_transceiver *t = &b->j->transceivers[s->transceiver];
    m->proto = JSEP_RTP_PROTO;
    m->direction = b->answer ? s->direction : s->offered_want;
    m->rtcp_mux = true;
    m->rtcp_rsize = b->answer ? s->rtcp_rsize : true;
    m->ecn = b->answer ? s->ecn : jsep_ecn_offer(b->j);
    m->ecn_summary = m->ecn != 0;
    add_codecs(b, m, s);
    add_extensions(b, m, s);
    if (m->direction & RMI_DIR_SEND_BIT)
        add_sources(b, m, t);
}

static const struct rmi_sdp_media *source_media(const struct builder *b, size_t i) {
    return b->source && i < b->source->media_count ? &b->source->media[i] : NULL;
}

static void fill_data(struct builder *b, struct rmi_sdp_media *m, const struct jsep_section *s, size_t i) {
    const struct rmi_sdp_media *theirs = source_media(b, i);
    bool repeat = theirs && theirs->kind == RMI_MEDIA_DATA && strcmp(theirs->mid, s->mid) == 0;
    m->proto = repeat ? keep(b, theirs->proto) : JSEP_SCTP_PROTO;
    m->fmt = JSEP_SCTP_FMT;
    if (strcmp(m->proto, JSEP_OLD_SCTP_PROTO) == 0) {
        char port[16];
        snprintf(port, sizeof port, "%d", RMI_JSEP_SCTP_PORT);
        m->fmt = keep(b, port);
    }
    m->sctp_port = RMI_JSEP_SCTP_PORT;
    m->max_message_size = RMI_JSEP_MAX_MESSAGE_SIZE;
}

static const char *kind_name(enum rmi_media_kind kind) {
    return kind == RMI_MEDIA_AUDIO ? "audio" : kind == RMI_MEDIA_VIDEO ? "video" : "application";
}

static void build_section(struct builder *b, size_t i, bool first) {
    const struct jsep_section *s = &b->view->sections[i];
    const struct rmi_sdp_media *theirs = source_media(b, i);
    const char *name = s->dead && theirs ? theirs->kind_name : kind_name(s->kind);
    struct rmi_sdp_media *m = rmi_sdp_add_media(b->sdp, name);
    if (!m) {
        b->failed = true;
        return;
    }
    m->mid = s->mid;
    if (s->dead) {
        m->port = 0;
        m->proto = theirs ? keep(b, theirs->proto) : JSEP_RTP_PROTO;
        m->fmt = theirs ? keep(b, theirs->fmt) : "0";
        m->direction = RMI_DIR_INACTIVE;
        return;
    }
    m->port = JSEP_MEDIA_PORT;
    if (s->kind == RMI_MEDIA_DATA)
        fill_data(b, m, s, i);
    else
        fill_rtp(b, m, s);
    add_transport(b, m, first);
    bool group = !b->answer || (b->source && b->source->has_bundle);
    if (group && s->mid[0]) {
        b->sdp->has_bundle = true;
        b->sdp->bundle[b->sdp->bundle_count++] = s->mid;
    }
}

static rm_err build(struct builder *b, char **text) {
    struct rmi_sbuf out = {0};
    bool first = true;
    b->sdp = rmi_sdp_create();
    if (!b->sdp)
        return RM_E_NO_MEMORY;
    b->sdp->origin_id = b->j->session_id;
    b->sdp->origin_version = b->j->version + 1;
    if (b->answer && b->source) {
        b->sdp->has_answers = true;
        b->sdp->answers_id = b->source->origin_id;
        b->sdp->answers_version = b->source->origin_version;
    }
    b->sdp->extmap_allow_mixed = !b->answer || (b->source && b->source->extmap_allow_mixed);
    for (size_t i = 0; i < b->view->count; i++) {
        build_section(b, i, first && !b->view->sections[i].dead);
        first = first && b->view->sections[i].dead;
    }
    if (!b->failed)
        rmi_sdp_write(b->sdp, &out);
    bool failed = b->failed || out.failed;
    bool too_big = out.len > RMI_SDP_TEXT_MAX;
    rmi_sdp_free(b->sdp);
    b->sdp = NULL;
    *text = failed || too_big ? NULL : rmi_sbuf_take(&out);
    rmi_sbuf_fini(&out);
    if (too_big)
        return RM_E_TOO_BIG;
    if (!*text)
        return RM_E_NO_MEMORY;
    b->j->version++;
    return RM_OK;
}

/* --- offer --- */

static void new_mid(struct rmi_jsep *j, const struct jsep_view *view, char out[RMI_SDP_MID_MAX + 1]) {
    for (;;) {
        bool taken = false;
        snprintf(out, RMI_SDP_MID_MAX + 1, "%u", (unsigned)j->next_mid++);
        for (size_t i = 0; i < view->count; i++)
            taken = taken || strcmp(view->sections[i].mid, out) == 0;
        if (!taken)
            return;
    }
}

/* A section both sides gave up is used again before the list grows (RFC 8829 5.2.2); one that this very offer closes is
 * not. */
static struct jsep_section *new_section(struct rmi_jsep *j, struct jsep_view *view) {
    struct jsep_section *s = NULL;
    for (size_t i = 0; i < j->current.count && !s; i++) {
        if (j->current.sections[i].dead && view->sections[i].dead)
            s = &view->sections[i];
    }
    if (!s && view->count >= RMI_SDP_MEDIA_MAX)
        return NULL;
    char mid[RMI_SDP_MID_MAX + 1];
    new_mid(j, view, mid);
    if (!s)
        s = &view->sections[view->count++];
    memset(s, 0, sizeof *s);
    memcpy(s->mid, mid, sizeof mid);
    return s;
}

static void offer_numbers(const struct jsep_view *view, struct jsep_section *s) {
    s->offered = view->numbers;
    for (size_t i = 0; i < s->codec_count; i++) {
        s->offered.pt[s->codecs[i].id] = s->codecs[i].pt_recv;
        if (s->codecs[i].rtx_recv != RMI_SDP_NO_PT)
            s->offered.rtx[s->codecs[i].id] = s->codecs[i].rtx_recv;
    }
    for (int k = 0; k < RMI_JSEP_EXT_COUNT; k++) {
        if (s->ext[k])
            s->offered.ext[k] = s->ext[k];
    }
}

static void place_new_media(struct rmi_jsep *j, struct jsep_view *view, bool data) {
    for (int t = 0; t < RMI_JSEP_MEDIA_MAX; t++) {
        const struct jsep_transceiver *transceiver = &j->transceivers[t];
        if (!transceiver->used || transceiver->stopped || (transceiver->kind == RMI_MEDIA_DATA) != data ||
            jsep_section_of(view, t) != JSEP_NONE)
            continue;
        struct jsep_section *s = new_section(j, view);
        if (!s) {
            rmi_log(j->log, RMI_LOG_SDP, RM_LOG_WARN, "peer=%s no media section left for media %d", j->name, t);
            return;
        }
        s->kind = transceiver->kind;
        s->transceiver = t;
    }
}

static void plan_offer(struct rmi_jsep *j, struct jsep_view *view) {
    jsep_copy_view(view, &j->current);
    view->remote = NULL; /* stays with `current` */
    for (size_t i = 0; i < view->count; i++) {
        struct jsep_section *s = &view->sections[i];
        if (s->transceiver == JSEP_NONE || j->transceivers[s->transceiver].stopped)
            s->dead = true;
    }
    /* Data last, as browsers do. */
    place_new_media(j, view, false);
    place_new_media(j, view, true);
    for (size_t i = 0; i < view->count; i++) {
        struct jsep_section *s = &view->sections[i];
        if (s->dead)
            continue;
        s->offered_want = j->transceivers[s->transceiver].want;
        offer_numbers(view, s);
    }
}

rm_err rmi_jsep_create_offer(struct rmi_jsep *j, const struct rmi_jsep_local *local, char **sdp) {
    if (j->state != RMI_JSEP_STABLE)
        return RM_E_STATE;
    rm_err err = check_local(local);
    if (err)
        return err;
    plan_offer(j, &j->scratch);
    if (j->scratch.count == 0)
        return RM_E_INVALID_ARG;
    struct builder b = {.j = j, .view = &j->scratch, .local = local, .source = j->current.remote};
    err = build(&b, sdp);
    if (err)
        return err;
    jsep_install(&j->pending, &j->scratch);
    jsep_set_state(j, RMI_JSEP_HAVE_LOCAL_OFFER, "offer made");
    return RM_OK;
}

/* --- answer --- */

rm_err rmi_jsep_create_answer(struct rmi_jsep *j, const struct rmi_jsep_local *local, char **sdp) {
    if (j->state != RMI_JSEP_HAVE_REMOTE_OFFER)
        return RM_E_STATE;
    rm_err err = check_local(local);
    if (err)
        return err;
    for (size_t i = 0; i < j->pending.count; i++) {
        struct jsep_section *s = &j->pending.sections[i];
        if (s->dead)
            continue;
        const struct jsep_transceiver *t = &j->transceivers[s->transceiver];
        s->dead = t->stopped;
        s->offered_want = t->want;
        s->direction = (enum rmi_direction)(t->want & jsep_reverse(s->remote_direction));
    }
    struct builder b = {.j = j, .view = &j->pending, .local = local, .source = j->pending.remote, .answer = true};
    err = build(&b, sdp);
    if (err)
        return err;
    jsep_agree(j, "answer made");
    return RM_OK;
}
