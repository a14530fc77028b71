/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/connection_private.h"

#include "net/demux.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {"new", "connecting", "connected", "disconnected", "failed", "closed"};

const char *rmi_pc_state_name(enum rmi_pc_state s) {
    return s <= RMI_PC_CLOSED ? state_names[s] : "?";
}

struct rmi_pc_event *rmi_pc_post(struct rmi_pc *pc, enum rmi_pc_event_type type) {
    if (pc->event_count >= RMI_PC_EVENTS_MAX)
        return NULL;
    struct rmi_pc_event_node *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->ev.type = type;
    rmi_list_push_back(&pc->events, &n->node);
    pc->event_count++;
    return &n->ev;
}

void rmi_pc_set_state(struct rmi_pc *pc, enum rmi_pc_state state, rm_err err, const char *reason) {
    if (pc->state == state || pc->state == RMI_PC_CLOSED)
        return;
    rmi_log(pc->config.log, RMI_LOG_PEER, state == RMI_PC_FAILED ? RM_LOG_WARN : RM_LOG_INFO, "peer=%s %s->%s (%s)",
            pc->name, rmi_pc_state_name(pc->state), rmi_pc_state_name(state), reason);
    pc->state = state;
    if (state == RMI_PC_CONNECTED && !pc->steps.connected_us)
        pc->steps.connected_us = pc->now_us;
    struct rmi_pc_event *ev = rmi_pc_post(pc, RMI_PC_EV_STATE);
    if (!ev)
        return;
    ev->state = state;
    ev->err = err;
    snprintf(ev->detail, sizeof ev->detail, "%s", reason);
}

void rmi_pc_fail(struct rmi_pc *pc, rm_err err, const char *detail) {
    if (pc->state == RMI_PC_FAILED || pc->state == RMI_PC_CLOSED)
        return;
    pc->err = err;
    snprintf(pc->err_detail, sizeof pc->err_detail, "%s", detail && detail[0] ? detail : rm_strerror(err));
    rmi_pc_set_state(pc, RMI_PC_FAILED, err, pc->err_detail);
    rmi_ice_close(pc->ice);
    rmi_pc_secure_fini(pc);
}

static rm_err create_negotiation(struct rmi_pc *pc) {
    struct rmi_jsep_config jc = {
        .rng = pc->config.rng,
        .log = pc->config.log,
        .name = pc->name,
        .polite = pc->config.polite,
        .prefer_first = true,
        .data_channel = pc->config.data,
        .ecn = pc->config.ecn,
        .no_audio = !pc->config.audio,
        .no_video = !pc->config.video,
        .cname = pc->config.stream_id,
    };
    static const enum rmi_jsep_codec_id all[] = {RMI_JSEP_VP9, RMI_JSEP_VP8, RMI_JSEP_H264};
    jc.video[jc.video_count++] = pc->config.video_first;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] != pc->config.video_first)
            jc.video[jc.video_count++] = all[i];
    rm_err err = rmi_jsep_create(&jc, &pc->jsep);
    if (!err && pc->config.audio)
        err = rmi_jsep_add_media(pc->jsep, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV, pc->config.stream_id, "audio", NULL);
    if (!err && pc->config.video)
        err = rmi_jsep_add_media(pc->jsep, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV, pc->config.stream_id, "video", NULL);
    return err;
}

static rm_err create_ice(struct rmi_pc *pc) {
    uint32_t tag = rmi_rng_u32(&pc->config.rng);
    while (rmi_mux_add_tag(pc->config.mux, tag, pc->config.mux_owner) == RM_E_EXISTS)
        tag = rmi_rng_u32(&pc->config.rng);
    struct rmi_ice_config ic = {
        .rng = pc->config.rng,
        .log = pc->config.log,
        .name = pc->name,
        .sink = pc->config.sink,
        .controlling = pc->config.offerer,
        .relay_only = pc->config.relay_only,
        .tag = tag,
        .liveness_us = pc->config.liveness_us,
        .failed_us = pc->config.ice_timeout_us,
    };
    return rmi_ice_create(&ic, &pc->ice);
}

rm_err rmi_pc_create(const struct rmi_pc_config *config, int64_t now_us, struct rmi_pc **out) {
    struct rmi_pc *pc = calloc(1, sizeof *pc);
    if (!pc)
        return RM_E_NO_MEMORY;
    pc->config = *config;
    rmi_list_init(&pc->events);
    snprintf(pc->name, sizeof pc->name, "%s", config->name ? config->name : "?");
    pc->config.name = pc->name;
    pc->config.cert = rmi_dtls_cert_ref(config->cert);
    pc->now_us = pc->steps.created_us = now_us;
    struct rmi_fingerprint fp;
    rmi_dtls_cert_fingerprint(config->cert, &fp);
    rmi_fingerprint_text(&fp, pc->fingerprint);
    rm_err err = create_negotiation(pc);
    if (!err)
        err = create_ice(pc);
    if (err) {
        rmi_pc_destroy(&pc);
        return err;
    }
    rmi_pc_register_ufrag(pc);
    *out = pc;
    return RM_OK;
}

void rmi_pc_destroy(struct rmi_pc **ppc) {
    struct rmi_pc *pc = *ppc;
    if (!pc)
        return;
    struct rmi_pc_event ev;
    while (rmi_pc_poll_event(pc, &ev))
        free(ev.sdp);
    if (pc->config.mux)
        rmi_mux_remove_owner(pc->config.mux, pc->config.mux_owner);
    rmi_pc_secure_fini(pc);
    rmi_ice_destroy(&pc->ice);
    rmi_jsep_destroy(&pc->jsep);
    rmi_dtls_cert_unref(&pc->config.cert);
    free(pc->pending);
    free(pc);
    *ppc = NULL;
}

void rmi_pc_on_packet(struct rmi_pc *pc, rmi_pc_packet_fn fn, void *ctx) {
    pc->on_packet = fn;
    pc->on_packet_ctx = ctx;
}

void rmi_pc_on_data(struct rmi_pc *pc, rmi_pc_data_fn fn, void *ctx) {
    pc->on_data = fn;
    pc->on_data_ctx = ctx;
}

void rmi_pc_close(struct rmi_pc *pc, int64_t now_us) {
    if (pc->state == RMI_PC_CLOSED)
        return;
    pc->now_us = now_us;
    if (pc->dtls)
        rmi_dtls_close(pc->dtls, now_us);
    rmi_ice_close(pc->ice);
    rmi_pc_set_state(pc, RMI_PC_CLOSED, RM_OK, "closed here");
}

static void fail_by_ice(struct rmi_pc *pc, rm_err err) {
    char detail[256];
    if (!pc->relay_err || err == RM_E_ICE_CONSENT) {
        rmi_pc_fail(pc, err, rm_strerror(err));
        return;
    }
    snprintf(detail, sizeof detail, "no path (%s), and no relay: %s", rm_err_name(err), rm_strerror(pc->relay_err));
    rmi_pc_fail(pc, pc->relay_err, detail);
}

static void drain_ice(struct rmi_pc *pc) {
    struct rmi_ice_event ev;
    while (rmi_ice_poll_event(pc->ice, &ev)) {
        if (ev.type == RMI_ICE_EV_SELECTED_PAIR) {
            rmi_pc_post(pc, RMI_PC_EV_SELECTED_PAIR);
            continue;
        }
        if (ev.type == RMI_ICE_EV_SILENCE) {
            rmi_pc_post(pc, RMI_PC_EV_SILENCE);
            continue;
        }
        if (ev.state == RMI_ICE_CHECKING && !pc->steps.checking_us)
            pc->steps.checking_us = pc->now_us;
        if (ev.state == RMI_ICE_CONNECTED && !pc->steps.ice_connected_us)
            pc->steps.ice_connected_us = pc->now_us;
        if (ev.state == RMI_ICE_FAILED)
            fail_by_ice(pc, ev.err);
    }
}

void rmi_pc_update(struct rmi_pc *pc) {
    if (pc->state == RMI_PC_CLOSED || pc->state == RMI_PC_FAILED)
        return;
    drain_ice(pc);
    if (pc->state == RMI_PC_FAILED)
        return;
    rmi_pc_secure_step(pc);
    if (pc->state == RMI_PC_CLOSED || pc->state == RMI_PC_FAILED)
        return;
    enum rmi_ice_state ice = rmi_ice_state_of(pc->ice);
    if (pc->dtls_done && ice == RMI_ICE_CONNECTED)
        rmi_pc_set_state(pc, RMI_PC_CONNECTED, RM_OK,
                         pc->state == RMI_PC_DISCONNECTED ? "heard again" : "ICE and DTLS done");
    else if (pc->dtls_done && ice == RMI_ICE_DISCONNECTED)
        rmi_pc_set_state(pc, RMI_PC_DISCONNECTED, RM_OK, "nothing received within the liveness time");
    else if (pc->state == RMI_PC_NEW && (pc->described || ice != RMI_ICE_NEW))
        rmi_pc_set_state(pc, RMI_PC_CONNECTING, RM_OK, "negotiating");
}

static void post_candidate(struct rmi_pc *pc, const struct rmi_candidate *c) {
    struct rmi_pc_event *ev = rmi_pc_post(pc, RMI_PC_EV_LOCAL_CANDIDATE);
    if (!ev)
        return;
    struct rmi_candidate named = *c;
    snprintf(named.ufrag, sizeof named.ufrag, "%s", rmi_ice_local_ufrag(pc->ice));
    rmi_candidate_write(&named, ev->text, sizeof ev->text);
    rmi_pc_label_candidate(pc, ev);
}

/* The place of a candidate: that of the one it supersedes, when a NAT gives the same base another address. */
static struct rmi_pc_local_cand *local_slot(struct rmi_pc *pc, rmi_base_id base, const struct rmi_candidate *c) {
    for (size_t i = 0; i < pc->local_count; i++) {
        struct rmi_pc_local_cand *l = &pc->locals[i];
        if (c->type == RMI_CAND_SRFLX && l->cand.type == c->type && l->base == base &&
            !strcmp(l->cand.foundation, c->foundation))
            return l;
    }
    return pc->local_count < RMI_ICE_LOCAL_MAX ? &pc->locals[pc->local_count++] : NULL;
}

void rmi_pc_local_candidate(struct rmi_pc *pc, int64_t now_us, rmi_base_id base, const struct rmi_candidate *c) {
    pc->now_us = now_us;
    if (pc->state >= RMI_PC_FAILED)
        return;
    struct rmi_pc_local_cand *slot = local_slot(pc, base, c);
    if (!slot)
        return;
    *slot = (struct rmi_pc_local_cand){.base = base, .cand = *c};
    if (!pc->steps.gathered_us)
        pc->steps.gathered_us = now_us;
    rmi_ice_add_local(pc->ice, now_us, base, c);
    if (pc->described) /* what came before goes into the description itself */
        post_candidate(pc, c);
    rmi_pc_update(pc);
}

static void post_end_of_candidates(struct rmi_pc *pc) {
    struct rmi_pc_event *ev = rmi_pc_post(pc, RMI_PC_EV_LOCAL_CANDIDATE);
    if (ev)
        rmi_pc_label_candidate(pc, ev);
}

void rmi_pc_local_done(struct rmi_pc *pc, int64_t now_us) {
    pc->now_us = now_us;
    if (pc->local_done || pc->state >= RMI_PC_FAILED)
        return;
    pc->local_done = true;
    rmi_ice_local_done(pc->ice, now_us);
    if (pc->described)
        post_end_of_candidates(pc);
    rmi_pc_update(pc);
}

void rmi_pc_base_gone(struct rmi_pc *pc, int64_t now_us, rmi_base_id base) {
    pc->now_us = now_us;
    size_t kept = 0;
    for (size_t i = 0; i < pc->local_count; i++)
        if (pc->locals[i].base != base)
            pc->locals[kept++] = pc->locals[i];
    pc->local_count = kept;
    rmi_ice_remove_base(pc->ice, now_us, base);
    rmi_pc_update(pc);
}

void rmi_pc_input(struct rmi_pc *pc, int64_t now_us, rmi_base_id base, const struct rmi_addr *from, enum rmi_ecn ecn,
                  uint8_t *data, size_t len) {
    pc->now_us = now_us;
    if (pc->state >= RMI_PC_FAILED)
        return;
    pc->stats.packets_in++;
    pc->stats.bytes_in += len;
    enum rmi_packet_kind kind = rmi_packet_kind_of(data, len);
    switch (kind) {
    case RMI_PACKET_STUN:
        rmi_ice_input(pc->ice, now_us, base, from, data, len);
        if (rmi_ice_source_of(pc->ice, base, from) != RMI_ICE_SOURCE_UNKNOWN)
            rmi_mux_learn(pc->config.mux, base, from, pc->config.mux_owner);
        break;
    case RMI_PACKET_DTLS:
        rmi_pc_secure_input(pc, base, from, data, len);
        break;
    case RMI_PACKET_RTP:
    case RMI_PACKET_RTCP:
        if (rmi_ice_source_of(pc->ice, base, from) != RMI_ICE_SOURCE_VALID) {
            pc->stats.drop_unvalidated++;
            return;
        }
        rmi_pc_secure_media(pc, base, from, kind == RMI_PACKET_RTCP, ecn, data, len);
        return; /* media changes no state but liveness, which the timer looks at */
    default:
        pc->stats.drop_unknown++;
        return;
    }
    rmi_pc_update(pc);
}

int64_t rmi_pc_next_deadline(const struct rmi_pc *pc) {
    if (pc->state >= RMI_PC_FAILED)
        return RMI_NEVER;
    int64_t t = rmi_ice_next_deadline(pc->ice);
    if (pc->dtls)
        t = rmi_min64(t, rmi_dtls_next_deadline(pc->dtls));
    return rmi_min64(t, rmi_pc_echo_deadline(pc));
}

void rmi_pc_timeout(struct rmi_pc *pc, int64_t now_us) {
    pc->now_us = now_us;
    if (pc->state >= RMI_PC_FAILED || now_us < rmi_pc_next_deadline(pc))
        return;
    if (rmi_ice_next_deadline(pc->ice) <= now_us)
        rmi_ice_timeout(pc->ice, now_us);
    if (pc->dtls && rmi_dtls_next_deadline(pc->dtls) <= now_us)
        rmi_dtls_timeout(pc->dtls, now_us);
    rmi_pc_echo_timeout(pc);
    rmi_pc_update(pc);
}

bool rmi_pc_poll_event(struct rmi_pc *pc, struct rmi_pc_event *out) {
    struct rmi_list *node = rmi_list_pop_front(&pc->events);
    if (!node)
        return false;
    struct rmi_pc_event_node *n = RMI_CONTAINER_OF(node, struct rmi_pc_event_node, node);
    *out = n->ev;
    pc->event_count--;
    free(n);
    return true;
}

void rmi_pc_set_relay_error(struct rmi_pc *pc, rm_err err) {
    pc->relay_err = err;
}
int64_t rmi_pc_media_us(const struct rmi_pc *pc) {
    return pc->media_us;
}
enum rmi_pc_state rmi_pc_state_of(const struct rmi_pc *pc) {
    return pc->state;
}
rm_err rmi_pc_error(const struct rmi_pc *pc) {
    return pc->err;
}
void rmi_pc_repost_candidates(struct rmi_pc *pc) {
    for (size_t i = 0; i < pc->local_count; i++)
        post_candidate(pc, &pc->locals[i].cand);
    if (pc->local_done)
        post_end_of_candidates(pc);
}

const char *rmi_pc_error_detail(const struct rmi_pc *pc) {
    return pc->err_detail;
}
const struct rmi_pc_steps *rmi_pc_steps_of(const struct rmi_pc *pc) {
    return &pc->steps;
}
const struct rmi_ice_agent *rmi_pc_ice(const struct rmi_pc *pc) {
    return pc->ice;
}
uint64_t rmi_pc_session(const struct rmi_pc *pc) {
    return rmi_jsep_session_id(pc->jsep);
}
uint64_t rmi_pc_remote_session(const struct rmi_pc *pc) {
    return pc->remote_session;
}
bool rmi_pc_offer_outstanding(const struct rmi_pc *pc) {
    return rmi_jsep_result(pc->jsep)->state == RMI_JSEP_HAVE_LOCAL_OFFER;
}
uint32_t rmi_pc_negotiations(const struct rmi_pc *pc) {
    return pc->negotiations;
}

const struct rmi_jsep_result *rmi_pc_negotiated(const struct rmi_pc *pc) {
    return rmi_jsep_result(pc->jsep);
}
void rmi_pc_get_stats(const struct rmi_pc *pc, struct rmi_pc_stats *out) {
    *out = pc->stats;
}
enum rmi_srtp_profile rmi_pc_srtp_profile(const struct rmi_pc *pc) {
    return pc->profile;
}
