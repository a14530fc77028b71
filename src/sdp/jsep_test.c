/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sdp/jsep.h"
#include "sdp/sdp_test_samples.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PWD "0123456789012345678901"
#define FINGERPRINT_A "sha-256 AA:AA"
#define FINGERPRINT_B "sha-256 BB:BB"

static const struct rmi_jsep_local local_a = {.ufrag = "uaaa", .pwd = "a" PWD, .fingerprint = FINGERPRINT_A};
static const struct rmi_jsep_local local_b = {.ufrag = "ubbb", .pwd = "b" PWD, .fingerprint = FINGERPRINT_B};

static struct rmi_prng prng;

/* The same byte again and again: golden texts come out the same, and the uniqueness of sources is really tested. */
static void fill_same(void *ctx, void *out, size_t n) {
    (void)ctx;
    memset(out, 0x11, n);
}

static struct rmi_jsep *make_with(bool polite, bool data, bool golden) {
    struct rmi_jsep_config config = {.name = "other", .polite = polite, .data_channel = data, .cname = "cn"};
    struct rmi_jsep *j = NULL;
    config.rng = golden ? (struct rmi_rng){fill_same, NULL} : rmi_prng_rng(&prng);
    assert_int_equal(rmi_jsep_create(&config, &j), RM_OK);
    return j;
}

static struct rmi_jsep *make(bool polite, bool data) {
    return make_with(polite, data, false);
}

static int add(struct rmi_jsep *j, enum rmi_media_kind kind, enum rmi_direction direction) {
    int handle = -1;
    assert_int_equal(rmi_jsep_add_media(j, kind, direction, "stream", NULL, &handle), RM_OK);
    return handle;
}

static char *offer(struct rmi_jsep *j, const struct rmi_jsep_local *local) {
    char *text = NULL;
    assert_int_equal(rmi_jsep_create_offer(j, local, &text), RM_OK);
    return text;
}

static char *answer(struct rmi_jsep *j, const struct rmi_jsep_local *local) {
    char *text = NULL;
    assert_int_equal(rmi_jsep_create_answer(j, local, &text), RM_OK);
    return text;
}

static void give(struct rmi_jsep *j, enum rmi_sdp_type type, const char *text) {
    char detail[RMI_JSEP_DETAIL_MAX];
    rm_err err = rmi_jsep_set_remote(j, type, text, strlen(text), detail);
    if (err)
        fail_msg("%s: %s\n%s", rm_err_name(err), detail, text);
    assert_string_equal(detail, "");
}

/* The error comes, and what was before is still there. */
static void refuse(struct rmi_jsep *j, enum rmi_sdp_type type, const char *text, rm_err expected, const char *about) {
    char detail[RMI_JSEP_DETAIL_MAX];
    struct rmi_jsep_result before = *rmi_jsep_result(j);
    char *ufrag = malloc(strlen(before.remote_ufrag) + 1);
    assert_non_null(ufrag);
    strcpy(ufrag, before.remote_ufrag);
    rm_err err = rmi_jsep_set_remote(j, type, text, strlen(text), detail);
    if (err != expected)
        fail_msg("%s instead of %s: %s\n%s", rm_err_name(err), rm_err_name(expected), detail, text);
    if (!strstr(detail, about))
        fail_msg("detail \"%s\" does not mention \"%s\"", detail, about);
    const struct rmi_jsep_result *after = rmi_jsep_result(j);
    assert_int_equal(before.state, after->state);
    assert_int_equal(before.media_count, after->media_count);
    assert_int_equal(before.negotiation_needed, after->negotiation_needed);
    assert_string_equal(ufrag, after->remote_ufrag);
    free(ufrag);
}

/* One complete exchange; both texts are handed out when asked for. */
static void exchange(struct rmi_jsep *from, const struct rmi_jsep_local *l_from, struct rmi_jsep *to,
                     const struct rmi_jsep_local *l_to, char **offer_out, char **answer_out) {
    char *o = offer(from, l_from);
    give(to, RMI_SDP_OFFER, o);
    char *a = answer(to, l_to);
    give(from, RMI_SDP_ANSWER, a);
    assert_int_equal(rmi_jsep_result(from)->state, RMI_JSEP_STABLE);
    assert_int_equal(rmi_jsep_result(to)->state, RMI_JSEP_STABLE);
    if (offer_out)
        *offer_out = o;
    else
        free(o);
    if (answer_out)
        *answer_out = a;
    else
        free(a);
}

static char *replaced(const char *text, const char *what, const char *with) {
    struct rmi_sbuf out = {0};
    size_t n = strlen(what), count = 0;
    for (const char *at = strstr(text, what); at; at = strstr(text, what)) {
        rmi_sbuf_add_n(&out, text, (size_t)(at - text));
        rmi_sbuf_add(&out, with);
        text = at + n;
        count++;
    }
    rmi_sbuf_add(&out, text);
    assert_true(count > 0);
    return rmi_sbuf_take(&out);
}

static bool has(const char *text, const char *line) {
    return strstr(text, line) != NULL;
}

static enum rmi_direction reversed(enum rmi_direction d) {
    return (enum rmi_direction)((d & 1) << 1 | (d & 2) >> 1);
}

/* Two sides that agreed have the same sections, seen from either end. */
static void assert_mirrored(struct rmi_jsep *a, struct rmi_jsep *b) {
    const struct rmi_jsep_result *x = rmi_jsep_result(a), *y = rmi_jsep_result(b);
    assert_int_equal(x->state, RMI_JSEP_STABLE);
    assert_int_equal(y->state, RMI_JSEP_STABLE);
    assert_int_equal(x->media_count, y->media_count);
    assert_true(x->dtls_client != y->dtls_client);
    assert_int_equal(x->has_data, y->has_data);
    for (size_t i = 0; i < x->media_count; i++) {
        const struct rmi_jsep_media *m = &x->media[i], *n = &y->media[i];
        assert_string_equal(m->mid, n->mid);
        assert_int_equal(m->kind, n->kind);
        assert_int_equal(m->rejected, n->rejected);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(m->mid, x->media[k].mid);
        if (m->rejected || m->kind == RMI_MEDIA_DATA)
            continue;
        assert_int_equal(m->direction, reversed(n->direction));
        assert_int_equal(m->codec_count, n->codec_count);
        assert_memory_equal(m->ext, n->ext, sizeof m->ext);
        for (size_t c = 0; c < m->codec_count; c++) {
            assert_string_equal(m->codecs[c].name, n->codecs[c].name);
            assert_int_equal(m->codecs[c].pt_send, n->codecs[c].pt_recv);
            assert_int_equal(m->codecs[c].pt_recv, n->codecs[c].pt_send);
            assert_int_equal(m->codecs[c].rtx_send, n->codecs[c].rtx_recv);
            assert_int_equal(m->codecs[c].rtx_recv, n->codecs[c].rtx_send);
            assert_int_equal(m->codecs[c].feedback, n->codecs[c].feedback);
        }
        if (m->direction & RMI_DIR_SEND_BIT) {
            assert_int_equal(n->remote_ssrc_count, m->rtx_ssrc ? 2 : 1);
            assert_true(n->remote_ssrcs[0].ssrc == m->ssrc);
            assert_string_equal(n->remote_ssrcs[0].cname, m->cname);
        }
    }
}

static const char golden_offer_audio[] =
    "v=0\r\no=- 307445734561825860 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "a=group:BUNDLE 0 1 2\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS *\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:uaaa\r\na=ice-pwd:a0123456789012345678901\r\na=ice-options:trickle\r\n"
    "a=fingerprint:sha-256 AA:AA\r\na=setup:actpass\r\n"
    "a=candidate:f1 1 udp 2130706431 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n"
    "a=mid:0\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\na=msid:st au\r\n"
    "a=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n"
    "a=fmtp:111 minptime=10;useinbandfec=1\r\na=ssrc:286331153 cname:cn\r\n";
static const char golden_offer_video[] =
    "m=video 9 UDP/TLS/RTP/SAVPF 98 99 96 97 102 103\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:uaaa\r\na=ice-pwd:a0123456789012345678901\r\na=ice-options:trickle\r\n"
    "a=fingerprint:sha-256 AA:AA\r\na=setup:actpass\r\n"
    "a=mid:1\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\na=sendrecv\r\na=msid:st vi\r\n"
    "a=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:98 VP9/90000\r\na=rtcp-fb:98 goog-remb\r\n"
    "a=rtcp-fb:98 transport-cc\r\na=rtcp-fb:98 ccm fir\r\na=rtcp-fb:98 nack\r\na=rtcp-fb:98 nack pli\r\n"
    "a=fmtp:98 profile-id=0\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\na=rtpmap:96 VP8/90000\r\n"
    "a=rtcp-fb:96 goog-remb\r\na=rtcp-fb:96 transport-cc\r\na=rtcp-fb:96 ccm fir\r\na=rtcp-fb:96 nack\r\n"
    "a=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:102 H264/90000\r\n"
    "a=rtcp-fb:102 goog-remb\r\na=rtcp-fb:102 transport-cc\r\na=rtcp-fb:102 ccm fir\r\na=rtcp-fb:102 nack\r\n"
    "a=rtcp-fb:102 nack pli\r\n"
    "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
    "a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\na=ssrc-group:FID 286331154 286331155\r\n"
    "a=ssrc:286331154 cname:cn\r\na=ssrc:286331155 cname:cn\r\n";
static const char golden_offer_data[] =
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:uaaa\r\n"
    "a=ice-pwd:a0123456789012345678901\r\na=ice-options:trickle\r\na=fingerprint:sha-256 AA:AA\r\n"
    "a=setup:actpass\r\na=mid:2\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";

static void offer_is_golden(void **state) {
    (void)state;
    struct rmi_jsep *j = make_with(false, true, true);
    struct rmi_candidate candidate;
    static const char line[] = "candidate:f1 1 udp 2130706431 192.0.2.1 5000 typ host";
    assert_int_equal(rmi_candidate_parse(line, strlen(line), &candidate), RM_OK);
    struct rmi_jsep_local local = local_a;
    local.candidates = &candidate;
    local.candidate_count = 1;
    local.end_of_candidates = true;
    assert_int_equal(rmi_jsep_add_media(j, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV, "st", "au", NULL), RM_OK);
    assert_int_equal(rmi_jsep_add_media(j, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV, "st", "vi", NULL), RM_OK);
    char *text = offer(j, &local);
    struct rmi_sbuf golden = {0};
    rmi_sbuf_add(&golden, golden_offer_audio);
    rmi_sbuf_add(&golden, golden_offer_video);
    rmi_sbuf_add(&golden, golden_offer_data);
    assert_string_equal(text, rmi_sbuf_text(&golden));
    rmi_sbuf_fini(&golden);
    free(text);
    rmi_jsep_destroy(&j);
    assert_null(j);
}

static void configuration_is_checked(void **state) {
    (void)state;
    struct rmi_jsep *j = NULL;
    struct rmi_jsep_config good = {.rng = rmi_prng_rng(&prng), .cname = "cn"}, bad;
    bad = good;
    bad.cname = "two words";
    assert_int_equal(rmi_jsep_create(&bad, &j), RM_E_INVALID_ARG);
    bad = good;
    bad.video_count = 1;
    bad.video[0] = RMI_JSEP_OPUS;
    assert_int_equal(rmi_jsep_create(&bad, &j), RM_E_INVALID_ARG);
    bad = good;
    bad.video_count = 2;
    bad.video[0] = bad.video[1] = RMI_JSEP_VP8;
    assert_int_equal(rmi_jsep_create(&bad, &j), RM_E_INVALID_ARG);
    assert_null(j);
    assert_int_equal(rmi_jsep_create(&good, &j), RM_OK);
    char *text = NULL;
    assert_int_equal(rmi_jsep_create_offer(j, &local_a, &text), RM_E_INVALID_ARG); /* nothing to offer */
    assert_int_equal(rmi_jsep_add_media(j, RMI_MEDIA_DATA, RMI_DIR_SENDRECV, NULL, NULL, NULL), RM_E_INVALID_ARG);
    assert_int_equal(rmi_jsep_add_media(j, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV, "a\r\nb", NULL, NULL), RM_E_INVALID_ARG);
    int handle = add(j, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    assert_int_equal(rmi_jsep_create_answer(j, &local_a, &text), RM_E_STATE);
    assert_int_equal(rmi_jsep_rollback(j), RM_E_STATE);
    assert_int_equal(rmi_jsep_set_direction(j, handle + 1, RMI_DIR_SENDONLY), RM_E_NOT_FOUND);
    assert_int_equal(rmi_jsep_set_direction(j, -1, RMI_DIR_SENDONLY), RM_E_NOT_FOUND);
    struct rmi_jsep_local local = local_a;
    local.pwd = "short";
    assert_int_equal(rmi_jsep_create_offer(j, &local, &text), RM_E_INVALID_ARG);
    local = local_a;
    local.ufrag = "a\r\na=b";
    assert_int_equal(rmi_jsep_create_offer(j, &local, &text), RM_E_INVALID_ARG);
    local = local_a;
    local.fingerprint = NULL;
    assert_int_equal(rmi_jsep_create_offer(j, &local, &text), RM_E_INVALID_ARG);
    assert_null(text);
    text = offer(j, &local_a);
    free(text);
    assert_int_equal(rmi_jsep_create_offer(j, &local_a, &text), RM_E_STATE);
    rmi_jsep_destroy(&j);
    rmi_jsep_destroy(&j);
    rmi_jsep_destroy(NULL);
}

static void two_sides_agree(void **state) {
    (void)state;
    struct rmi_jsep *a = make(false, true), *b = make(true, true);
    int audio = add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    add(a, RMI_MEDIA_VIDEO, RMI_DIR_SENDONLY);
    add(b, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    assert_true(rmi_jsep_result(a)->negotiation_needed);
    exchange(a, &local_a, b, &local_b, NULL, NULL);
    assert_mirrored(a, b);
    const struct rmi_jsep_result *r = rmi_jsep_result(a);
    assert_false(r->negotiation_needed);
    assert_false(r->dtls_client);
    assert_int_equal(r->media_count, 3);
    assert_int_equal(r->media[0].handle, audio);
    assert_int_equal(r->media[0].direction, RMI_DIR_SENDRECV);
    assert_int_equal(r->media[1].direction, RMI_DIR_SENDONLY);
    assert_int_equal(r->media[1].codecs[0].id, RMI_JSEP_VP9);
    assert_int_equal(r->media[1].codec_count, 3);
    assert_int_equal(r->media[1].codecs[0].rtx_send, 99);
    assert_true(r->media[1].rtx_ssrc != 0 && r->media[1].ssrc != 0 && r->media[1].ssrc != r->media[1].rtx_ssrc);
    assert_int_equal(r->media[0].ext[RMI_JSEP_EXT_MID], 4);
    assert_int_equal(r->media[0].ext[RMI_JSEP_EXT_AUDIO_LEVEL], 1);
    assert_int_equal(r->media[1].ext[RMI_JSEP_EXT_AUDIO_LEVEL], 0);
    assert_string_equal(r->remote_ufrag, "ubbb");
    assert_int_equal(r->remote_fingerprint_count, 1);
    assert_string_equal(r->remote_fingerprints[0], FINGERPRINT_B);
    assert_true(r->has_data && r->sctp_port == 5000 && r->max_message_size == 262144);
    r = rmi_jsep_result(b);
    assert_false(r->negotiation_needed);
    assert_int_equal(r->media[1].direction, RMI_DIR_RECVONLY);
    assert_string_equal(r->media[1].remote_stream, "stream");
    assert_int_equal(r->media[1].remote_fid_count, 1);
    int mline;
    const char *mid;
    assert_int_equal(rmi_jsep_transport_mline(b, &mline, &mid), RM_OK);
    assert_int_equal(mline, 0);
    assert_string_equal(mid, "0");
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

struct sample_case {
    const char *text;
    size_t codecs;
    enum rmi_jsep_codec_id first;
    int video;       /* its m-line */
    int video_pt;    /* of the first codec */
    int h264_pt;     /* 0: not agreed */
    uint8_t twcc_id; /* of video */
    enum rmi_direction direction;
    bool more_needed;
};

static void answers_other_implementations(void **state) {
    (void)state;
    const struct sample_case cases[] = {
        {sample_chromium, 3, RMI_JSEP_VP8, 1, 96, 109, 3, RMI_DIR_SENDRECV, false},
        {sample_firefox, 2, RMI_JSEP_VP8, 1, 120, 0, 7, RMI_DIR_SENDRECV, false},
        {sample_aiortc, 2, RMI_JSEP_VP8, 1, 97, 101, 0, RMI_DIR_SENDRECV, true},
        {sample_pion, 3, RMI_JSEP_VP8, 0, 96, 106, 1, RMI_DIR_SENDRECV, true},
        {sample_gstreamer, 1, RMI_JSEP_H264, 0, 97, 97, 0, RMI_DIR_RECVONLY, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rmi_jsep *j = make(true, true);
        add(j, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
        add(j, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
        give(j, RMI_SDP_OFFER, cases[i].text);
        char *text = answer(j, &local_a);
        const struct rmi_jsep_result *r = rmi_jsep_result(j);
        const struct rmi_jsep_media *video = &r->media[cases[i].video];
        assert_int_equal(video->kind, RMI_MEDIA_VIDEO);
        assert_int_equal(video->direction, cases[i].direction);
        assert_int_equal(video->codec_count, cases[i].codecs);
        assert_int_equal(video->codecs[0].id, cases[i].first);
        assert_int_equal(video->codecs[0].pt_send, cases[i].video_pt);
        assert_int_equal(video->ext[RMI_JSEP_EXT_TWCC], cases[i].twcc_id);
        int h264 = 0;
        for (size_t c = 0; c < video->codec_count; c++) {
            if (video->codecs[c].id == RMI_JSEP_H264)
                h264 = video->codecs[c].pt_recv;
        }
        assert_int_equal(h264, cases[i].h264_pt);
        assert_true(r->dtls_client);
        for (size_t m = 0; m < r->media_count; m++)
            assert_false(r->media[m].rejected);
        assert_true(has(text, "a=setup:active\r\n"));
        assert_false(has(text, "actpass"));
        /* Whoever reads our answer must find it well-formed. */
        struct rmi_sdp *sdp;
        assert_int_equal(rmi_sdp_parse(text, strlen(text), &sdp, NULL), RM_OK);
        assert_int_equal(sdp->media_count, r->media_count);
        assert_int_equal(sdp->bundle_count, r->media_count);
        rmi_sdp_free(sdp);
        /* What the offer has no place for asks for a negotiation of its own. */
        assert_int_equal(r->negotiation_needed, cases[i].more_needed);
        free(text);
        rmi_jsep_destroy(&j);
    }
}

static void gstreamer_answer_leaves_h264_defaults_alone(void **state) {
    (void)state;
    struct rmi_jsep *j = make(true, true);
    give(j, RMI_SDP_OFFER, sample_gstreamer);
    char *text = answer(j, &local_a);
    assert_true(has(text, "a=group:BUNDLE video0 audio1 application2\r\n"));
    assert_true(has(text, "m=audio 9 "));
    assert_true(has(text, "a=rtpmap:97 H264/90000\r\n"));
    assert_false(has(text, "a=fmtp:97"));
    assert_int_equal(rmi_jsep_result(j)->max_message_size, 65536);
    free(text);
    rmi_jsep_destroy(&j);
}

static void old_data_section_is_answered_in_kind(void **state) {
    (void)state;
    struct rmi_jsep *j = make(true, true);
    give(j, RMI_SDP_OFFER, sample_old_data);
    char *text = answer(j, &local_a);
    assert_true(has(text, "m=application 9 DTLS/SCTP 5000\r\n"));
    assert_true(has(text, "a=sctpmap:5000 webrtc-datachannel 1024\r\n"));
    assert_true(has(text, "a=setup:active\r\n")); /* it said passive */
    assert_false(has(text, "BUNDLE"));
    free(text);
    rmi_jsep_destroy(&j);
}

#define OFFER_HEAD                                                                                                     \
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:rrrr\r\na=ice-pwd:r0123456789012345678901\r\n"       \
    "a=fingerprint:sha-256 CC:CC\r\na=setup:actpass\r\n"
#define VIDEO_LINE(pts) "m=video 9 UDP/TLS/RTP/SAVPF " pts "\r\na=mid:v\r\na=rtcp-mux\r\n"

static void h264_formats_are_chosen_by_profile_and_mode(void **state) {
    (void)state;
    static const struct {
        const char *lines;
        int pt; /* 0: refused */
        const char *fmtp;
    } cases[] = {
        {"a=rtpmap:100 h264/90000\r\na=fmtp:100 packetization-mode=1;profile-level-id=42e01f\r\n", 100,
         "packetization-mode=1;profile-level-id=42e01f"},
        {"a=rtpmap:100 H264/90000\r\na=fmtp:100 packetization-mode=1;profile-level-id=42e034\r\n", 100,
         "packetization-mode=1;profile-level-id=42e01f"},
        {"a=rtpmap:100 H264/90000\r\na=fmtp:100 packetization-mode=1;profile-level-id=42C00B\r\n", 100,
         "packetization-mode=1;profile-level-id=42c00b"},
        {"a=rtpmap:100 H264/90000\r\na=fmtp:100 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42000b"
         "\r\n",
         100, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"},
        {"a=rtpmap:100 H264/90000\r\na=fmtp:100 packetization-mode=1;profile-level-id=4d801f\r\n", 100,
         "packetization-mode=1;profile-level-id=4d801f"},
        {"a=rtpmap:100 H264/90000\r\na=fmtp:100 packetization-mode=1;profile-level-id=4d001f\r\n", 0, ""},
        {"a=rtpmap:100 H264/90000\r\na=fmtp:100 packetization-mode=1;profile-level-id=640c1f\r\n", 0, ""},
        {"a=rtpmap:100 H264/90000\r\na=fmtp:100 packetization-mode=2;profile-level-id=42e01f\r\n", 0, ""},
        {"a=rtpmap:100 H264/90000\r\na=fmtp:100 packetization-mode=1;profile-level-id=zz\r\n", 0, ""},
        {"a=rtpmap:100 H264/90000\r\na=fmtp:100 packetization-mode=1;profile-level-id=42e01g\r\n", 0, ""},
        {"a=rtpmap:100 H264/8000\r\n", 0, ""},
        {"a=rtpmap:100 H264/90000\r\n", 100, NULL},
        {"a=rtpmap:100 H264/90000\r\na=fmtp:100 packetization-mode=0;profile-level-id=42e01f\r\n"
         "a=rtpmap:101 H264/90000\r\na=fmtp:101 packetization-mode=1;profile-level-id=42001f\r\n",
         101, "packetization-mode=1;profile-level-id=42001f"},
        {"a=rtpmap:100 H264/90000\r\na=fmtp:100 packetization-mode=1;profile-level-id=42001f\r\n"
         "a=rtpmap:101 H264/90000\r\na=fmtp:101 packetization-mode=1;profile-level-id=42e01f\r\n",
         101, "packetization-mode=1;profile-level-id=42e01f"},
        /* Mode 0 is not worth having next to VP8. */
        {"a=rtpmap:100 H264/90000\r\na=rtpmap:101 VP8/90000\r\n", 101, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[2000], line[200];
        snprintf(text, sizeof text, OFFER_HEAD VIDEO_LINE("100 101") "%s", cases[i].lines);
        struct rmi_jsep *j = make(true, false);
        if (cases[i].pt == 0) {
            refuse(j, RMI_SDP_OFFER, text, RM_E_CODEC_MISMATCH, "video: ours VP9,VP8,H264; theirs H264");
            rmi_jsep_destroy(&j);
            continue;
        }
        give(j, RMI_SDP_OFFER, text);
        char *reply = answer(j, &local_a);
        assert_int_equal(rmi_jsep_result(j)->media[0].codec_count, 1);
        assert_int_equal(rmi_jsep_result(j)->media[0].codecs[0].pt_send, cases[i].pt);
        if (cases[i].fmtp) {
            snprintf(line, sizeof line, "a=fmtp:%d %s\r\n", cases[i].pt, cases[i].fmtp);
            if (!has(reply, line))
                fail_msg("no \"%s\" in %s", line, reply);
        } else {
            assert_false(has(reply, "a=fmtp:"));
        }
        free(reply);
        rmi_jsep_destroy(&j);
    }
}

static void mismatches_are_named(void **state) {
    (void)state;
    struct rmi_jsep *j = make(true, true);
    refuse(j, RMI_SDP_OFFER,
           OFFER_HEAD VIDEO_LINE("45 46 47") "a=rtpmap:45 AV1/90000\r\na=rtpmap:46 rtx/90000\r\na=fmtp:46 apt=45\r\n"
                                             "a=rtpmap:47 H265/90000\r\n",
           RM_E_CODEC_MISMATCH, "video: ours VP9,VP8,H264; theirs AV1,H265");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 0 8\r\na=mid:a\r\na=rtcp-mux\r\n",
           RM_E_CODEC_MISMATCH, "audio: ours opus; theirs PCMU,PCMA");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD VIDEO_LINE("98") "a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=2\r\n",
           RM_E_CODEC_MISMATCH, "theirs VP9");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD VIDEO_LINE("72") "a=rtpmap:72 VP8/90000\r\n", RM_E_CODEC_MISMATCH, "VP8");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD VIDEO_LINE("99"), RM_E_CODEC_MISMATCH, "theirs none");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD "m=audio 9 RTP/AVP 0\r\n", RM_E_SDP_PROFILE, "RTP/AVP");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD "m=audio 9 RTP/SAVPF 0\r\na=crypto:1 X inline:y\r\n", RM_E_SDP_PROFILE,
           "RTP/SAVPF");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD "m=audio 9 TCP/TLS/RTP/SAVPF 0\r\n", RM_E_SDP_PROFILE, "TCP/TLS");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD "m=application 9 TCP/DTLS/SCTP webrtc-datachannel\r\n", RM_E_SDP_PROFILE, "");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD "m=image 9 udptl t38\r\n", RM_E_SDP_PROFILE, "udptl");
    assert_int_equal(rmi_jsep_result(j)->media_count, 0);
    rmi_jsep_destroy(&j);
}

static void unusable_sections_get_port_zero(void **state) {
    (void)state;
    static const char text[] =
        OFFER_HEAD "a=group:BUNDLE p x v d e\r\n"
                   "m=audio 9 RTP/AVP 0\r\na=mid:p\r\n"
                   "m=video 9 UDP/TLS/RTP/SAVPF 45\r\na=mid:x\r\na=rtcp-mux\r\na=rtpmap:45 AV1/90000\r\n"
                   "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=rtcp-mux\r\na=rtpmap:96 vp8/90000\r\n"
                   "m=image 9 udptl t38\r\na=mid:i\r\n"
                   "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\n"
                   "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:e\r\n"
                   "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:own\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n";
    struct rmi_jsep *j = make(true, true);
    give(j, RMI_SDP_OFFER, text);
    char *reply = answer(j, &local_a);
    const struct rmi_jsep_result *r = rmi_jsep_result(j);
    static const bool rejected[] = {true, true, false, true, false, true, true};
    assert_int_equal(r->media_count, sizeof rejected);
    for (size_t i = 0; i < r->media_count; i++)
        assert_int_equal(r->media[i].rejected, rejected[i]);
    assert_true(has(reply, "a=group:BUNDLE v d\r\n"));
    assert_true(has(reply, "m=audio 0 RTP/AVP 0\r\n"));
    assert_true(has(reply, "m=video 0 UDP/TLS/RTP/SAVPF 45\r\n"));
    assert_true(has(reply, "m=image 0 udptl t38\r\n"));
    assert_true(has(reply, "a=rtpmap:96 VP8/90000\r\n"));
    int mline;
    const char *mid;
    assert_int_equal(rmi_jsep_transport_mline(j, &mline, &mid), RM_OK);
    assert_int_equal(mline, 2);
    free(reply);
    /* Without wanting data, data alone is nothing. */
    struct rmi_jsep *k = make(true, false);
    refuse(k, RMI_SDP_OFFER, sample_old_data, RM_E_SDP, "not wanted");
    rmi_jsep_destroy(&j);
    rmi_jsep_destroy(&k);
}

#define GOOD_AUDIO "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
#define HEAD_ONLY "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"

static void bad_offers_change_nothing(void **state) {
    (void)state;
    struct rmi_jsep *j = make(true, true);
    refuse(j, RMI_SDP_OFFER, "", RM_E_SDP, "line 0");
    refuse(j, RMI_SDP_OFFER, "hello", RM_E_SDP, "line 1");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD, RM_E_SDP, "no media section");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n", RM_E_SDP, "port 0");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD "a=group:BUNDLE a b\r\n" GOOD_AUDIO, RM_E_SDP, "unknown mid b");
    refuse(j, RMI_SDP_OFFER, HEAD_ONLY "a=ice-ufrag:aaaa\r\na=ice-pwd:" PWD "\r\na=setup:actpass\r\n" GOOD_AUDIO,
           RM_E_SDP, "fingerprint");
    refuse(j, RMI_SDP_OFFER, HEAD_ONLY "a=fingerprint:sha-256 AA:BB\r\na=setup:actpass\r\n" GOOD_AUDIO, RM_E_SDP,
           "ice");
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a\r\na=rtpmap:111 opus/48000/2\r\n",
           RM_E_SDP, "rtcp-mux");
    refuse(j, RMI_SDP_OFFER,
           HEAD_ONLY "a=ice-ufrag:aaaa\r\na=ice-pwd:" PWD
                     "\r\na=setup:holdconn\r\na=fingerprint:sha-256 AA:BB\r\n" GOOD_AUDIO,
           RM_E_SDP, "holdconn");
    refuse(j, RMI_SDP_OFFER,
           OFFER_HEAD "a=group:BUNDLE a v\r\n" GOOD_AUDIO
                      "m=video 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:v\r\na=rtcp-mux\r\na=rtpmap:111 VP8/90000\r\n",
           RM_E_SDP, "two meanings");
    refuse(j, RMI_SDP_ANSWER, OFFER_HEAD GOOD_AUDIO, RM_E_STATE, "without an offer");
    refuse(j, RMI_SDP_ROLLBACK, "", RM_E_STATE, "rollback");
    give(j, RMI_SDP_OFFER, OFFER_HEAD GOOD_AUDIO);
    refuse(j, RMI_SDP_OFFER, OFFER_HEAD GOOD_AUDIO, RM_E_STATE, "before the one before");
    assert_int_equal(rmi_jsep_result(j)->state, RMI_JSEP_HAVE_REMOTE_OFFER);
    assert_string_equal(rmi_jsep_result(j)->remote_ufrag, "rrrr");
    char *reply = answer(j, &local_a);
    free(reply);
    rmi_jsep_destroy(&j);
}

static void bad_answers_change_nothing(void **state) {
    (void)state;
    static const struct {
        const char *what, *with;
        rm_err err;
        const char *about;
    } cases[] = {
        {"a=rtcp-mux\r\n", "", RM_E_SDP, "rtcp-mux"},
        {"a=setup:active", "a=setup:actpass", RM_E_SDP, "setup"},
        {"a=setup:active", "a=setup:holdconn", RM_E_SDP, "holdconn"},
        {"a=setup:active\r\n", "", RM_E_SDP, "setup"},
        {"a=fingerprint:" FINGERPRINT_B "\r\n", "", RM_E_SDP, "fingerprint"},
        {"a=ice-ufrag:ubbb\r\n", "", RM_E_SDP, "ice-ufrag"},
        {"a=mid:1\r\n", "a=mid:7\r\n", RM_E_SDP, "mid"},
        {"BUNDLE 0 1 2", "BUNDLE 0 1 2 3", RM_E_SDP, "unknown mid 3"},
        {"BUNDLE 0 1 2", "BUNDLE 0 1", RM_E_SDP, "not bundled"},
        {"m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP", RM_E_SDP_PROFILE, "RTP/AVP"},
        {"m=audio", "m=video", RM_E_SDP, "kind"},
        {"m=application", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nm=application", RM_E_SDP, "sections"},
        {" 9 ", " 0 ", RM_E_CODEC_MISMATCH, "audio: ours opus"},
        {"o=- ", "o=x-", RM_E_SDP, "line 2"},
    };
    struct rmi_jsep *a = make(false, true), *b = make(true, true);
    add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    add(a, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    char *o = offer(a, &local_a);
    give(b, RMI_SDP_OFFER, o);
    char *good = answer(b, &local_b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *bad = replaced(good, cases[i].what, cases[i].with);
        refuse(a, RMI_SDP_ANSWER, bad, cases[i].err, cases[i].about);
        free(bad);
    }
    give(a, RMI_SDP_ANSWER, good);
    assert_mirrored(a, b);
    free(o);
    free(good);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

/* What the other side will not take is closed for good, and we do not ask again. */
static void a_refused_section_stays_refused(void **state) {
    (void)state;
    struct rmi_jsep *a = make(false, true), *b = make(true, true);
    add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    int video = add(a, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    char *o = offer(a, &local_a);
    give(b, RMI_SDP_OFFER, o);
    char *good = answer(b, &local_b);
    char *partly = replaced(good, "m=video 9", "m=video 0");
    char *partly2 = replaced(partly, "BUNDLE 0 1 2", "BUNDLE 0 2");
    give(a, RMI_SDP_PRANSWER, partly2);
    const struct rmi_jsep_result *r = rmi_jsep_result(a);
    assert_true(r->media[1].rejected);
    assert_int_equal(r->media[1].handle, video);
    assert_false(r->negotiation_needed);
    assert_int_equal(rmi_jsep_set_direction(a, video, RMI_DIR_SENDONLY), RM_E_NOT_FOUND);
    char *again = offer(a, &local_a);
    assert_true(has(again, "m=video 0 UDP/TLS/RTP/SAVPF"));
    assert_true(has(again, "a=group:BUNDLE 0 2\r\n"));
    free(o);
    free(good);
    free(partly);
    free(partly2);
    free(again);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

static void media_can_be_added_later(void **state) {
    (void)state;
    struct rmi_jsep *a = make(false, true), *b = make(true, true);
    exchange(a, &local_a, b, &local_b, NULL, NULL);
    assert_int_equal(rmi_jsep_result(a)->media_count, 1);
    int video = add(b, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    assert_true(rmi_jsep_result(b)->negotiation_needed);
    char *text;
    exchange(b, &local_b, a, &local_a, &text, NULL);
    assert_mirrored(a, b);
    const struct rmi_jsep_result *r = rmi_jsep_result(b);
    assert_int_equal(r->media_count, 2);
    assert_int_equal(r->media[0].kind, RMI_MEDIA_DATA);
    assert_int_equal(r->media[1].handle, video);
    assert_int_equal(r->media[1].direction, RMI_DIR_SENDONLY);
    assert_true(has(text, "a=mid:1\r\n"));
    free(text);
    /* The other side answers with media of its own on the very section it was given. */
    int theirs = add(a, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    assert_int_equal(theirs, rmi_jsep_result(a)->media[1].handle);
    assert_true(rmi_jsep_result(a)->negotiation_needed);
    exchange(a, &local_a, b, &local_b, NULL, NULL);
    assert_mirrored(a, b);
    assert_int_equal(rmi_jsep_result(b)->media_count, 2);
    assert_int_equal(rmi_jsep_result(b)->media[1].direction, RMI_DIR_SENDRECV);
    /* A second one needs a second section. */
    add(a, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    exchange(a, &local_a, b, &local_b, NULL, NULL);
    assert_mirrored(a, b);
    assert_int_equal(rmi_jsep_result(b)->media_count, 3);
    assert_false(rmi_jsep_result(a)->negotiation_needed);
    assert_false(rmi_jsep_result(b)->negotiation_needed);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

static unsigned long long version_of(const char *text) {
    struct rmi_sdp *sdp;
    assert_int_equal(rmi_sdp_parse(text, strlen(text), &sdp, NULL), RM_OK);
    unsigned long long version = sdp->origin_version;
    rmi_sdp_free(sdp);
    return version;
}

static void directions_change_and_versions_count(void **state) {
    (void)state;
    struct rmi_jsep *a = make(false, false), *b = make(true, false);
    int audio = add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    add(b, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    char *first, *second, *reply;
    exchange(a, &local_a, b, &local_b, &first, NULL);
    assert_int_equal(rmi_jsep_set_direction(a, audio, RMI_DIR_INACTIVE), RM_OK);
    assert_true(rmi_jsep_result(a)->negotiation_needed);
    assert_int_equal(rmi_jsep_set_direction(a, audio, RMI_DIR_SENDONLY), RM_OK);
    exchange(a, &local_a, b, &local_b, &second, &reply);
    assert_mirrored(a, b);
    assert_int_equal(rmi_jsep_result(b)->media[0].direction, RMI_DIR_RECVONLY);
    assert_true(has(reply, "a=recvonly\r\n"));
    assert_false(has(reply, "a=ssrc:"));
    assert_int_equal(version_of(second), version_of(first) + 1);
    assert_int_equal(version_of(reply), 2);
    assert_false(rmi_jsep_result(a)->negotiation_needed);
    free(first);
    free(second);
    free(reply);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

static void stopped_media_is_closed_and_recycled(void **state) {
    (void)state;
    struct rmi_jsep *a = make(false, true), *b = make(true, true);
    int audio = add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    add(a, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    exchange(a, &local_a, b, &local_b, NULL, NULL);
    assert_int_equal(rmi_jsep_stop_media(a, audio), RM_OK);
    assert_int_equal(rmi_jsep_stop_media(a, audio), RM_E_NOT_FOUND);
    assert_true(rmi_jsep_result(a)->negotiation_needed);
    char *text;
    exchange(a, &local_a, b, &local_b, &text, NULL);
    assert_true(has(text, "m=audio 0 "));
    assert_true(has(text, "a=group:BUNDLE 1 2\r\n"));
    free(text);
    assert_mirrored(a, b);
    assert_true(rmi_jsep_result(b)->media[0].rejected);
    assert_false(rmi_jsep_result(a)->negotiation_needed);
    assert_false(rmi_jsep_result(b)->negotiation_needed);
    /* The place is used again, under a new mid and even for another kind. */
    int second = add(b, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    assert_int_equal(second, rmi_jsep_result(b)->media[1].handle); /* b sends where a's video comes in */
    exchange(b, &local_b, a, &local_a, NULL, NULL);
    int third = add(b, RMI_MEDIA_VIDEO, RMI_DIR_SENDONLY);
    exchange(b, &local_b, a, &local_a, &text, NULL);
    assert_mirrored(a, b);
    const struct rmi_jsep_result *r = rmi_jsep_result(b);
    assert_int_equal(r->media_count, 3);
    assert_int_equal(r->media[0].handle, third);
    assert_int_equal(r->media[0].kind, RMI_MEDIA_VIDEO);
    assert_false(r->media[0].rejected);
    assert_string_not_equal(r->media[0].mid, "0");
    free(text);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

static void everything_may_be_closed_and_opened_again(void **state) {
    (void)state;
    struct rmi_jsep *a = make(false, false), *b = make(true, false);
    int audio = add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    exchange(a, &local_a, b, &local_b, NULL, NULL);
    assert_int_equal(rmi_jsep_stop_media(a, audio), RM_OK);
    exchange(a, &local_a, b, &local_b, NULL, NULL);
    assert_string_equal(rmi_jsep_result(b)->remote_ufrag, "uaaa");
    assert_string_equal(rmi_jsep_result(b)->remote_fingerprints[0], FINGERPRINT_A);
    assert_true(rmi_jsep_result(b)->media[0].rejected);
    int mline;
    const char *mid;
    assert_int_equal(rmi_jsep_transport_mline(a, &mline, &mid), RM_E_STATE);
    for (int i = 0; i < 100; i++) { /* places and handles do not run out */
        int handle = add(i & 1 ? b : a, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
        if (i & 1)
            exchange(b, &local_b, a, &local_a, NULL, NULL);
        else
            exchange(a, &local_a, b, &local_b, NULL, NULL);
        assert_mirrored(a, b);
        assert_int_equal(rmi_jsep_result(a)->media_count, 1);
        assert_false(rmi_jsep_result(a)->ice_restarted_by_remote);
        assert_int_equal(rmi_jsep_stop_media(i & 1 ? b : a, handle), RM_OK);
        if (i & 1)
            exchange(b, &local_b, a, &local_a, NULL, NULL);
        else
            exchange(a, &local_a, b, &local_b, NULL, NULL);
    }
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

static void sections_keep_their_place_for_life(void **state) {
    (void)state;
    struct rmi_jsep *a = make(false, true), *b = make(true, true);
    add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    exchange(a, &local_a, b, &local_b, NULL, NULL);
    char *text = offer(a, &local_a);
    char *bad = replaced(text, "a=mid:0", "a=mid:9");
    char *worse = replaced(bad, "BUNDLE 0", "BUNDLE 9");
    refuse(b, RMI_SDP_OFFER, worse, RM_E_SDP, "mid");
    refuse(b, RMI_SDP_OFFER, OFFER_HEAD GOOD_AUDIO, RM_E_SDP, "sections");
    free(bad);
    free(worse);
    bad = replaced(text, "m=audio", "m=video");
    refuse(b, RMI_SDP_OFFER, bad, RM_E_SDP, "kind");
    give(b, RMI_SDP_OFFER, text);
    free(bad);
    free(text);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

static void numbers_of_the_first_offerer_stay(void **state) {
    (void)state;
    struct rmi_jsep *j = make(true, false);
    /* VP8 sits on our VP9's number, opus on our VP8's, foreign things on H264's and on extension ids. */
    give(j, RMI_SDP_OFFER,
         OFFER_HEAD "a=group:BUNDLE a v\r\n"
                    "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:a\r\na=rtcp-mux\r\na=rtpmap:96 opus/48000/2\r\n"
                    "a=extmap:4 urn:foreign\r\na=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
                    "m=video 9 UDP/TLS/RTP/SAVPF 98 102 97\r\na=mid:v\r\na=rtcp-mux\r\na=rtpmap:98 VP8/90000\r\n"
                    "a=rtpmap:102 AV1/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=98\r\n"
                    "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=extmap:77 urn:long\r\n");
    char *text = answer(j, &local_a);
    assert_true(has(text, "a=rtpmap:98 VP8/90000\r\n"));
    free(text);
    add(j, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    add(j, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    text = offer(j, &local_a);
    struct rmi_sdp *sdp;
    assert_int_equal(rmi_sdp_parse(text, strlen(text), &sdp, NULL), RM_OK);
    assert_int_equal(sdp->media_count, 3);
    const char *meaning[128] = {NULL}, *extension[16] = {NULL};
    extension[4] = "urn:foreign";
    for (size_t m = 0; m < sdp->media_count; m++) {
        for (size_t i = 0; i < sdp->media[m].codec_count; i++) {
            const struct rmi_sdp_codec *c = &sdp->media[m].codecs[i];
            assert_true(c->pt < 64 || c->pt > 95);
            if (meaning[c->pt])
                assert_string_equal(meaning[c->pt], c->name);
            meaning[c->pt] = c->name;
        }
        for (size_t i = 0; i < sdp->media[m].extmap_count; i++) {
            const struct rmi_sdp_extmap *e = &sdp->media[m].extmaps[i];
            assert_true(e->id >= 1 && e->id <= 14);
            if (extension[e->id])
                assert_string_equal(extension[e->id], e->uri);
            extension[e->id] = e->uri;
        }
        assert_int_equal(sdp->media[m].codec_count, m ? 6 : 1);
    }
    assert_string_equal(meaning[98], "VP8");
    assert_string_equal(meaning[97], "rtx");
    assert_string_equal(meaning[96], "opus");
    assert_null(meaning[102]);
    assert_memory_equal(extension[1], "urn:ietf:params:rtp-hdrext:sdes:mid", 35);
    rmi_sdp_free(sdp);
    free(text);
    rmi_jsep_destroy(&j);
}

/* An answer may use numbers of its own: we send its, and receive ours (RFC 3264 5.1). */
static void answers_may_have_their_own_numbers(void **state) {
    (void)state;
    struct rmi_jsep *a = make(false, false), *b = make(true, false);
    add(a, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    char *o = offer(a, &local_a);
    give(b, RMI_SDP_OFFER, o);
    char *good = answer(b, &local_b);
    char *swapped = replaced(good, "98", "120");
    give(a, RMI_SDP_ANSWER, swapped);
    const struct rmi_jsep_codec *vp9 = &rmi_jsep_result(a)->media[0].codecs[0];
    assert_int_equal(vp9->id, RMI_JSEP_VP9);
    assert_int_equal(vp9->pt_send, 120);
    assert_int_equal(vp9->pt_recv, 98);
    assert_int_equal(vp9->rtx_send, 99);
    free(o);
    free(good);
    free(swapped);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

static void preference_puts_one_codec_first(void **state) {
    (void)state;
    struct rmi_jsep_config config = {.rng = rmi_prng_rng(&prng), .cname = "cn", .prefer_first = true, .video_count = 2};
    config.video[0] = RMI_JSEP_H264;
    config.video[1] = RMI_JSEP_VP8;
    struct rmi_jsep *j;
    assert_int_equal(rmi_jsep_create(&config, &j), RM_OK);
    give(j, RMI_SDP_OFFER, sample_chromium);
    const struct rmi_jsep_media *video = &rmi_jsep_result(j)->media[1];
    assert_int_equal(video->codec_count, 2);
    assert_int_equal(video->codecs[0].id, RMI_JSEP_H264);
    assert_int_equal(video->codecs[1].id, RMI_JSEP_VP8);
    assert_true(rmi_jsep_result(j)->media[2].rejected); /* data was not asked for */
    rmi_jsep_destroy(&j);
}

static void dtls_roles_follow_setup(void **state) {
    (void)state;
    static const struct {
        const char *setup;
        bool client;
    } offers[] = {
        {"a=setup:actpass\r\n", true}, {"a=setup:active\r\n", false}, {"a=setup:passive\r\n", true}, {"", false}};
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        struct rmi_jsep *j = make(true, true);
        char *text = replaced(sample_chromium, "a=setup:actpass\r\n", offers[i].setup);
        give(j, RMI_SDP_OFFER, text);
        char *reply = answer(j, &local_a);
        assert_int_equal(rmi_jsep_result(j)->dtls_client, offers[i].client);
        assert_true(has(reply, offers[i].client ? "a=setup:active\r\n" : "a=setup:passive\r\n"));
        free(text);
        free(reply);
        rmi_jsep_destroy(&j);
    }
    /* The role of a running association outlives later offers from either side. */
    struct rmi_jsep *a = make(false, true), *b = make(true, true);
    char *reply;
    exchange(a, &local_a, b, &local_b, NULL, NULL);
    assert_true(rmi_jsep_result(b)->dtls_client);
    exchange(b, &local_b, a, &local_a, NULL, &reply);
    assert_true(rmi_jsep_result(b)->dtls_client);
    assert_false(rmi_jsep_result(a)->dtls_client);
    assert_true(has(reply, "a=setup:passive\r\n"));
    free(reply);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

static void ice_restart_is_seen(void **state) {
    (void)state;
    struct rmi_jsep *a = make(false, true), *b = make(true, true);
    exchange(a, &local_a, b, &local_b, NULL, NULL);
    assert_false(rmi_jsep_result(b)->ice_restarted_by_remote);
    exchange(a, &local_a, b, &local_b, NULL, NULL);
    assert_false(rmi_jsep_result(b)->ice_restarted_by_remote);
    struct rmi_jsep_local fresh = local_a;
    fresh.ufrag = "xxxx";
    char *half = offer(a, &fresh);
    refuse(b, RMI_SDP_OFFER, half, RM_E_SDP, "both");
    assert_int_equal(rmi_jsep_rollback(a), RM_OK);
    free(half);
    fresh.pwd = "x" PWD;
    exchange(a, &fresh, b, &local_b, NULL, NULL);
    assert_true(rmi_jsep_result(b)->ice_restarted_by_remote);
    assert_false(rmi_jsep_result(b)->fingerprints_changed);
    assert_string_equal(rmi_jsep_result(b)->remote_ufrag, "xxxx");
    fresh.fingerprint = "sha-256 DD:DD";
    exchange(a, &fresh, b, &local_b, NULL, NULL);
    assert_false(rmi_jsep_result(b)->ice_restarted_by_remote);
    assert_true(rmi_jsep_result(b)->fingerprints_changed);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

static void remote_candidates_come_from_the_bundle(void **state) {
    (void)state;
    struct rmi_jsep *j = make(true, true);
    give(j, RMI_SDP_OFFER, sample_aiortc);
    const struct rmi_jsep_result *r = rmi_jsep_result(j);
    assert_int_equal(r->remote_candidate_count, 2);
    assert_true(r->remote_end_of_candidates);
    assert_false(r->remote_trickle || r->remote_ice_lite);
    rmi_jsep_destroy(&j);
}

static void rollback_restores_what_was(void **state) {
    (void)state;
    struct rmi_jsep *a = make(false, true), *b = make(true, true);
    int early = add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    char *text = offer(a, &local_a);
    assert_false(rmi_jsep_result(a)->negotiation_needed);
    assert_int_equal(rmi_jsep_rollback(a), RM_OK);
    assert_true(rmi_jsep_result(a)->negotiation_needed);
    assert_int_equal(rmi_jsep_result(a)->media_count, 0);
    refuse(a, RMI_SDP_ANSWER, text, RM_E_STATE, "without an offer");
    /* A remote offer and all that it brought goes away again ... */
    give(b, RMI_SDP_OFFER, text);
    assert_int_equal(rmi_jsep_result(b)->media_count, 2);
    int made = rmi_jsep_result(b)->media[0].handle;
    assert_int_equal(rmi_jsep_set_direction(b, made, RMI_DIR_INACTIVE), RM_OK);
    give(b, RMI_SDP_ROLLBACK, "");
    assert_int_equal(rmi_jsep_result(b)->state, RMI_JSEP_STABLE);
    assert_int_equal(rmi_jsep_result(b)->media_count, 0);
    assert_false(rmi_jsep_result(b)->has_remote);
    assert_int_equal(rmi_jsep_set_direction(b, made, RMI_DIR_SENDRECV), RM_E_NOT_FOUND);
    /* ... but not what the application put there meanwhile. */
    give(b, RMI_SDP_OFFER, text);
    int ours = add(b, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    assert_int_equal(ours, rmi_jsep_result(b)->media[0].handle);
    assert_int_equal(rmi_jsep_rollback(b), RM_OK);
    assert_int_equal(rmi_jsep_set_direction(b, ours, RMI_DIR_SENDRECV), RM_OK);
    assert_true(rmi_jsep_result(b)->negotiation_needed);
    free(text);
    exchange(a, &local_a, b, &local_b, NULL, NULL);
    assert_mirrored(a, b);
    assert_int_equal(rmi_jsep_result(a)->media[0].handle, early);
    assert_int_equal(rmi_jsep_result(b)->media[0].handle, ours);
    assert_int_equal(rmi_jsep_result(b)->media[0].direction, RMI_DIR_SENDRECV);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

static void a_bad_colliding_offer_leaves_ours_pending(void **state) {
    (void)state;
    struct rmi_jsep *a = make(true, true), *b = make(false, true);
    add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    char *o = offer(a, &local_a);
    refuse(a, RMI_SDP_OFFER, "v=0\r\n", RM_E_SDP, "line");
    refuse(a, RMI_SDP_OFFER, OFFER_HEAD VIDEO_LINE("45") "a=rtpmap:45 AV1/90000\r\n", RM_E_CODEC_MISMATCH, "AV1");
    give(b, RMI_SDP_OFFER, o);
    char *reply = answer(b, &local_b);
    give(a, RMI_SDP_ANSWER, reply);
    assert_mirrored(a, b);
    free(o);
    free(reply);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

/* --- collisions, exhaustively --- */

#define DEPTH_MAX 40
#define QUEUE_MAX 16

struct message {
    enum rmi_sdp_type type;
    char *text;
};

struct side {
    struct rmi_jsep *j;
    const struct rmi_jsep_local *local;
    struct message queue[QUEUE_MAX]; /* towards this side */
    size_t head, tail;
    int late; /* media still to be added in the course of events */
    unsigned rolled_back, ignored;
};

struct world {
    struct side side[2]; /* 0 polite, 1 impolite */
};

enum action { OFFER_0, OFFER_1, DELIVER_0, DELIVER_1, ADD_0, ADD_1, ACTION_COUNT };

static void send_to(struct side *to, enum rmi_sdp_type type, char *text) {
    assert_true(to->tail < QUEUE_MAX);
    to->queue[to->tail++] = (struct message){type, text};
}

static bool possible(struct world *w, int action) {
    struct side *s = &w->side[action & 1];
    switch (action & ~1) {
    case OFFER_0:
        return rmi_jsep_result(s->j)->state == RMI_JSEP_STABLE && rmi_jsep_result(s->j)->negotiation_needed;
    case DELIVER_0:
        return s->head < s->tail;
    default:
        return s->late > 0;
    }
}

static void deliver(struct world *w, int which) {
    struct side *s = &w->side[which], *other = &w->side[!which];
    struct message m = s->queue[s->head++];
    char detail[RMI_JSEP_DETAIL_MAX];
    bool collides = m.type == RMI_SDP_OFFER && rmi_jsep_result(s->j)->state == RMI_JSEP_HAVE_LOCAL_OFFER;
    rm_err err = rmi_jsep_set_remote(s->j, m.type, m.text, strlen(m.text), detail);
    free(m.text);
    if (collides && which == 1) {
        assert_int_equal(err, RM_E_NEGOTIATION_IN_PROGRESS);
        s->ignored++;
        return;
    }
    if (err)
        fail_msg("side %d: %s: %s", which, rm_err_name(err), detail);
    assert_int_equal(rmi_jsep_result(s->j)->rolled_back, collides);
    s->rolled_back += collides;
    if (m.type == RMI_SDP_OFFER)
        send_to(other, RMI_SDP_ANSWER, answer(s->j, s->local));
}

static void act(struct world *w, int action) {
    struct side *s = &w->side[action & 1], *other = &w->side[!(action & 1)];
    switch (action & ~1) {
    case OFFER_0:
        send_to(other, RMI_SDP_OFFER, offer(s->j, s->local));
        break;
    case DELIVER_0:
        deliver(w, action & 1);
        break;
    default:
        s->late--;
        add(s->j, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
        break;
    }
}

static void replay(struct world *w, const int *path, size_t depth) {
    memset(w, 0, sizeof *w);
    for (int i = 0; i < 2; i++) {
        w->side[i].j = make(i == 0, true);
        w->side[i].local = i ? &local_b : &local_a;
        w->side[i].late = 1;
        add(w->side[i].j, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    }
    for (size_t d = 0; d < depth; d++)
        act(w, path[d]);
}

static void close_world(struct world *w) {
    for (int i = 0; i < 2; i++) {
        for (size_t m = w->side[i].head; m < w->side[i].tail; m++)
            free(w->side[i].queue[m].text);
        rmi_jsep_destroy(&w->side[i].j);
    }
}

struct tally {
    size_t ends, steps, glares;
};

static void explore(int *path, size_t depth, struct tally *tally) {
    struct world w;
    bool next[ACTION_COUNT], any = false;
    assert_true(depth < DEPTH_MAX);
    replay(&w, path, depth);
    for (int action = 0; action < ACTION_COUNT; action++) {
        next[action] = possible(&w, action);
        any = any || next[action];
    }
    tally->steps++;
    if (!any) {
        /* Nobody has anything left to say: then both must see the same thing, and every medium runs. */
        size_t sending[2] = {0, 0};
        assert_mirrored(w.side[0].j, w.side[1].j);
        for (int i = 0; i < 2; i++) {
            const struct rmi_jsep_result *r = rmi_jsep_result(w.side[i].j);
            assert_true(r->has_data);
            for (size_t m = 0; m < r->media_count; m++)
                sending[i] += r->media[m].kind != RMI_MEDIA_DATA && (r->media[m].direction & RMI_DIR_SEND_BIT);
        }
        assert_int_equal(sending[0], 2);
        assert_int_equal(sending[1], 2);
        tally->ends++;
        tally->glares += w.side[0].rolled_back > 0;
        assert_int_equal(w.side[0].rolled_back, w.side[1].ignored);
    }
    close_world(&w);
    for (int action = 0; action < ACTION_COUNT; action++) {
        if (!next[action])
            continue;
        path[depth] = action;
        explore(path, depth + 1, tally);
    }
}

static void all_interleavings_of_two_sides_converge(void **state) {
    (void)state;
    int path[DEPTH_MAX];
    struct tally tally = {0};
    explore(path, 0, &tally);
    print_message("%zu interleavings end well (%zu states, %zu with a collision)\n", tally.ends, tally.steps,
                  tally.glares);
    assert_true(tally.glares > 10 && tally.ends > tally.glares);
}

/* --- damage --- */

static void feed(const char *text, size_t len) {
    char detail[RMI_JSEP_DETAIL_MAX];
    struct rmi_jsep *j = make(true, true);
    add(j, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    if (rmi_jsep_set_remote(j, RMI_SDP_OFFER, text, len, detail) == RM_OK) {
        char *reply = NULL;
        assert_int_equal(rmi_jsep_create_answer(j, &local_a, &reply), RM_OK);
        struct rmi_sdp *sdp;
        assert_int_equal(rmi_sdp_parse(reply, strlen(reply), &sdp, NULL), RM_OK);
        rmi_sdp_free(sdp);
        free(reply);
        reply = offer(j, &local_a);
        free(reply);
    } else {
        assert_int_not_equal(detail[0], 0);
        assert_int_equal(rmi_jsep_result(j)->media_count, 0);
    }
    rmi_jsep_destroy(&j);
}

static void survives_truncated_and_damaged_offers(void **state) {
    (void)state;
    const char *samples[] = {sample_firefox, sample_gstreamer, sample_old_data};
    for (size_t s = 0; s < sizeof samples / sizeof samples[0]; s++) {
        size_t full = strlen(samples[s]);
        char *copy = malloc(full);
        assert_non_null(copy);
        for (size_t len = 0; len <= full; len++) {
            char *exact = malloc(len ? len : 1);
            assert_non_null(exact);
            memcpy(exact, samples[s], len);
            feed(exact, len);
            free(exact);
        }
        memcpy(copy, samples[s], full);
        for (size_t at = 0; at < full; at++) {
            copy[at] = (char)(copy[at] ^ 0x01);
            feed(copy, full);
            copy[at] = samples[s][at];
        }
        free(copy);
    }
}

static void survives_truncated_and_damaged_answers(void **state) {
    (void)state;
    struct rmi_jsep *a = make(false, true), *b = make(true, true);
    char detail[RMI_JSEP_DETAIL_MAX];
    add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    add(a, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    char *o = offer(a, &local_a);
    give(b, RMI_SDP_OFFER, o);
    char *text = answer(b, &local_b);
    size_t full = strlen(text), refused = 0;
    for (size_t at = 0; at < 2 * full; at++) {
        bool cut = at >= full;
        size_t len = cut ? at - full : full;
        char *exact = malloc(len ? len : 1);
        assert_non_null(exact);
        memcpy(exact, text, len);
        if (!cut)
            exact[at] = (char)(exact[at] ^ 0x02);
        if (rmi_jsep_set_remote(a, RMI_SDP_ANSWER, exact, len, detail) == RM_OK) {
            assert_int_equal(rmi_jsep_result(a)->state, RMI_JSEP_STABLE);
            rmi_jsep_destroy(&a);
            a = make(false, true);
            add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
            add(a, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
            char *again = offer(a, &local_a);
            free(again);
        } else {
            refused++;
            assert_int_equal(rmi_jsep_result(a)->state, RMI_JSEP_HAVE_LOCAL_OFFER);
        }
        free(exact);
    }
    assert_true(refused > 100);
    give(a, RMI_SDP_ANSWER, text);
    free(o);
    free(text);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&b);
}

static int seed(void **state) {
    (void)state;
    rmi_prng_seed(&prng, 5);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offer_is_golden),
        cmocka_unit_test(configuration_is_checked),
        cmocka_unit_test(two_sides_agree),
        cmocka_unit_test(answers_other_implementations),
        cmocka_unit_test(gstreamer_answer_leaves_h264_defaults_alone),
        cmocka_unit_test(old_data_section_is_answered_in_kind),
        cmocka_unit_test(h264_formats_are_chosen_by_profile_and_mode),
        cmocka_unit_test(mismatches_are_named),
        cmocka_unit_test(unusable_sections_get_port_zero),
        cmocka_unit_test(bad_offers_change_nothing),
        cmocka_unit_test(bad_answers_change_nothing),
        cmocka_unit_test(a_refused_section_stays_refused),
        cmocka_unit_test(media_can_be_added_later),
        cmocka_unit_test(directions_change_and_versions_count),
        cmocka_unit_test(stopped_media_is_closed_and_recycled),
        cmocka_unit_test(everything_may_be_closed_and_opened_again),
        cmocka_unit_test(sections_keep_their_place_for_life),
        cmocka_unit_test(numbers_of_the_first_offerer_stay),
        cmocka_unit_test(answers_may_have_their_own_numbers),
        cmocka_unit_test(preference_puts_one_codec_first),
        cmocka_unit_test(dtls_roles_follow_setup),
        cmocka_unit_test(ice_restart_is_seen),
        cmocka_unit_test(remote_candidates_come_from_the_bundle),
        cmocka_unit_test(rollback_restores_what_was),
        cmocka_unit_test(a_bad_colliding_offer_leaves_ours_pending),
        cmocka_unit_test(all_interleavings_of_two_sides_converge),
        cmocka_unit_test(survives_truncated_and_damaged_offers),
        cmocka_unit_test(survives_truncated_and_damaged_answers),
    };
    return cmocka_run_group_tests(tests, seed, NULL);
}
