/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions and candidates of a peer connection: what the peers tell each other through signaling. */
#include "peer/connection_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rmi_pc_register_ufrag(struct rmi_pc *pc) {
    const char *ufrag = rmi_ice_local_ufrag(pc->ice);
    if (!strcmp(pc->ufrags[0], ufrag))
        return;
    const char *oldest = pc->ufrags[RMI_PC_UFRAGS_MAX - 1];
    if (oldest[0])
        rmi_mux_remove_ufrag(pc->config.mux, oldest);
    memmove(pc->ufrags[1], pc->ufrags[0], (RMI_PC_UFRAGS_MAX - 1) * sizeof pc->ufrags[0]);
    snprintf(pc->ufrags[0], sizeof pc->ufrags[0], "%s", ufrag);
    rmi_mux_add_ufrag(pc->config.mux, ufrag, pc->config.mux_owner);
}

/* The restart whose offer is out is taken back, and its ufrag with it. */
static void restart_undone(struct rmi_pc *pc) {
    if (!pc->restart_pending)
        return;
    pc->restart_pending = false;
    if (rmi_ice_restart_rollback(pc->ice, pc->now_us))
        return;
    rmi_mux_remove_ufrag(pc->config.mux, pc->ufrags[0]);
    memmove(pc->ufrags[0], pc->ufrags[1], (RMI_PC_UFRAGS_MAX - 1) * sizeof pc->ufrags[0]);
    pc->ufrags[RMI_PC_UFRAGS_MAX - 1][0] = '\0';
}

void rmi_pc_label_candidate(const struct rmi_pc *pc, struct rmi_pc_event *ev) {
    const char *mid = "";
    if (rmi_jsep_transport_mline(pc->jsep, &ev->mline, &mid))
        ev->mline = 0;
    snprintf(ev->mid, sizeof ev->mid, "%s", mid);
}

/* Makes an offer or answer with what is known of the transport now, and posts it. */
static rm_err describe(struct rmi_pc *pc, enum rmi_sdp_type type) {
    struct rmi_candidate cands[RMI_ICE_LOCAL_MAX];
    for (size_t i = 0; i < pc->local_count; i++)
        cands[i] = pc->locals[i].cand;
    struct rmi_jsep_local local = {
        .ufrag = rmi_ice_local_ufrag(pc->ice),
        .pwd = rmi_ice_local_pwd(pc->ice),
        .fingerprint = pc->fingerprint,
        .candidates = cands,
        .candidate_count = pc->local_count,
        .end_of_candidates = pc->local_done,
    };
    char *sdp = NULL;
    rm_err err = type == RMI_SDP_OFFER ? rmi_jsep_create_offer(pc->jsep, &local, &sdp)
                                       : rmi_jsep_create_answer(pc->jsep, &local, &sdp);
    if (err)
        return err;
    struct rmi_pc_event *ev = rmi_pc_post(pc, RMI_PC_EV_LOCAL_DESCRIPTION);
    if (!ev) {
        free(sdp);
        return RM_E_NO_MEMORY;
    }
    ev->sdp_type = type;
    ev->sdp = sdp;
    pc->described = true;
    if (pc->local_done) { /* peers that do not read a=end-of-candidates get it by trickle too */
        struct rmi_pc_event *end = rmi_pc_post(pc, RMI_PC_EV_LOCAL_CANDIDATE);
        if (end)
            rmi_pc_label_candidate(pc, end);
    }
    return RM_OK;
}

rm_err rmi_pc_offer(struct rmi_pc *pc, int64_t now_us) {
    pc->now_us = now_us;
    if (pc->state >= RMI_PC_FAILED)
        return RM_E_CLOSED;
    rm_err err = describe(pc, RMI_SDP_OFFER);
    rmi_pc_update(pc);
    return err;
}

rm_err rmi_pc_restart_ice(struct rmi_pc *pc, int64_t now_us) {
    pc->now_us = now_us;
    if (pc->state >= RMI_PC_FAILED)
        return RM_E_CLOSED;
    if (rmi_jsep_result(pc->jsep)->state != RMI_JSEP_STABLE || !pc->remote_known)
        return RM_E_STATE;
    rmi_ice_restart(pc->ice, now_us);
    rmi_pc_register_ufrag(pc);
    pc->restart_pending = true;
    rm_err err = describe(pc, RMI_SDP_OFFER);
    if (err)
        restart_undone(pc);
    rmi_pc_update(pc);
    return err;
}

rm_err rmi_pc_offer_lost(struct rmi_pc *pc, int64_t now_us) {
    pc->now_us = now_us;
    if (rmi_jsep_result(pc->jsep)->state != RMI_JSEP_HAVE_LOCAL_OFFER)
        return RM_E_STATE;
    rm_err err = rmi_jsep_rollback(pc->jsep);
    restart_undone(pc);
    rmi_pc_update(pc);
    return err;
}

void rmi_pc_abort(struct rmi_pc *pc, int64_t now_us, rm_err err, const char *detail) {
    pc->now_us = now_us;
    rmi_pc_fail(pc, err, detail);
}

static rm_err parse_fingerprints(const struct rmi_jsep_result *r, struct rmi_fingerprint *out, size_t *count) {
    *count = 0;
    for (size_t i = 0; i < r->remote_fingerprint_count && *count < RMI_SDP_FINGERPRINT_MAX; i++) {
        const char *text = r->remote_fingerprints[i];
        if (!rmi_fingerprint_parse(text, strlen(text), &out[*count]))
            (*count)++; /* weak and malformed ones do not count */
    }
    return *count ? RM_OK : RM_E_DTLS_FINGERPRINT;
}

static bool same_fingerprints(const struct rmi_pc *pc, const struct rmi_fingerprint *fps, size_t n) {
    if (n != pc->remote_fp_count)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(fps[i].hash, pc->remote_fps[i].hash) || fps[i].len != pc->remote_fps[i].len ||
            memcmp(fps[i].bytes, pc->remote_fps[i].bytes, fps[i].len))
            return false;
    return true;
}

/* The peer's identity is pinned to its certificate for the life of the connection (RFC 8842 5.1: another fingerprint
 * needs a new DTLS association, which means a new connection here). */
static rm_err pin_identity(struct rmi_pc *pc, const struct rmi_jsep_result *r) {
    struct rmi_fingerprint fps[RMI_SDP_FINGERPRINT_MAX];
    size_t n;
    rm_err err = parse_fingerprints(r, fps, &n);
    if (err)
        return err;
    if (pc->remote_fp_count && !same_fingerprints(pc, fps, n))
        return RM_E_DTLS_FINGERPRINT;
    memcpy(pc->remote_fps, fps, n * sizeof *fps);
    pc->remote_fp_count = n;
    return RM_OK;
}

rm_err rmi_pc_add_remote(struct rmi_pc *pc, const struct rmi_candidate *c) {
    if (!c->hostname[0]) {
        rm_err err = rmi_ice_add_remote(pc->ice, pc->now_us, c);
        if (err)
            pc->stats.drop_candidates++;
        return err;
    }
    for (size_t i = 0; i < RMI_PC_RESOLVE_MAX; i++) {
        struct rmi_pc_resolving *r = &pc->resolving[i];
        if (r->used)
            continue;
        struct rmi_pc_event *ev = rmi_pc_post(pc, RMI_PC_EV_RESOLVE);
        if (!ev)
            break;
        *r = (struct rmi_pc_resolving){.used = true, .id = ++pc->next_resolve_id, .cand = *c};
        ev->resolve_id = r->id;
        snprintf(ev->hostname, sizeof ev->hostname, "%s", c->hostname);
        return RM_OK;
    }
    pc->stats.drop_candidates++;
    return RM_E_LIMIT;
}

void rmi_pc_resolved(struct rmi_pc *pc, int64_t now_us, uint32_t resolve_id, const struct rmi_addr *addr) {
    pc->now_us = now_us;
    for (size_t i = 0; i < RMI_PC_RESOLVE_MAX; i++) {
        struct rmi_pc_resolving *r = &pc->resolving[i];
        if (!r->used || r->id != resolve_id)
            continue;
        r->used = false;
        if (!addr || pc->state >= RMI_PC_FAILED) {
            pc->stats.drop_candidates++;
            return;
        }
        struct rmi_candidate c = r->cand;
        uint16_t port = c.addr.port;
        c.addr = *addr;
        c.addr.port = port;
        c.hostname[0] = '\0';
        rmi_pc_add_remote(pc, &c);
        rmi_pc_update(pc);
        return;
    }
}

/* Credentials and candidates of the newest remote description, then those that came ahead of it. */
static rm_err apply_remote(struct rmi_pc *pc, const struct rmi_jsep_result *r) {
    rm_err err = rmi_ice_set_remote(pc->ice, pc->now_us, r->remote_ufrag, r->remote_pwd, r->remote_ice_lite);
    if (err)
        return err;
    pc->remote_known = true;
    for (size_t i = 0; i < r->remote_candidate_count; i++)
        rmi_pc_add_remote(pc, &r->remote_candidates[i]);
    size_t pending = pc->pending_count;
    pc->pending_count = 0;
    for (size_t i = 0; i < pending; i++)
        rmi_pc_remote_candidate(pc, pc->now_us, pc->pending[i], strlen(pc->pending[i]));
    free(pc->pending);
    pc->pending = NULL;
    if (r->remote_end_of_candidates)
        rmi_ice_remote_done(pc->ice, pc->now_us);
    return RM_OK;
}

static uint64_t session_of(const char *sdp, size_t len) {
    struct rmi_sdp *parsed = NULL;
    if (rmi_sdp_parse(sdp, len, &parsed, NULL))
        return 0;
    uint64_t id = parsed->origin_id;
    rmi_sdp_free(parsed);
    return id;
}

bool rmi_pc_same_session(const struct rmi_pc *pc, const char *sdp, size_t len) {
    return !pc->remote_session || session_of(sdp, len) == pc->remote_session;
}

static rm_err answer_offer(struct rmi_pc *pc, const struct rmi_jsep_result *r) {
    if (r->rolled_back)
        restart_undone(pc);
    if (r->ice_restarted_by_remote && pc->remote_known) {
        rmi_ice_restart(pc->ice, pc->now_us);
        rmi_pc_register_ufrag(pc);
    }
    rm_err err = apply_remote(pc, r);
    return err ? err : describe(pc, RMI_SDP_ANSWER);
}

rm_err rmi_pc_remote_description(struct rmi_pc *pc, int64_t now_us, enum rmi_sdp_type type, const char *sdp, size_t len,
                                 char detail[256]) {
    pc->now_us = now_us;
    detail[0] = '\0';
    if (pc->state >= RMI_PC_FAILED)
        return RM_E_CLOSED;
    rm_err err = rmi_jsep_set_remote(pc->jsep, type, sdp, len, detail);
    if (err)
        return err;
    const struct rmi_jsep_result *r = rmi_jsep_result(pc->jsep);
    err = pin_identity(pc, r);
    if (!err) {
        if (!pc->remote_session)
            pc->remote_session = session_of(sdp, len);
        err = type == RMI_SDP_OFFER ? answer_offer(pc, r) : apply_remote(pc, r);
    }
    if (err) {
        snprintf(detail, 256, "%s", rm_strerror(err));
        rmi_pc_fail(pc, err, detail);
        return err;
    }
    pc->restart_pending = false;
    pc->negotiations++;
    if (!pc->steps.negotiated_us)
        pc->steps.negotiated_us = now_us;
    rmi_pc_update(pc);
    return RM_OK;
}

rm_err rmi_pc_remote_candidate(struct rmi_pc *pc, int64_t now_us, const char *text, size_t len) {
    pc->now_us = now_us;
    if (pc->state >= RMI_PC_FAILED)
        return RM_E_CLOSED;
    if (len >= RMI_CAND_TEXT_MAX) {
        pc->stats.drop_candidates++;
        return RM_E_TOO_BIG;
    }
    if (!pc->remote_known) {
        if (!pc->pending)
            pc->pending = calloc(RMI_PC_PENDING_MAX, sizeof *pc->pending);
        if (!pc->pending || pc->pending_count == RMI_PC_PENDING_MAX) {
            pc->stats.drop_candidates++;
            return RM_E_LIMIT;
        }
        memcpy(pc->pending[pc->pending_count], text, len);
        pc->pending[pc->pending_count++][len] = '\0';
        return RM_OK;
    }
    if (!len) {
        rmi_ice_remote_done(pc->ice, now_us);
        rmi_pc_update(pc);
        return RM_OK;
    }
    struct rmi_candidate c;
    rm_err err = rmi_candidate_parse(text, len, &c);
    if (err)
        pc->stats.drop_candidates++;
    else
        err = rmi_pc_add_remote(pc, &c);
    rmi_pc_update(pc);
    return err;
}
