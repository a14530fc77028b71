/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/sdp.h"
#include <inttypes.h>

static const char *direction_name(enum rmi_direction direction) {
    switch (direction) {
    case RMI_DIR_SENDRECV:
        return "sendrecv";
    case RMI_DIR_SENDONLY:
        return "sendonly";
    case RMI_DIR_RECVONLY:
        return "recvonly";
    case RMI_DIR_INACTIVE:
        break;
    }
    return "inactive";
}

static const char *setup_name(enum rmi_sdp_setup setup) {
    switch (setup) {
    case RMI_SETUP_ACTPASS:
        return "actpass";
    case RMI_SETUP_ACTIVE:
        return "active";
    case RMI_SETUP_PASSIVE:
        return "passive";
    case RMI_SETUP_HOLDCONN:
        return "holdconn";
    case RMI_SETUP_NONE:
        break;
    }
    return NULL;
}

static void write_if(struct rmi_sbuf *out, const char *name, const char *value) {
    if (value[0])
        rmi_sbuf_addf(out, "a=%s:%s\r\n", name, value);
}

static void write_transport(const struct rmi_sdp_media *m, struct rmi_sbuf *out) {
    write_if(out, "ice-ufrag", m->ice_ufrag);
    write_if(out, "ice-pwd", m->ice_pwd);
    if (m->trickle)
        rmi_sbuf_add(out, "a=ice-options:trickle\r\n");
    for (size_t i = 0; i < m->fingerprint_count; i++)
        rmi_sbuf_addf(out, "a=fingerprint:%s\r\n", m->fingerprints[i]);
    if (setup_name(m->setup))
        rmi_sbuf_addf(out, "a=setup:%s\r\n", setup_name(m->setup));
    write_if(out, "tls-id", m->tls_id);
    for (size_t i = 0; i < m->candidate_count; i++) {
        char line[RMI_CAND_TEXT_MAX];
        if (rmi_candidate_write(&m->candidates[i], line, sizeof line))
            rmi_sbuf_addf(out, "a=%s\r\n", line);
    }
    if (m->end_of_candidates)
        rmi_sbuf_add(out, "a=end-of-candidates\r\n");
}

static void write_codec(const struct rmi_sdp_codec *c, struct rmi_sbuf *out) {
    static const struct {
        uint32_t flag;
        const char *text;
    } feedback[] = {
        {RMI_FB_GOOG_REMB, "goog-remb"}, {RMI_FB_TRANSPORT_CC, "transport-cc"}, {RMI_FB_CCM_FIR, "ccm fir"},
        {RMI_FB_NACK, "nack"},           {RMI_FB_NACK_PLI, "nack pli"},         {RMI_FB_NACK_ECN, "nack ecn"},
    };
    if (c->name[0]) {
        rmi_sbuf_addf(out, "a=rtpmap:%u %s/%" PRIu32, c->pt, c->name, c->clock);
        if (c->channels > 1)
            rmi_sbuf_addf(out, "/%u", c->channels);
        rmi_sbuf_add(out, "\r\n");
    }
    for (size_t i = 0; i < sizeof feedback / sizeof feedback[0]; i++) {
        if (c->feedback & feedback[i].flag)
            rmi_sbuf_addf(out, "a=rtcp-fb:%u %s\r\n", c->pt, feedback[i].text);
    }
    if (c->fmtp[0])
        rmi_sbuf_addf(out, "a=fmtp:%u %s\r\n", c->pt, c->fmtp);
}

static void write_sources(const struct rmi_sdp_media *m, struct rmi_sbuf *out) {
    for (size_t i = 0; i < m->fid_count; i++)
        rmi_sbuf_addf(out, "a=ssrc-group:FID %" PRIu32 " %" PRIu32 "\r\n", m->fids[i].media_ssrc, m->fids[i].rtx_ssrc);
    for (size_t i = 0; i < m->ssrc_count; i++) {
        rmi_sbuf_addf(out, "a=ssrc:%" PRIu32, m->ssrcs[i].ssrc);
        if (m->ssrcs[i].cname[0])
            rmi_sbuf_addf(out, " cname:%s", m->ssrcs[i].cname);
        rmi_sbuf_add(out, "\r\n");
    }
}

/* Methods in the order of our preference. The ECT mark is ECT(0) in any case (RFC 8311 5). */
static void write_ecn(const struct rmi_sdp_media *m, struct rmi_sbuf *out) {
    static const struct {
        unsigned method;
        const char *name;
    } methods[] = {{RMI_ECN_BY_RTP, "rtp"}, {RMI_ECN_BY_ICE, "ice"}, {RMI_ECN_BY_LEAP, "leap"}};
    const char *separator = " ";
    if (m->ecn)
        rmi_sbuf_add(out, "a=ecn-capable-rtp:");
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (!(m->ecn & methods[i].method))
            continue;
        rmi_sbuf_addf(out, "%s%s", separator, methods[i].name);
        separator = ",";
    }
    if (m->ecn)
        rmi_sbuf_addf(out, " ect=0%s\r\n", m->ecn_no_set ? "; mode=readonly" : m->ecn_no_read ? "; mode=setonly" : "");
    if (m->ecn_summary)
        rmi_sbuf_add(out, "a=rtcp-xr:ecn-sum\r\n");
}

static void write_media(const struct rmi_sdp_media *m, struct rmi_sbuf *out) {
    rmi_sbuf_addf(out, "m=%s %u %s %s\r\nc=IN IP4 0.0.0.0\r\n", m->kind_name, m->port, m->proto, m->fmt);
    if (m->kind == RMI_MEDIA_AUDIO || m->kind == RMI_MEDIA_VIDEO)
        rmi_sbuf_add(out, "a=rtcp:9 IN IP4 0.0.0.0\r\n");
    write_transport(m, out);
    write_if(out, "mid", m->mid);
    if (m->bundle_only)
        rmi_sbuf_add(out, "a=bundle-only\r\n");
    for (size_t i = 0; i < m->extmap_count; i++) {
        const struct rmi_sdp_extmap *e = &m->extmaps[i];
        rmi_sbuf_addf(out, "a=extmap:%u%s%s %s\r\n", e->id, e->direction == RMI_DIR_SENDRECV ? "" : "/",
                      e->direction == RMI_DIR_SENDRECV ? "" : direction_name(e->direction), e->uri);
    }
    if (m->kind != RMI_MEDIA_DATA || m->direction != RMI_DIR_SENDRECV)
        rmi_sbuf_addf(out, "a=%s\r\n", direction_name(m->direction));
    if (m->msid_stream[0])
        rmi_sbuf_addf(out, "a=msid:%s%s%s\r\n", m->msid_stream, m->msid_track[0] ? " " : "", m->msid_track);
    if (m->rtcp_mux)
        rmi_sbuf_add(out, "a=rtcp-mux\r\n");
    if (m->rtcp_rsize)
        rmi_sbuf_add(out, "a=rtcp-rsize\r\n");
    write_ecn(m, out);
    for (size_t i = 0; i < m->codec_count; i++)
        write_codec(&m->codecs[i], out);
    write_sources(m, out);
    /* The old form of a data section (draft-ietf-mmusic-sctp-sdp-07) names the port in the format list. */
    if (m->kind == RMI_MEDIA_DATA && m->sctp_port >= 0 && m->fmt[0] >= '0' && m->fmt[0] <= '9')
        rmi_sbuf_addf(out, "a=sctpmap:%" PRId32 " webrtc-datachannel 1024\r\n", m->sctp_port);
    else if (m->sctp_port >= 0)
        rmi_sbuf_addf(out, "a=sctp-port:%" PRId32 "\r\n", m->sctp_port);
    if (m->max_message_size >= 0)
        rmi_sbuf_addf(out, "a=max-message-size:%" PRId64 "\r\n", m->max_message_size);
}

void rmi_sdp_write(const struct rmi_sdp *sdp, struct rmi_sbuf *out) {
    rmi_sbuf_addf(out, "v=0\r\no=- %" PRIu64 " %" PRIu64 " IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", sdp->origin_id,
                  sdp->origin_version);
    if (sdp->has_bundle) {
        rmi_sbuf_add(out, "a=group:BUNDLE");
        for (size_t i = 0; i < sdp->bundle_count; i++)
            rmi_sbuf_addf(out, " %s", sdp->bundle[i]);
        rmi_sbuf_add(out, "\r\n");
    }
    if (sdp->has_answers)
        rmi_sbuf_addf(out, "a=x-answers:%" PRIu64 " %" PRIu64 "\r\n", sdp->answers_id, sdp->answers_version);
    if (sdp->extmap_allow_mixed)
        rmi_sbuf_add(out, "a=extmap-allow-mixed\r\n");
    if (sdp->ice_lite)
        rmi_sbuf_add(out, "a=ice-lite\r\n");
    rmi_sbuf_add(out, "a=msid-semantic: WMS *\r\n");
    for (size_t i = 0; i < sdp->media_count; i++)
        write_media(&sdp->media[i], out);
}
