/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/jsep_test_support.h"
#include "sdp/sdp_test_samples.h"

static const char golden_offer_audio[] =
    "v=0\r\no=- 307445734561825860 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "a=group:BUNDLE 0 1 2\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS *\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:uaaa\r\na=ice-pwd:a0123456789012345678901\r\na=ice-options:trickle\r\n"
    "a=fingerprint:sha-256 AA:AA\r\na=setup:actpass\r\n"
    "a=candidate:f1 1 udp 2130706431 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n"
    "a=mid:0\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\na=msid:st au\r\n"
    "a=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=rtcp-fb:111 nack\r\n"
    "a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=ssrc:286331153 "
    "cname:cn\r\n";
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
    "a=setup:actpass\r\na=mid:2\r\na=sctp-port:5000\r\na=max-message-size:25165824\r\n";

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
    assert_true(r->has_data && r->sctp_port == 5000 && r->max_message_size == RMI_JSEP_MAX_MESSAGE_SIZE);
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
        assert_int_equal(sdp->media[m].codec_count, m ? 6 : 2);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offer_is_golden),
        cmocka_unit_test(configuration_is_checked),
        cmocka_unit_test(two_sides_agree),
        cmocka_unit_test(media_can_be_added_later),
        cmocka_unit_test(directions_change_and_versions_count),
        cmocka_unit_test(stopped_media_is_closed_and_recycled),
        cmocka_unit_test(everything_may_be_closed_and_opened_again),
        cmocka_unit_test(sections_keep_their_place_for_life),
        cmocka_unit_test(numbers_of_the_first_offerer_stay),
        cmocka_unit_test(answers_may_have_their_own_numbers),
        cmocka_unit_test(preference_puts_one_codec_first),
        cmocka_unit_test(ice_restart_is_seen),
        cmocka_unit_test(rollback_restores_what_was),
    };
    return cmocka_run_group_tests(tests, seed, NULL);
}
