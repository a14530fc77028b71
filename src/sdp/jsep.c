/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/jsep.h"
#include "sdp/jsep_private.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_ID_BITS_DROPPED 2      /* 62 bits: a signed 64-bit number for every reader (RFC 8829 5.2.1) */
#define DEFAULT_MAX_MESSAGE_SIZE 65536 /* RFC 8841 6.1 */

static const char *state_name(enum rmi_jsep_state state) {
    switch (state) {
    case RMI_JSEP_STABLE:
        return "stable";
    case RMI_JSEP_HAVE_LOCAL_OFFER:
        return "have-local-offer";
    case RMI_JSEP_HAVE_REMOTE_OFFER:
        break;
    }
    return "have-remote-offer";
}

void jsep_set_state(struct rmi_jsep *j, enum rmi_jsep_state state, const char *reason) {
    rmi_log(j->log, RMI_LOG_SDP, RM_LOG_DEBUG, "peer=%s negotiation %s->%s (%s)", j->name, state_name(j->state),
            state_name(state), reason);
    j->state = state;
}

enum rmi_direction jsep_reverse(enum rmi_direction direction) {
    unsigned send = direction & RMI_DIR_RECV_BIT ? RMI_DIR_SEND_BIT : 0;
    unsigned recv = direction & RMI_DIR_SEND_BIT ? RMI_DIR_RECV_BIT : 0;
    return (enum rmi_direction)(send | recv);
}

static bool plain_text(const char *text, size_t max) {
    size_t len = 0;
    for (; text[len]; len++) {
        if (len >= max || text[len] <= ' ' || text[len] > '~')
            return false;
    }
    return len > 0;
}

static rm_err check_config(const struct rmi_jsep_config *c) {
    if (!c->rng.fill || !c->cname || !plain_text(c->cname, RMI_JSEP_ID_MAX))
        return RM_E_INVALID_ARG;
    if (c->video_count > RMI_JSEP_CODEC_COUNT)
        return RM_E_INVALID_ARG;
    for (size_t i = 0; i < c->video_count; i++) {
        if ((int)c->video[i] < 0 || c->video[i] >= RMI_JSEP_CODEC_COUNT ||
            jsep_codec_info(c->video[i])->kind != RMI_MEDIA_VIDEO)
            return RM_E_INVALID_ARG;
        for (size_t k = 0; k < i; k++) {
            if (c->video[k] == c->video[i])
                return RM_E_INVALID_ARG;
        }
    }
    return RM_OK;
}

rm_err rmi_jsep_create(const struct rmi_jsep_config *config, struct rmi_jsep **out) {
    static const enum rmi_jsep_codec_id default_video[] = {RMI_JSEP_VP9, RMI_JSEP_VP8, RMI_JSEP_H264};
    rm_err err = check_config(config);
    if (err)
        return err;
    struct rmi_jsep *j = calloc(1, sizeof *j);
    if (!j)
        return RM_E_NO_MEMORY;
    j->rng = config->rng;
    j->log = config->log;
    snprintf(j->name, sizeof j->name, "%s", config->name ? config->name : "");
    snprintf(j->cname, sizeof j->cname, "%s", config->cname);
    j->polite = config->polite;
    j->prefer_first = config->prefer_first;
    j->accept_data = config->data_channel;
    j->ecn = config->ecn;
    j->no_audio = config->no_audio;
    j->no_video = config->no_video;
    j->video_count = config->video_count;
    memcpy(j->video, config->video, config->video_count * sizeof j->video[0]);
    if (j->video_count == 0) {
        memcpy(j->video, default_video, sizeof default_video);
        j->video_count = sizeof default_video / sizeof default_video[0];
    }
    j->session_id = rmi_rng_u64(&j->rng) >> SESSION_ID_BITS_DROPPED;
    jsep_default_numbers(&j->current.numbers);
    if (j->accept_data)
        jsep_new_transceiver(j, RMI_MEDIA_DATA, RMI_DIR_SENDRECV);
    *out = j;
    return RM_OK;
}

void rmi_jsep_destroy(struct rmi_jsep **j) {
    if (!j || !*j)
        return;
    rmi_sdp_free((*j)->current.remote);
    rmi_sdp_free((*j)->pending.remote);
    rmi_sdp_free((*j)->scratch.remote);
    free(*j);
    *j = NULL;
}

int jsep_section_of(const struct jsep_view *view, int transceiver) {
    for (size_t i = 0; i < view->count; i++) {
        if (view->sections[i].transceiver == transceiver)
            return (int)i;
    }
    return JSEP_NONE;
}

bool jsep_in_use(const struct jsep_view *view, int transceiver) {
    int section = jsep_section_of(view, transceiver);
    return section != JSEP_NONE && !view->sections[section].dead;
}

const struct jsep_view *jsep_newest(const struct rmi_jsep *j) {
    return j->state == RMI_JSEP_STABLE ? &j->current : &j->pending;
}

/* Slots of ended transceivers come free once no section, agreed or pending, refers to them. */
static void collect(struct rmi_jsep *j) {
    for (int i = 0; i < RMI_JSEP_MEDIA_MAX; i++) {
        struct jsep_transceiver *t = &j->transceivers[i];
        bool pending = j->state != RMI_JSEP_STABLE && jsep_section_of(&j->pending, i) != JSEP_NONE;
        if (t->used && t->stopped && !pending && jsep_section_of(&j->current, i) == JSEP_NONE)
            t->used = false;
    }
}

static bool ssrc_in(const struct rmi_sdp *sdp, uint32_t ssrc) {
    for (size_t m = 0; sdp && m < sdp->media_count; m++) {
        for (size_t i = 0; i < sdp->media[m].ssrc_count; i++) {
            if (sdp->media[m].ssrcs[i].ssrc == ssrc)
                return true;
        }
    }
    return false;
}

static uint32_t draw_ssrc(struct rmi_jsep *j) {
    for (uint32_t ssrc = rmi_rng_u32(&j->rng);; ssrc++) {
        bool taken = ssrc == 0 || ssrc_in(j->current.remote, ssrc) || ssrc_in(j->pending.remote, ssrc) ||
                     ssrc_in(j->scratch.remote, ssrc);
        for (int i = 0; i < RMI_JSEP_MEDIA_MAX && !taken; i++)
            taken = j->transceivers[i].ssrc == ssrc || j->transceivers[i].rtx_ssrc == ssrc;
        if (!taken)
            return ssrc;
    }
}

int jsep_new_transceiver(struct rmi_jsep *j, enum rmi_media_kind kind, enum rmi_direction want) {
    collect(j);
    for (int i = 0; i < RMI_JSEP_MEDIA_MAX; i++) {
        struct jsep_transceiver *t = &j->transceivers[i];
        if (t->used)
            continue;
        memset(t, 0, sizeof *t);
        t->used = true;
        t->kind = kind;
        t->want = want;
        if (kind != RMI_MEDIA_DATA) {
            char track[37];
            rmi_rng_uuid(&j->rng, track);
            snprintf(t->track, sizeof t->track, "%s", track);
            snprintf(t->stream, sizeof t->stream, "-");
            t->ssrc = draw_ssrc(j);
            if (kind == RMI_MEDIA_VIDEO)
                t->rtx_ssrc = draw_ssrc(j);
        }
        return i;
    }
    return JSEP_NONE;
}

/* Sending on something that so far only receives what the remote brought needs no new section, when the remote is ready
 * to receive there (the W3C rule for addTrack). */
static int reusable(const struct rmi_jsep *j, enum rmi_media_kind kind, enum rmi_direction direction) {
    const struct jsep_view *view = jsep_newest(j);
    if (!(direction & RMI_DIR_SEND_BIT))
        return JSEP_NONE;
    for (size_t i = 0; i < view->count; i++) {
        const struct jsep_section *s = &view->sections[i];
        if (s->dead || s->transceiver < 0)
            continue;
        const struct jsep_transceiver *t = &j->transceivers[s->transceiver];
        if (t->from_remote && !t->stopped && t->kind == kind && s->remote_direction & RMI_DIR_RECV_BIT)
            return s->transceiver;
    }
    return JSEP_NONE;
}

rm_err rmi_jsep_add_media(struct rmi_jsep *j, enum rmi_media_kind kind, enum rmi_direction direction,
                          const char *stream_id, const char *track_id, int *index) {
    if ((kind != RMI_MEDIA_AUDIO && kind != RMI_MEDIA_VIDEO) || (unsigned)direction > RMI_DIR_SENDRECV)
        return RM_E_INVALID_ARG;
    if ((stream_id && !plain_text(stream_id, RMI_JSEP_ID_MAX)) || (track_id && !plain_text(track_id, RMI_JSEP_ID_MAX)))
        return RM_E_INVALID_ARG;
    int handle = reusable(j, kind, direction);
    if (handle == JSEP_NONE)
        handle = jsep_new_transceiver(j, kind, direction);
    if (handle == JSEP_NONE)
        return RM_E_LIMIT;
    struct jsep_transceiver *t = &j->transceivers[handle];
    t->from_remote = t->provisional = false;
    t->want = (enum rmi_direction)(t->want | direction);
    if (stream_id)
        snprintf(t->stream, sizeof t->stream, "%s", stream_id);
    if (track_id)
        snprintf(t->track, sizeof t->track, "%s", track_id);
    if (index)
        *index = handle;
    return RM_OK;
}

static struct jsep_transceiver *find(struct rmi_jsep *j, int index) {
    if (index < 0 || index >= RMI_JSEP_MEDIA_MAX)
        return NULL;
    struct jsep_transceiver *t = &j->transceivers[index];
    return t->used && !t->stopped && t->kind != RMI_MEDIA_DATA ? t : NULL;
}

rm_err rmi_jsep_set_direction(struct rmi_jsep *j, int index, enum rmi_direction direction) {
    struct jsep_transceiver *t = find(j, index);
    if (!t)
        return RM_E_NOT_FOUND;
    if ((unsigned)direction > RMI_DIR_SENDRECV)
        return RM_E_INVALID_ARG;
    t->want = direction;
    return RM_OK;
}

rm_err rmi_jsep_stop_media(struct rmi_jsep *j, int index) {
    struct jsep_transceiver *t = find(j, index);
    if (!t)
        return RM_E_NOT_FOUND;
    t->stopped = true;
    collect(j);
    return RM_OK;
}

void jsep_drop_provisional(struct rmi_jsep *j) {
    for (int i = 0; i < RMI_JSEP_MEDIA_MAX; i++) {
        if (j->transceivers[i].provisional)
            j->transceivers[i].used = j->transceivers[i].provisional = false;
    }
}

void jsep_copy_view(struct jsep_view *to, const struct jsep_view *from) {
    memcpy(to, from, offsetof(struct jsep_view, sections) + from->count * sizeof from->sections[0]);
}

void jsep_install(struct jsep_view *place, struct jsep_view *next) {
    rmi_sdp_free(place->remote);
    jsep_copy_view(place, next);
    next->remote = NULL;
}

void jsep_agree(struct rmi_jsep *j, const char *reason) {
    jsep_install(&j->current, &j->pending);
    for (size_t i = 0; i < j->current.count; i++) {
        const struct jsep_section *s = &j->current.sections[i];
        if (s->transceiver == JSEP_NONE)
            continue;
        struct jsep_transceiver *t = &j->transceivers[s->transceiver];
        t->provisional = false;
        t->negotiated_want = s->offered_want;
        t->stopped = t->stopped || s->dead;
    }
    jsep_set_state(j, RMI_JSEP_STABLE, reason);
    collect(j);
}

rm_err rmi_jsep_rollback(struct rmi_jsep *j) {
    if (j->state == RMI_JSEP_STABLE)
        return RM_E_STATE;
    jsep_drop_provisional(j);
    rmi_sdp_free(j->pending.remote);
    j->pending.remote = NULL;
    jsep_set_state(j, RMI_JSEP_STABLE, "rollback");
    collect(j);
    return RM_OK;
}

/* Against what is agreed, or is being agreed: the exchange under way already carries what its sections carry. */
static bool negotiation_needed(const struct rmi_jsep *j) {
    const struct jsep_view *view = jsep_newest(j);
    for (int i = 0; i < RMI_JSEP_MEDIA_MAX; i++) {
        const struct jsep_transceiver *t = &j->transceivers[i];
        if (!t->used)
            continue;
        int section = jsep_section_of(view, i);
        bool live = section != JSEP_NONE && !view->sections[section].dead;
        if (section != JSEP_NONE && j->state == RMI_JSEP_HAVE_REMOTE_OFFER)
            continue;
        if (t->stopped != !live)
            return true;
        if (!live)
            continue;
        enum rmi_direction carried =
            j->state == RMI_JSEP_STABLE ? t->negotiated_want : view->sections[section].offered_want;
        if (t->want != carried)
            return true;
    }
    return false;
}

static void fill_media(const struct rmi_jsep *j, const struct jsep_view *view, size_t i, struct rmi_jsep_media *out) {
    const struct jsep_section *s = &view->sections[i];
    *out = (struct rmi_jsep_media){.mline = (int)i,
                                   .handle = s->transceiver,
                                   .kind = s->kind,
                                   .mid = s->mid,
                                   .rejected = s->dead,
                                   .cname = j->cname,
                                   .remote_stream = "",
                                   .remote_track = ""};
    if (s->dead)
        return;
    out->direction = s->direction;
    if (j->state == RMI_JSEP_HAVE_REMOTE_OFFER && s->kind != RMI_MEDIA_DATA && s->transceiver != JSEP_NONE)
        out->direction = (enum rmi_direction)(j->transceivers[s->transceiver].want & jsep_reverse(s->remote_direction));
    memcpy(out->codecs, s->codecs, sizeof out->codecs);
    out->codec_count = s->codec_count;
    memcpy(out->ext, s->ext, sizeof out->ext);
    out->rtcp_rsize = s->rtcp_rsize;
    out->ecn_send = s->ecn_send;
    out->ecn_receive = s->ecn_receive;
    if (s->transceiver != JSEP_NONE) {
        out->ssrc = j->transceivers[s->transceiver].ssrc;
        out->rtx_ssrc = j->transceivers[s->transceiver].rtx_ssrc;
    }
    if (view->remote && i < view->remote->media_count) {
        const struct rmi_sdp_media *m = &view->remote->media[i];
        out->remote_ssrcs = m->ssrcs;
        out->remote_ssrc_count = m->ssrc_count;
        out->remote_fids = m->fids;
        out->remote_fid_count = m->fid_count;
        out->remote_stream = m->msid_stream;
        out->remote_track = m->msid_track;
    }
}

static void fill_data(const struct jsep_view *view, struct rmi_jsep_result *r) {
    for (size_t i = 0; i < view->count && view->remote; i++) {
        if (view->sections[i].dead || view->sections[i].kind != RMI_MEDIA_DATA)
            continue;
        const struct rmi_sdp_media *m = &view->remote->media[i];
        r->has_data = true;
        r->sctp_port = (uint16_t)(m->sctp_port >= 0 ? m->sctp_port : RMI_JSEP_SCTP_PORT);
        r->max_message_size = m->max_message_size >= 0 ? (uint64_t)m->max_message_size : DEFAULT_MAX_MESSAGE_SIZE;
    }
}

uint64_t rmi_jsep_session_id(const struct rmi_jsep *j) {
    return j->session_id;
}

const struct rmi_jsep_result *rmi_jsep_result(struct rmi_jsep *j) {
    const struct jsep_view *view = j->state == RMI_JSEP_HAVE_REMOTE_OFFER ? &j->pending : &j->current;
    struct rmi_jsep_result *r = &j->result;
    *r = (struct rmi_jsep_result){.state = j->state,
                                  .negotiation_needed = negotiation_needed(j),
                                  .has_remote = view->remote != NULL,
                                  .remote_ufrag = "",
                                  .remote_pwd = "",
                                  .rolled_back = j->rolled_back,
                                  .ice_restarted_by_remote = j->ice_restarted,
                                  .fingerprints_changed = j->fingerprints_changed,
                                  .dtls_client = view->dtls_client,
                                  .media = j->media,
                                  .media_count = view->count};
    if (view->remote) {
        const struct jsep_transport *t = &view->transport;
        r->remote_ufrag = t->ufrag;
        r->remote_pwd = t->pwd;
        r->remote_ice_lite = view->remote->ice_lite;
        r->remote_trickle = t->trickle;
        r->remote_fingerprints = t->fingerprints;
        r->remote_fingerprint_count = t->fingerprint_count;
        r->remote_candidates = t->candidates;
        r->remote_candidate_count = t->candidate_count;
        r->remote_end_of_candidates = t->end_of_candidates;
    }
    fill_data(view, r);
    for (size_t i = 0; i < view->count; i++)
        fill_media(j, view, i, &j->media[i]);
    return r;
}

rm_err rmi_jsep_transport_mline(const struct rmi_jsep *j, int *mline, const char **mid) {
    const struct jsep_view *view = jsep_newest(j);
    for (size_t i = 0; i < view->count; i++) {
        if (!view->sections[i].dead) {
            *mline = (int)i;
            *mid = view->sections[i].mid;
            return RM_OK;
        }
    }
    return RM_E_STATE;
}
