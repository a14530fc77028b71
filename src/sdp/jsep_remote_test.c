/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/jsep_test_support.h"
#include "sdp/sdp_test_samples.h"

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

/* As aiortc 1.4 offers them. */
static void extension_ids_have_one_meaning_in_a_bundle(void **state) {
    (void)state;
    struct rmi_jsep *j = make(true, true);
    add(j, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    add(j, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
    give(j, RMI_SDP_OFFER,
         OFFER_HEAD "a=group:BUNDLE 0 1\r\n"
                    "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=rtcp-mux\r\na=rtpmap:96 opus/48000/2\r\n"
                    "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
                    "a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
                    "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na=mid:1\r\na=rtcp-mux\r\na=rtpmap:97 VP8/90000\r\n"
                    "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
                    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n");
    char *text = answer(j, &local_a);
    const struct rmi_jsep_result *r = rmi_jsep_result(j);
    assert_int_equal(r->media[0].ext[RMI_JSEP_EXT_MID], 1);
    assert_int_equal(r->media[0].ext[RMI_JSEP_EXT_AUDIO_LEVEL], 2);
    assert_int_equal(r->media[1].ext[RMI_JSEP_EXT_MID], 1);
    assert_int_equal(r->media[1].ext[RMI_JSEP_EXT_ABS_SEND_TIME], 0);
    assert_false(has(text, "abs-send-time"));
    free(text);
    rmi_jsep_destroy(&j);
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

/* Who switched a kind off does not get it either. */
static void a_kind_that_is_switched_off_is_refused(void **state) {
    (void)state;
    for (int off = RMI_MEDIA_AUDIO; off <= RMI_MEDIA_VIDEO; off++) {
        struct rmi_jsep_config config = {
            .rng = rmi_prng_rng(&prng), .polite = true, .data_channel = true, .cname = "cn"};
        config.no_audio = off == RMI_MEDIA_AUDIO;
        config.no_video = off == RMI_MEDIA_VIDEO;
        struct rmi_jsep *a = make(false, true), *b = NULL;
        assert_int_equal(rmi_jsep_create(&config, &b), RM_OK);
        add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
        add(a, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
        char *o = offer(a, &local_a);
        give(b, RMI_SDP_OFFER, o);
        char *good = answer(b, &local_b);
        give(a, RMI_SDP_ANSWER, good);
        for (size_t i = 0; i < 2; i++) {
            bool refused = rmi_jsep_result(a)->media[i].kind == (enum rmi_media_kind)off;
            assert_int_equal(rmi_jsep_result(a)->media[i].rejected, refused);
            assert_int_equal(rmi_jsep_result(b)->media[i].rejected, refused);
        }
        free(o);
        free(good);
        rmi_jsep_destroy(&a);
        rmi_jsep_destroy(&b);
    }
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

/* As other implementations answer: without naming the offer, so that it suits each of the equal offers made below. */
static void drop_addressee(char *answer) {
    char *line = strstr(answer, "a=x-answers:");
    assert_non_null(line);
    const char *rest = strstr(line, "\r\n") + 2;
    memmove(line, rest, strlen(rest) + 1);
}

static void an_answer_to_another_offer_is_refused(void **state) {
    (void)state;
    struct rmi_jsep *a = make(false, true), *again = make(false, true), *b = make(true, true);
    add(a, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    add(again, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    char *o = offer(a, &local_a);
    free(offer(again, &local_a));
    give(b, RMI_SDP_OFFER, o);
    char *text = answer(b, &local_b);
    refuse(again, RMI_SDP_ANSWER, text, RM_E_STATE, "another offer");
    give(a, RMI_SDP_ANSWER, text);
    drop_addressee(text);
    give(again, RMI_SDP_ANSWER, text);
    free(o);
    free(text);
    rmi_jsep_destroy(&a);
    rmi_jsep_destroy(&again);
    rmi_jsep_destroy(&b);
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
    drop_addressee(text);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_other_implementations),
        cmocka_unit_test(extension_ids_have_one_meaning_in_a_bundle),
        cmocka_unit_test(gstreamer_answer_leaves_h264_defaults_alone),
        cmocka_unit_test(old_data_section_is_answered_in_kind),
        cmocka_unit_test(h264_formats_are_chosen_by_profile_and_mode),
        cmocka_unit_test(mismatches_are_named),
        cmocka_unit_test(unusable_sections_get_port_zero),
        cmocka_unit_test(bad_offers_change_nothing),
        cmocka_unit_test(bad_answers_change_nothing),
        cmocka_unit_test(a_refused_section_stays_refused),
        cmocka_unit_test(a_kind_that_is_switched_off_is_refused),
        cmocka_unit_test(dtls_roles_follow_setup),
        cmocka_unit_test(remote_candidates_come_from_the_bundle),
        cmocka_unit_test(a_bad_colliding_offer_leaves_ours_pending),
        cmocka_unit_test(survives_truncated_and_damaged_offers),
        cmocka_unit_test(an_answer_to_another_offer_is_refused),
        cmocka_unit_test(survives_truncated_and_damaged_answers),
    };
    return cmocka_run_group_tests(tests, seed, NULL);
}
