/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/jsep_private.h"
#include "sdp/sdp_private.h"
#include <stdio.h>
#include <string.h>

#define VIDEO_FEEDBACK (RMI_FB_NACK | RMI_FB_NACK_PLI | RMI_FB_CCM_FIR | RMI_FB_TRANSPORT_CC | RMI_FB_GOOG_REMB)
#define ECN_METHODS (RMI_ECN_BY_RTP | RMI_ECN_BY_LEAP) /* those of ours: some packets first, then all, serves both */
#define PT_TEXT 4                                      /* "127" */
#define EXT_ID_MAX 14                                  /* one-byte headers (RFC 8285 4.2) */

/* Payload types are those Chromium starts from, so that captures read alike. */
static const struct jsep_codec_info codecs[RMI_JSEP_CODEC_COUNT] = {
    [RMI_JSEP_OPUS] = {"opus", RMI_MEDIA_AUDIO, 48000, 2, 111, 63, RMI_FB_NACK | RMI_FB_TRANSPORT_CC},
    [RMI_JSEP_VP9] = {"VP9", RMI_MEDIA_VIDEO, 90000, 1, 98, 99, VIDEO_FEEDBACK},
    [RMI_JSEP_VP8] = {"VP8", RMI_MEDIA_VIDEO, 90000, 1, 96, 97, VIDEO_FEEDBACK},
    /* Upper case matters: Chromium negotiates "h264" and then sends nothing. */
    [RMI_JSEP_H264] = {"H264", RMI_MEDIA_VIDEO, 90000, 1, 102, 103, VIDEO_FEEDBACK},
};

static const struct {
    const char *uri;
    uint8_t id;
    bool audio, video;
} extensions[RMI_JSEP_EXT_COUNT] = {
    [RMI_JSEP_EXT_MID] = {"urn:ietf:params:rtp-hdrext:sdes:mid", 4, true, true},
    [RMI_JSEP_EXT_TWCC] = {"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", 3, true, true},
    [RMI_JSEP_EXT_ABS_SEND_TIME] = {"http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", 2, true, true},
    [RMI_JSEP_EXT_AUDIO_LEVEL] = {"urn:ietf:params:rtp-hdrext:ssrc-audio-level", 1, true, false},
};

const struct jsep_codec_info *jsep_codec_info(enum rmi_jsep_codec_id id) {
    return &codecs[id];
}

const char *jsep_ext_uri(enum rmi_jsep_ext ext) {
    return extensions[ext].uri;
}

bool jsep_ext_applies(enum rmi_jsep_ext ext, enum rmi_media_kind kind) {
    return kind == RMI_MEDIA_AUDIO ? extensions[ext].audio : kind == RMI_MEDIA_VIDEO && extensions[ext].video;
}

size_t jsep_codec_list(const struct rmi_jsep *j, enum rmi_media_kind kind, enum rmi_jsep_codec_id *out) {
    if (kind == RMI_MEDIA_AUDIO) {
        out[0] = RMI_JSEP_OPUS;
        return 1;
    }
    if (kind != RMI_MEDIA_VIDEO)
        return 0;
    memcpy(out, j->video, j->video_count * sizeof out[0]);
    return j->video_count;
}

void jsep_default_numbers(struct jsep_numbers *n) {
    for (int i = 0; i < RMI_JSEP_CODEC_COUNT; i++) {
        n->pt[i] = codecs[i].pt;
        n->rtx[i] = codecs[i].rtx;
    }
    for (int i = 0; i < RMI_JSEP_EXT_COUNT; i++)
        n->ext[i] = extensions[i].id;
}

/* --- H.264 (RFC 6184 8.1) --- */

#define H264_BASELINE 0x42
#define H264_MAIN 0x4d
#define H264_EXTENDED 0x58
#define H264_SET0 0x80
#define H264_SET1 0x40
#define H264_DEFAULT_PROFILE 0x42000aU /* Baseline level 1 when the parameter is missing */
#define H264_OUR_LEVEL 0x1fU           /* 3.1: 1280x720 at 30 frames a second */
#define H264_PROFILE_TEXT 6

struct h264 {
    bool usable; /* we can send to it and decode what it sends */
    bool constrained;
    bool mode1;
    bool asymmetry;
    uint32_t profile_level;
};

static int hex_digit(int c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static struct h264 h264_of(const char *fmtp) {
    struct h264 h = {.profile_level = H264_DEFAULT_PROFILE, .usable = true};
    size_t len;
    const char *text = rmi_sdp_fmtp_param(fmtp, "profile-level-id", &len);
    if (text) {
        h.profile_level = 0;
        h.usable = len == H264_PROFILE_TEXT;
        for (size_t i = 0; h.usable && i < len; i++) {
            int digit = hex_digit((unsigned char)text[i]);
            h.usable = digit >= 0;
            h.profile_level = h.profile_level << 4 | (uint32_t)(digit & 0xf);
        }
    }
    unsigned profile = h.profile_level >> 16, constraints = h.profile_level >> 8 & 0xff;
    /* Table 5: the three spellings of Constrained Baseline. Plain Baseline is a superset that senders of WebRTC do not
     * use beyond the constrained tools. */
    h.constrained = (profile == H264_BASELINE && constraints & H264_SET1) ||
                    (profile == H264_MAIN && constraints & H264_SET0) ||
                    (profile == H264_EXTENDED && (constraints & (H264_SET0 | H264_SET1)) == (H264_SET0 | H264_SET1));
    h.usable = h.usable && (h.constrained || profile == H264_BASELINE);
    text = rmi_sdp_fmtp_param(fmtp, "packetization-mode", &len);
    h.mode1 = text && len == 1 && text[0] == '1';
    if (text && !(len == 1 && (text[0] == '0' || text[0] == '1')))
        h.usable = false;
    text = rmi_sdp_fmtp_param(fmtp, "level-asymmetry-allowed", &len);
    h.asymmetry = text && len == 1 && text[0] == '1';
    return h;
}

/* How well a remote format fits one of our codecs: 0 not at all, 1 only when there is nothing else. */
enum { FIT_NONE, FIT_LAST_RESORT, FIT_GOOD, FIT_BEST };

static int fit(enum rmi_jsep_codec_id id, const struct rmi_sdp_codec *c) {
    size_t len;
    if (!rmi_sdp_text_is_nocase(c->name, codecs[id].name) || c->clock != codecs[id].clock ||
        c->channels != codecs[id].channels)
        return FIT_NONE;
    if (c->pt >= 64 && c->pt <= 95)
        return FIT_NONE; /* would be taken for RTCP on the shared port (RFC 5761 4) */
    if (id == RMI_JSEP_VP9) {
        const char *profile = rmi_sdp_fmtp_param(c->fmtp, "profile-id", &len);
        return !profile || (len == 1 && profile[0] == '0') ? FIT_BEST : FIT_NONE;
    }
    if (id == RMI_JSEP_H264) {
        struct h264 h = h264_of(c->fmtp);
        if (!h.usable)
            return FIT_NONE;
        if (!h.mode1)
            return FIT_LAST_RESORT;
        return h.constrained ? FIT_BEST : FIT_GOOD;
    }
    return FIT_BEST;
}

void jsep_local_fmtp(enum rmi_jsep_codec_id id, const char *remote, char *out, size_t cap) {
    out[0] = '\0';
    if (id == RMI_JSEP_OPUS)
        snprintf(out, cap, "minptime=10;useinbandfec=1");
    if (id == RMI_JSEP_VP9)
        snprintf(out, cap, "profile-id=0");
    if (id != RMI_JSEP_H264)
        return;
    if (!remote) {
        snprintf(out, cap, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f");
        return;
    }
    /* An answer repeats profile and mode, and the level only where both may differ (RFC 6184 8.2.2). What the offer
     * leaves to the defaults stays so: GStreamer would force its encoder into a spelled-out level 1. */
    struct h264 h = h264_of(remote);
    size_t len;
    uint32_t level = h.profile_level & 0xff;
    if (h.asymmetry || level > H264_OUR_LEVEL)
        level = H264_OUR_LEVEL;
    int n = snprintf(out, cap, "%s", h.asymmetry ? "level-asymmetry-allowed=1" : "");
    if (rmi_sdp_fmtp_param(remote, "packetization-mode", &len))
        n += snprintf(out + n, cap - (size_t)n, "%spacketization-mode=%d", n ? ";" : "", h.mode1);
    if (rmi_sdp_fmtp_param(remote, "profile-level-id", &len))
        snprintf(out + n, cap - (size_t)n, "%sprofile-level-id=%06x", n ? ";" : "",
                 (unsigned)((h.profile_level & 0xffff00U) | level));
}

/* --- matching --- */

/* "111/111" of payload type 111: copies are of the same codec as what they come with (RFC 2198 5). */
static bool red_is_of(const char *fmtp, unsigned pt) {
    char number[PT_TEXT];
    const size_t len = (size_t)snprintf(number, sizeof number, "%u", pt);
    while (strncmp(fmtp, number, len) == 0 && fmtp[len] == '/')
        fmtp += len + 1;
    return strcmp(fmtp, number) == 0;
}

static const struct rmi_sdp_codec *red_for(const struct rmi_sdp_media *m, const struct rmi_sdp_codec *c) {
    for (size_t i = 0; i < m->codec_count; i++) {
        const struct rmi_sdp_codec *red = &m->codecs[i];
        bool rtcp_range = red->pt >= 64 && red->pt <= 95;
        if (rmi_sdp_text_is_nocase(red->name, "red") && red->clock == c->clock && red->channels == c->channels &&
            !rtcp_range && red_is_of(red->fmtp, c->pt))
            return red;
    }
    return NULL;
}

static const struct rmi_sdp_codec *rtx_for(const struct rmi_sdp_media *m, const struct rmi_sdp_codec *c) {
    for (size_t i = 0; i < m->codec_count; i++) {
        const struct rmi_sdp_codec *rtx = &m->codecs[i];
        bool rtcp_range = rtx->pt >= 64 && rtx->pt <= 95;
        if (rtx->apt == c->pt && rtx->clock == c->clock && !rtcp_range)
            return rtx;
    }
    return NULL;
}

/* The best format of the section for one of our codecs: its index, or JSEP_NONE. */
static int best_format(enum rmi_jsep_codec_id id, const struct rmi_sdp_media *m, int at_least) {
    int best = JSEP_NONE, best_fit = at_least - 1;
    for (size_t i = 0; i < m->codec_count; i++) {
        int f = fit(id, &m->codecs[i]);
        if (f > best_fit) {
            best_fit = f;
            best = (int)i;
        }
    }
    return best;
}

static struct rmi_jsep_codec agreed_codec(const struct rmi_jsep *j, enum rmi_jsep_codec_id id,
                                          const struct rmi_sdp_media *m, const struct rmi_sdp_codec *c,
                                          const struct jsep_numbers *offered) {
    const struct jsep_codec_info *info = &codecs[id];
    const struct rmi_sdp_codec *rtx = info->kind == RMI_MEDIA_VIDEO ? rtx_for(m, c) : red_for(m, c);
    struct rmi_jsep_codec out = {.id = id,
                                 .name = info->name,
                                 .pt_send = c->pt,
                                 .pt_recv = offered ? (uint8_t)offered->pt[id] : c->pt,
                                 .rtx_send = rtx ? rtx->pt : RMI_SDP_NO_PT,
                                 .clock = info->clock,
                                 .channels = info->channels,
                                 .fmtp = c->fmtp,
                                 .feedback = c->feedback & jsep_feedback(j, id)};
    out.rtx_recv = rtx && offered ? offered->rtx[id] : out.rtx_send;
    return out;
}

size_t jsep_match_codecs(const struct rmi_jsep *j, const struct rmi_sdp_media *m, const struct jsep_numbers *offered,
                         struct rmi_jsep_codec *out) {
    enum rmi_jsep_codec_id ids[RMI_JSEP_CODEC_COUNT];
    int format[RMI_JSEP_CODEC_COUNT];
    size_t ours = jsep_codec_list(j, m->kind, ids), count = 0;
    for (int at_least = FIT_GOOD; count == 0 && at_least >= FIT_LAST_RESORT; at_least--) {
        for (size_t i = 0; i < ours; i++)
            format[i] = best_format(ids[i], m, at_least);
        for (size_t f = 0; f < m->codec_count; f++) {
            for (size_t i = 0; i < ours; i++) {
                if (format[i] == (int)f)
                    out[count++] = agreed_codec(j, ids[i], m, &m->codecs[f], offered);
            }
        }
    }
    if (!j->prefer_first || offered)
        return count;
    for (size_t i = 1; i < count; i++) {
        if (out[i].id == ids[0]) {
            struct rmi_jsep_codec preferred = out[i];
            memmove(&out[1], &out[0], i * sizeof out[0]);
            out[0] = preferred;
        }
    }
    return count;
}

uint32_t jsep_feedback(const struct rmi_jsep *j, enum rmi_jsep_codec_id id) {
    return codecs[id].feedback | (j->ecn ? RMI_FB_NACK_ECN : 0);
}

unsigned jsep_ecn_offer(const struct rmi_jsep *j) {
    return j->ecn ? ECN_METHODS : 0;
}

/* Feedback is needed for all of its codecs, or marks of some would not be answered. */
void jsep_match_ecn(const struct rmi_jsep *j, const struct rmi_sdp_media *m, struct jsep_section *s) {
    const unsigned common = m->ecn & jsep_ecn_offer(j);
    bool feedback = true;
    for (size_t i = 0; i < s->codec_count; i++)
        feedback = feedback && (s->codecs[i].feedback & RMI_FB_NACK_ECN);
    s->ecn = !feedback ? 0 : common & RMI_ECN_BY_RTP ? RMI_ECN_BY_RTP : common;
    s->ecn_send = s->ecn && !m->ecn_no_read;
    s->ecn_receive = s->ecn && !m->ecn_no_set;
    for (size_t i = 0; !s->ecn && i < s->codec_count; i++)
        s->codecs[i].feedback &= ~RMI_FB_NACK_ECN;
}

void jsep_match_extensions(const struct rmi_sdp_media *m, const struct jsep_numbers *offered,
                           uint8_t out[RMI_JSEP_EXT_COUNT]) {
    bool taken[EXT_ID_MAX + 1] = {false};
    memset(out, 0, RMI_JSEP_EXT_COUNT);
    for (size_t i = 0; i < m->extmap_count; i++) {
        const struct rmi_sdp_extmap *e = &m->extmaps[i];
        if (e->id > EXT_ID_MAX || taken[e->id])
            continue;
        taken[e->id] = true;
        for (int k = 0; k < RMI_JSEP_EXT_COUNT; k++) {
            bool fits = jsep_ext_applies(k, m->kind) && strcmp(e->uri, extensions[k].uri) == 0;
            if (fits && out[k] == 0 && e->direction == RMI_DIR_SENDRECV && (!offered || offered->ext[k] == e->id))
                out[k] = e->id;
        }
    }
}

/* --- numbers --- */

static void adopt(struct jsep_view *view) {
    for (size_t s = 0; s < view->count; s++) {
        const struct jsep_section *section = &view->sections[s];
        for (size_t i = 0; i < section->codec_count; i++) {
            const struct rmi_jsep_codec *c = &section->codecs[i];
            view->numbers.pt[c->id] = c->pt_recv;
            if (c->rtx_recv != RMI_SDP_NO_PT)
                view->numbers.rtx[c->id] = c->rtx_recv;
        }
        for (int k = 0; k < RMI_JSEP_EXT_COUNT; k++) {
            if (section->ext[k])
                view->numbers.ext[k] = section->ext[k];
        }
    }
}

/* Whether a payload type already means something other than codec `id` (its rtx form when `rtx`). */
static bool pt_taken(const struct jsep_view *view, int pt, int id, bool rtx) {
    for (size_t s = 0; s < view->count; s++) {
        const struct jsep_section *section = &view->sections[s];
        for (size_t i = 0; i < section->codec_count; i++) {
            const struct rmi_jsep_codec *c = &section->codecs[i];
            if ((c->pt_recv == pt && (c->id != (enum rmi_jsep_codec_id)id || rtx)) ||
                (c->rtx_recv == pt && (c->id != (enum rmi_jsep_codec_id)id || !rtx)))
                return true;
        }
    }
    for (int i = 0; i < RMI_JSEP_CODEC_COUNT; i++) {
        if ((view->numbers.pt[i] == pt && (i != id || rtx)) || (view->numbers.rtx[i] == pt && (i != id || !rtx)))
            return true;
    }
    return false;
}

/* Whether the remote describes `pt` as something that is not agreed with us. */
static bool pt_foreign(const struct jsep_view *view, int pt) {
    for (size_t s = 0; view->remote && s < view->remote->media_count && s < view->count; s++) {
        const struct jsep_section *section = &view->sections[s];
        bool ours = false;
        for (size_t i = 0; i < section->codec_count; i++)
            ours = ours || section->codecs[i].pt_send == pt || section->codecs[i].rtx_send == pt;
        if (!ours && rmi_sdp_codec_by_pt(&view->remote->media[s], pt))
            return true;
    }
    return false;
}

static int16_t free_pt(const struct jsep_view *view, int id, bool rtx) {
    static const struct {
        int16_t from, to;
    } ranges[] = {{96, 127}, {35, 63}}; /* dynamic ones that cannot be taken for RTCP (RFC 5761 4) */
    for (int strict = 1; strict >= 0; strict--) {
        for (size_t r = 0; r < sizeof ranges / sizeof ranges[0]; r++) {
            for (int16_t pt = ranges[r].from; pt <= ranges[r].to; pt++) {
                if (!pt_taken(view, pt, id, rtx) && !(strict && pt_foreign(view, pt)))
                    return pt;
            }
        }
    }
    return RMI_SDP_NO_PT;
}

static bool agreed_pt(const struct jsep_view *view, int id, bool rtx) {
    int pt = rtx ? view->numbers.rtx[id] : view->numbers.pt[id];
    for (size_t s = 0; s < view->count; s++) {
        for (size_t i = 0; i < view->sections[s].codec_count; i++) {
            const struct rmi_jsep_codec *c = &view->sections[s].codecs[i];
            if (c->id == (enum rmi_jsep_codec_id)id && (rtx ? c->rtx_recv : c->pt_recv) == pt)
                return true;
        }
    }
    return false;
}

static bool ext_taken(const struct jsep_view *view, int id, int ext) {
    for (size_t s = 0; s < view->count; s++) {
        for (int k = 0; k < RMI_JSEP_EXT_COUNT; k++) {
            if (k != ext && view->sections[s].ext[k] == id)
                return true;
        }
    }
    for (size_t s = 0; view->remote && s < view->remote->media_count; s++) {
        const struct rmi_sdp_media *m = &view->remote->media[s];
        for (size_t i = 0; i < m->extmap_count; i++) {
            if (m->extmaps[i].id == id && strcmp(m->extmaps[i].uri, extensions[ext].uri) != 0)
                return true;
        }
    }
    for (int k = 0; k < RMI_JSEP_EXT_COUNT; k++) {
        if (k != ext && view->numbers.ext[k] == id)
            return true;
    }
    return false;
}

void jsep_settle_numbers(struct jsep_view *view) {
    struct jsep_numbers *n = &view->numbers;
    adopt(view);
    for (int id = 0; id < RMI_JSEP_CODEC_COUNT; id++) {
        for (int rtx = 0; rtx < 2; rtx++) {
            int16_t *number = rtx ? &n->rtx[id] : &n->pt[id];
            if (*number == RMI_SDP_NO_PT || agreed_pt(view, id, rtx))
                continue;
            if (pt_taken(view, *number, id, rtx) || pt_foreign(view, *number))
                *number = free_pt(view, id, rtx);
        }
    }
    for (int k = 0; k < RMI_JSEP_EXT_COUNT; k++) {
        if (n->ext[k] && !ext_taken(view, n->ext[k], k))
            continue;
        n->ext[k] = 0;
        for (uint8_t id = 1; id <= EXT_ID_MAX && n->ext[k] == 0; id++) {
            if (!ext_taken(view, id, k))
                n->ext[k] = id;
        }
    }
}

/* --- naming a mismatch --- */

static void add_name(char *out, size_t cap, const char *name) {
    size_t len = strlen(out);
    if (len + 1 >= cap)
        return;
    bool first = len == 0 || out[len - 1] == ' ';
    snprintf(out + len, cap - len, "%s%.20s", first ? "" : ",", name);
}

void jsep_mismatch_text(const struct rmi_jsep *j, const struct rmi_sdp_media *m, char *out, size_t cap) {
    enum rmi_jsep_codec_id ids[RMI_JSEP_CODEC_COUNT];
    size_t ours = jsep_codec_list(j, m->kind, ids);
    snprintf(out, cap, "%.20s: ours ", m->kind_name);
    for (size_t i = 0; i < ours; i++)
        add_name(out, cap, codecs[ids[i]].name);
    size_t len = strlen(out);
    snprintf(out + len, cap - len, "; theirs ");
    size_t theirs = 0;
    for (size_t i = 0; i < m->codec_count; i++) {
        const char *name = m->codecs[i].name;
        bool listed = !name[0] || rmi_sdp_text_is_nocase(name, "rtx") || rmi_sdp_text_is_nocase(name, "red");
        for (size_t k = 0; k < i && !listed; k++)
            listed = rmi_sdp_text_is_nocase(m->codecs[k].name, name);
        if (!listed) {
            add_name(out, cap, name);
            theirs++;
        }
    }
    if (theirs == 0)
        add_name(out, cap, "none");
}
