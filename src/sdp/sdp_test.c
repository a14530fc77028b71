/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sdp/sdp.h"
#include "sdp/sdp_test_samples.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
#define AUDIO "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n"
#define VIDEO "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"

static struct rmi_sdp *parse_ok(const char *text) {
    struct rmi_sdp *sdp;
    struct rmi_sdp_fault fault;
    rm_err err = rmi_sdp_parse(text, strlen(text), &sdp, &fault);
    if (err)
        fail_msg("line %zu: %s", fault.line, fault.text);
    return sdp;
}

static void parse_bad(const char *text, size_t len, rm_err expected, size_t line) {
    struct rmi_sdp *sdp = (struct rmi_sdp *)(uintptr_t)1;
    struct rmi_sdp_fault fault;
    assert_int_equal(rmi_sdp_parse(text, len, &sdp, &fault), expected);
    assert_null(sdp);
    if (fault.line != line)
        fail_msg("line %zu (%s) instead of %zu", fault.line, fault.text, line);
    assert_int_not_equal(fault.text[0], 0);
}

static void parses_a_chromium_offer(void **state) {
    (void)state;
    struct rmi_sdp *sdp = parse_ok(sample_chromium);
    assert_true(sdp->origin_id == 4611732167439832015ULL);
    assert_int_equal(sdp->origin_version, 2);
    assert_int_equal(sdp->bundle_count, 3);
    assert_true(sdp->extmap_allow_mixed);
    assert_int_equal(sdp->media_count, 3);
    const struct rmi_sdp_media *audio = &sdp->media[0], *video = &sdp->media[1], *data = &sdp->media[2];
    assert_int_equal(audio->kind, RMI_MEDIA_AUDIO);
    assert_string_equal(audio->mid, "0");
    assert_string_equal(audio->ice_ufrag, "x7Qd");
    assert_true(audio->trickle && audio->rtcp_mux && audio->rtcp_rsize && !audio->bundle_only);
    assert_int_equal(audio->setup, RMI_SETUP_ACTPASS);
    assert_int_equal(audio->codec_count, 8);
    const struct rmi_sdp_codec *opus = rmi_sdp_codec_by_pt(audio, 111);
    assert_string_equal(opus->name, "opus");
    assert_int_equal(opus->clock, 48000);
    assert_int_equal(opus->channels, 2);
    assert_int_equal(opus->feedback, RMI_FB_TRANSPORT_CC);
    assert_string_equal(opus->fmtp, "minptime=10;useinbandfec=1");
    assert_string_equal(rmi_sdp_codec_by_pt(audio, 8)->name, "PCMA");
    assert_string_equal(audio->msid_stream, "9f2c1a7e-stream");
    assert_string_equal(audio->msid_track, "51d0b7ea-audio");
    assert_int_equal(video->codec_count, 18);
    assert_int_equal(rmi_sdp_codec_by_pt(video, 97)->apt, 96);
    assert_int_equal(rmi_sdp_codec_by_pt(video, 96)->feedback,
                     RMI_FB_NACK | RMI_FB_NACK_PLI | RMI_FB_CCM_FIR | RMI_FB_TRANSPORT_CC | RMI_FB_GOOG_REMB);
    assert_int_equal(video->extmap_count, 6);
    assert_int_equal(video->ssrc_count, 2);
    assert_string_equal(video->ssrcs[1].cname, "3Jk0sW8eVqT1aZxY");
    assert_int_equal(video->fid_count, 1);
    assert_true(video->fids[0].media_ssrc == 3180442651U && video->fids[0].rtx_ssrc == 1420557903U);
    assert_int_equal(data->kind, RMI_MEDIA_DATA);
    assert_int_equal(data->sctp_port, 5000);
    assert_int_equal(data->max_message_size, 262144);
    rmi_sdp_free(sdp);
}

static void session_level_is_inherited(void **state) {
    (void)state;
    struct rmi_sdp *sdp = parse_ok(sample_firefox);
    for (size_t i = 0; i < sdp->media_count; i++) {
        assert_int_equal(sdp->media[i].fingerprint_count, 1);
        assert_memory_equal(sdp->media[i].fingerprints[0], "sha-256 05:60:", 14);
        assert_true(sdp->media[i].trickle);
    }
    assert_int_equal(sdp->media[0].extmaps[1].direction, RMI_DIR_RECVONLY);
    assert_int_equal(rmi_sdp_codec_by_pt(&sdp->media[1], 124)->apt, 120); /* its fmtp stands before its rtpmap */
    rmi_sdp_free(sdp);
    sdp = parse_ok(sample_old_data);
    assert_string_equal(sdp->media[0].ice_ufrag, "abcd");
    assert_int_equal(sdp->media[0].setup, RMI_SETUP_PASSIVE);
    assert_int_equal(sdp->media[0].sctp_port, 5000);
    rmi_sdp_free(sdp);
    sdp = parse_ok(HEAD "a=sendonly\r\na=setup:active\r\n" AUDIO VIDEO "a=recvonly\r\na=setup:passive\r\n");
    assert_int_equal(sdp->media[0].direction, RMI_DIR_SENDONLY);
    assert_int_equal(sdp->media[0].setup, RMI_SETUP_ACTIVE);
    assert_int_equal(sdp->media[1].direction, RMI_DIR_RECVONLY);
    assert_int_equal(sdp->media[1].setup, RMI_SETUP_PASSIVE);
    rmi_sdp_free(sdp);
}

static void parses_candidates(void **state) {
    (void)state;
    struct rmi_sdp *sdp = parse_ok(sample_aiortc);
    assert_int_equal(sdp->media[0].candidate_count, 2);
    assert_int_equal(sdp->media[0].candidates[1].type, RMI_CAND_SRFLX);
    assert_int_equal(sdp->media[0].candidates[1].addr.port, 41022);
    assert_true(sdp->media[0].end_of_candidates);
    rmi_sdp_free(sdp);
    sdp = parse_ok(HEAD AUDIO "a=candidate:\r\na=candidate\r\na=candidate:1 1 udp 5 192.0.2.1 x typ host\r\n"
                              "a=candidate:1 1 udp 5 192.0.2.1 9000 typ host\r\n");
    assert_int_equal(sdp->media[0].candidate_count, 1);
    assert_int_equal(sdp->media[0].candidates_skipped, 3);
    rmi_sdp_free(sdp);
}

static void parses_gstreamer_bundle_only(void **state) {
    (void)state;
    struct rmi_sdp *sdp = parse_ok(sample_gstreamer);
    assert_int_equal(sdp->media[1].port, 0);
    assert_true(sdp->media[1].bundle_only);
    assert_true(rmi_sdp_bundled(sdp, "audio1"));
    assert_false(rmi_sdp_bundled(sdp, "video1"));
    assert_false(rmi_sdp_bundled(sdp, ""));
    assert_int_equal(sdp->media[0].direction, RMI_DIR_SENDONLY);
    rmi_sdp_free(sdp);
}

/* As none of those above has it. */
static const char sample_ecn[] = HEAD AUDIO
    "a=mid:a\r\na=rtcp-mux\r\na=rtcp-fb:* nack ecn\r\na=rtcp-xr:ecn-sum\r\n"
    "a=ecn-capable-rtp: rtp,ice,leap ect=0; mode=readonly\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
    "a=fingerprint:sha-256 AA:AA\r\n";

/* What is written reads back as the same text: nothing that is understood gets lost or changes its place. */
static void written_text_reads_back_the_same(void **state) {
    (void)state;
    const char *samples[] = {sample_chromium,  sample_firefox,  sample_aiortc, sample_pion,
                             sample_gstreamer, sample_old_data, sample_ecn};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct rmi_sbuf first = {0}, second = {0};
        struct rmi_sdp *sdp = parse_ok(samples[i]);
        rmi_sdp_write(sdp, &first);
        struct rmi_sdp *again = parse_ok(rmi_sbuf_text(&first));
        rmi_sdp_write(again, &second);
        assert_false(first.failed || second.failed);
        assert_string_equal(rmi_sbuf_text(&first), rmi_sbuf_text(&second));
        assert_int_equal(sdp->media_count, again->media_count);
        for (size_t m = 0; m < sdp->media_count; m++) {
            const struct rmi_sdp_media *x = &sdp->media[m], *y = &again->media[m];
            assert_string_equal(x->mid, y->mid);
            assert_string_equal(x->ice_pwd, y->ice_pwd);
            assert_string_equal(x->fingerprints[0], y->fingerprints[0]);
            assert_int_equal(x->codec_count, y->codec_count);
            assert_int_equal(x->candidate_count, y->candidate_count);
            assert_int_equal(x->ssrc_count, y->ssrc_count);
            assert_int_equal(x->direction, y->direction);
            assert_int_equal(x->setup, y->setup);
            assert_int_equal(x->sctp_port, y->sctp_port);
        }
        rmi_sdp_free(sdp);
        rmi_sdp_free(again);
        rmi_sbuf_fini(&first);
        rmi_sbuf_fini(&second);
    }
}

static void line_ends_may_be_lf(void **state) {
    (void)state;
    struct rmi_sdp *sdp = parse_ok("v=0\no=- 1 2 IN IP4 0.0.0.0\ns=-\n" AUDIO "a=mid:x\n\n");
    assert_string_equal(sdp->media[0].mid, "x");
    rmi_sdp_free(sdp);
}

static void refuses_malformed_lines(void **state) {
    (void)state;
    static const struct {
        const char *text;
        rm_err err;
        size_t line;
    } cases[] = {
        {"", RM_E_SDP, 0},
        {"v=0\r\n", RM_E_SDP, 1},
        {"v=1\r\n", RM_E_SDP, 1},
        {"\r\n" HEAD, RM_E_SDP, 1},
        {"v=0\r\ns=-\r\n", RM_E_SDP, 2},
        {"v=0\r\no=-\r\n", RM_E_SDP, 2},
        {"v=0\r\no=- 1 18446744073709551616 IN IP4 x\r\n", RM_E_SDP, 2},
        {HEAD "nonsense\r\n", RM_E_SDP, 5},
        {HEAD "=\r\n", RM_E_SDP, 5},
        {HEAD "v=0\r\n", RM_E_SDP, 5},
        {HEAD "o=- 1 2\r\n", RM_E_SDP, 5},
        {HEAD "m=\r\n", RM_E_SDP, 5},
        {HEAD "m=audio\r\n", RM_E_SDP, 5},
        {HEAD "m=audio 9\r\n", RM_E_SDP, 5},
        {HEAD "m=audio 9 UDP/TLS/RTP/SAVPF\r\n", RM_E_SDP, 5},
        {HEAD "m=audio 65536 UDP/TLS/RTP/SAVPF 0\r\n", RM_E_SDP, 5},
        {HEAD "m=audio -1 UDP/TLS/RTP/SAVPF 0\r\n", RM_E_SDP, 5},
        {HEAD "m=audio 1 RTP/AVP 4294967296\r\n", RM_E_SDP, 5},
        {HEAD "m=audio 1 RTP/AVP 128\r\n", RM_E_SDP, 5},
        {HEAD AUDIO "a=rtpmap:200 opus/48000/2\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=rtpmap:111\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=rtpmap:111 opus\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=rtpmap:111 /48000\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=rtpmap:111 opus/0\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=rtpmap:111 opus/4294967296\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=rtpmap:111 opus/48000/256\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=rtpmap:111 opus/48000/2\r\na=rtpmap:111 VP8/90000\r\n", RM_E_SDP, 7},
        {HEAD AUDIO "a=fmtp:\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=rtcp-fb:300 nack\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=mid\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=mid:\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=mid:a b\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=mid:a\r\na=mid:b\r\n", RM_E_SDP, 7},
        {HEAD AUDIO "a=mid:123456789012345678901234567890123\r\n", RM_E_TOO_BIG, 6},
        {HEAD AUDIO "a=mid:a\r\n" VIDEO "a=mid:a\r\n", RM_E_SDP, 8},
        {HEAD AUDIO "a=ice-ufrag\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=ice-ufrag:abc\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=ice-ufrag:ab\tcd\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=ice-ufrag:abcd\r\na=ice-ufrag:efgh\r\n", RM_E_SDP, 7},
        {HEAD AUDIO "a=ice-pwd:short\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=setup:\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=setup:both\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=setup:active\r\na=setup:passive\r\n", RM_E_SDP, 7},
        {HEAD AUDIO "a=fingerprint:sha-256\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=fingerprint:sha-256 AA:BB:\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=fingerprint:sha-256 AA:B\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=fingerprint:sha-256 AABB\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=extmap:0 urn:x\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=extmap:1\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=extmap:1/up urn:x\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=sendonly\r\na=recvonly\r\n", RM_E_SDP, 7},
        {HEAD AUDIO "a=ssrc:4294967296 cname:x\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=ssrc\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=ssrc-group:FID 1\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=sctp-port:65536\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=sctp-port:1\r\na=sctp-port:2\r\n", RM_E_SDP, 7},
        {HEAD AUDIO "a=max-message-size:9223372036854775808\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=max-message-size:\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=msid:\r\n", RM_E_SDP, 6},
        {HEAD AUDIO "a=msid:a\vb\r\n", RM_E_SDP, 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        parse_bad(cases[i].text, strlen(cases[i].text), cases[i].err, cases[i].line);
}

static void refuses_an_embedded_nul(void **state) {
    (void)state;
    static const char text[] = HEAD AUDIO "a=fmtp\0:111 x=1\r\n";
    parse_bad(text, sizeof text - 1, RM_E_SDP, 6);
}

/* RFC 6679 6.1 and 6.3: with the space of its grammar and without, in any letter case, with what nobody knows. */
static void reads_ecn(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned methods;
        bool no_set, no_read, summary;
    } cases[] = {
        {"", 0, false, false, false},
        {"a=ecn-capable-rtp: leap ect=0\r\na=rtcp-xr:ecn-sum\r\n", RMI_ECN_BY_LEAP, false, false, true},
        {"a=ecn-capable-rtp:RTP,ice,leap\r\na=rtcp-xr:rcvr-rtt=all ECN-SUM\r\n",
         RMI_ECN_BY_RTP | RMI_ECN_BY_ICE | RMI_ECN_BY_LEAP, false, false, true},
        {"a=ecn-capable-rtp: rtp,x,,rtpx ect=random; mode=setonly; a=\"b;c\"\r\n", RMI_ECN_BY_RTP, false, true, false},
        {"a=ecn-capable-rtp: ice mode=readonly\r\na=rtcp-xr:ecn-sums\r\n", RMI_ECN_BY_ICE, true, false, false},
        {"a=ecn-capable-rtp: \r\na=ecn-capable-rtp\r\na=rtcp-xr\r\n", 0, false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rmi_sbuf text = {0};
        rmi_sbuf_addf(&text, "%s%sa=rtcp-fb:111 nack ecn\r\n", HEAD AUDIO, cases[i].text);
        struct rmi_sdp *sdp = parse_ok(rmi_sbuf_text(&text));
        const struct rmi_sdp_media *m = &sdp->media[0];
        assert_int_equal(m->ecn, cases[i].methods);
        assert_int_equal(m->ecn_no_set, cases[i].no_set);
        assert_int_equal(m->ecn_no_read, cases[i].no_read);
        assert_int_equal(m->ecn_summary, cases[i].summary);
        assert_int_equal(m->codecs[0].feedback, RMI_FB_NACK_ECN);
        rmi_sdp_free(sdp);
        rmi_sbuf_fini(&text);
    }
}

/* Repeating the very same value is harmless; so are attributes that nobody knows and ones at the wrong level. */
static void accepts_harmless_oddities(void **state) {
    (void)state;
    struct rmi_sdp *sdp = parse_ok(
        HEAD "a=group:BUNDLE\r\na=group:LS a b\r\na=mid:stray\r\na=rtpmap:1 X/1\r\na=identity:zzz\r\n" AUDIO
             "a=mid:a\r\na=mid:a\r\na=ice-ufrag:abcd\r\na=ice-ufrag:abcd\r\na=rtcp-mux\r\na=rtcp-mux:x\r\na=\r\na=:\r\n"
             "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:zzz\r\na=rtpmap:77 X/90000\r\na=fmtp:111\r\n"
             "a=extmap:5000 urn:provisional\r\na=msid:s t\r\na=msid:s2 t\r\na=rtcp-fb:* nack\r\na=ssrc:5\r\n");
    const struct rmi_sdp_media *m = &sdp->media[0];
    assert_string_equal(m->mid, "a");
    assert_string_equal(m->msid_stream, "s");
    assert_int_equal(m->codec_count, 2);
    assert_int_equal(m->extmap_count, 0);
    assert_int_equal(m->codecs[0].feedback, RMI_FB_NACK);
    assert_int_equal(m->codecs[1].feedback, RMI_FB_NACK);
    assert_string_equal(m->codecs[1].name, "PCMU");
    assert_true(sdp->has_bundle);
    assert_int_equal(sdp->bundle_count, 0);
    rmi_sdp_free(sdp);
}

static const char *attribute_names[] = {
    "mid",
    "ice-ufrag",
    "ice-pwd",
    "ice-options",
    "ice-lite",
    "end-of-candidates",
    "fingerprint",
    "setup",
    "tls-id",
    "rtcp-mux",
    "rtcp-rsize",
    "candidate",
    "bundle-only",
    "rtpmap",
    "fmtp",
    "rtcp-fb",
    "ecn-capable-rtp",
    "rtcp-xr",
    "extmap",
    "msid",
    "ssrc",
    "ssrc-group",
    "sctp-port",
    "sctpmap",
    "group",
    "sendrecv",
    "rtcp",
    "simulcast",
    "rid",
    "max-message-size",
    "extmap-allow-mixed",
    "crypto",
    "msid-semantic",
    "ptime",
};

/* Every attribute without a value, with an empty, a huge and a repeated one, at both levels: an error or not, but
 * always a decision, and never memory that is not ours (the address sanitizer watches). */
static void survives_every_attribute_empty_huge_and_twice(void **state) {
    (void)state;
    static const char *starts[] = {"", "111 ", "1 ", "sha-256 ", "FID 1 ", "BUNDLE "};
    char *text = malloc(RMI_SDP_TEXT_MAX);
    assert_non_null(text);
    size_t parsed = 0;
    for (size_t i = 0; i < sizeof attribute_names / sizeof attribute_names[0]; i++) {
        for (int level = 0; level < 2; level++) {
            for (int form = 0; form < 3 + (int)(sizeof starts / sizeof starts[0]) * 3; form++) {
                char value[5000] = "";
                if (form == 1)
                    strcpy(value, ":");
                if (form == 2)
                    strcpy(value, ": ");
                if (form >= 3) {
                    static const size_t sizes[] = {10, 300, 3900};
                    size_t size = sizes[(form - 3) % 3];
                    int n = snprintf(value, sizeof value, ":%s", starts[(form - 3) / 3]);
                    memset(value + n, '1', size);
                    value[(size_t)n + size] = '\0';
                }
                int len = snprintf(text, RMI_SDP_TEXT_MAX, HEAD "%sa=%s%s\r\na=%s%s\r\n" VIDEO, level ? AUDIO : "",
                                   attribute_names[i], value, attribute_names[i], value);
                struct rmi_sdp *sdp;
                rm_err err = rmi_sdp_parse(text, (size_t)len, &sdp, NULL);
                assert_true(err == RM_OK || err == RM_E_SDP || err == RM_E_TOO_BIG);
                parsed += err == RM_OK;
                rmi_sdp_free(sdp);
            }
        }
    }
    assert_true(parsed > 0);
    free(text);
}

static char *repeated(const char *head, const char *format, int from, int count) {
    struct rmi_sbuf out = {0};
    rmi_sbuf_add(&out, head);
    for (int i = from; i < from + count; i++) {
        char line[200];
        const char *at = strchr(format, '#');
        if (at)
            snprintf(line, sizeof line, "%.*s%d%s", (int)(at - format), format, i, at + 1);
        else
            snprintf(line, sizeof line, "%s", format);
        rmi_sbuf_add(&out, line);
    }
    assert_false(out.failed);
    return rmi_sbuf_take(&out);
}

static void expect(char *text, rm_err expected) {
    struct rmi_sdp *sdp;
    struct rmi_sdp_fault fault;
    rm_err err = rmi_sdp_parse(text, strlen(text), &sdp, &fault);
    if (err != expected)
        fail_msg("%s instead of %s: %s", rm_err_name(err), rm_err_name(expected), fault.text);
    rmi_sdp_free(sdp);
    free(text);
}

static void limits_hold(void **state) {
    (void)state;
    expect(repeated(HEAD, "m=audio # UDP/TLS/RTP/SAVPF 0\r\n", 1, RMI_SDP_MEDIA_MAX), RM_OK);
    expect(repeated(HEAD, "m=audio # UDP/TLS/RTP/SAVPF 0\r\n", 1, RMI_SDP_MEDIA_MAX + 1), RM_E_TOO_BIG);
    expect(repeated(HEAD "m=audio 9 UDP/TLS/RTP/SAVPF", " #", 0, RMI_SDP_CODEC_MAX), RM_OK);
    expect(repeated(HEAD "m=audio 9 UDP/TLS/RTP/SAVPF", " #", 0, RMI_SDP_CODEC_MAX + 1), RM_E_TOO_BIG);
    expect(repeated(HEAD AUDIO, "a=extmap:# urn:x\r\n", 1, RMI_SDP_EXTMAP_MAX), RM_OK);
    expect(repeated(HEAD AUDIO, "a=extmap:# urn:x\r\n", 1, RMI_SDP_EXTMAP_MAX + 1), RM_E_TOO_BIG);
    expect(repeated(HEAD AUDIO, "a=ssrc:# cname:x\r\n", 1, RMI_SDP_SSRC_MAX), RM_OK);
    expect(repeated(HEAD AUDIO, "a=ssrc:# cname:x\r\n", 1, RMI_SDP_SSRC_MAX + 1), RM_E_TOO_BIG);
    expect(repeated(HEAD AUDIO, "a=ssrc-group:FID # 7\r\n", 1, RMI_SDP_FID_MAX + 1), RM_E_TOO_BIG);
    expect(repeated(HEAD AUDIO, "a=fingerprint:sha-256 AA:BB\r\n", 1, RMI_SDP_FINGERPRINT_MAX), RM_OK);
    expect(repeated(HEAD AUDIO, "a=fingerprint:sha-256 AA:BB\r\n", 1, RMI_SDP_FINGERPRINT_MAX + 1), RM_E_TOO_BIG);
    expect(repeated(HEAD "a=group:BUNDLE", " #", 1, RMI_SDP_GROUP_MAX + 1), RM_E_TOO_BIG);
    expect(repeated(HEAD AUDIO, "a=x\r\n", 1, 10000), RM_OK);
    expect(repeated(HEAD AUDIO, "a=rtcp-mux\r\n", 1, 10000), RM_E_TOO_BIG);
    char *text =
        repeated(HEAD AUDIO, "a=candidate:# 1 udp 5 192.0.2.1 9000 typ host\r\n", 1, RMI_SDP_CANDIDATE_MAX + 5);
    struct rmi_sdp *sdp = parse_ok(text);
    assert_int_equal(sdp->media[0].candidate_count, RMI_SDP_CANDIDATE_MAX);
    assert_int_equal(sdp->media[0].candidates_skipped, 5);
    assert_string_equal(sdp->media[0].candidates[RMI_SDP_CANDIDATE_MAX - 1].foundation, "64");
    rmi_sdp_free(sdp);
    free(text);
    expect(repeated(HEAD AUDIO "a=x:", "y", 1, RMI_SDP_LINE_MAX - 4), RM_OK);
    expect(repeated(HEAD AUDIO "a=x:", "y", 1, RMI_SDP_LINE_MAX - 3), RM_E_TOO_BIG);
}

/* Each prefix and each changed byte of an offer, from memory of exactly that size. */
static void survives_truncation_and_damage(void **state) {
    (void)state;
    const char *samples[] = {sample_chromium, sample_gstreamer, sample_aiortc, sample_ecn};
    size_t accepted = 0;
    for (size_t s = 0; s < sizeof samples / sizeof samples[0]; s++) {
        size_t full = strlen(samples[s]);
        for (size_t len = 0; len <= full; len++) {
            char *copy = malloc(len ? len : 1);
            assert_non_null(copy);
            memcpy(copy, samples[s], len);
            struct rmi_sdp *sdp;
            accepted += rmi_sdp_parse(copy, len, &sdp, NULL) == RM_OK;
            rmi_sdp_free(sdp);
            free(copy);
        }
        char *copy = malloc(full);
        assert_non_null(copy);
        memcpy(copy, samples[s], full);
        for (size_t at = 0; at < full; at++) {
            static const unsigned char flips[] = {0x01, 0x80, 0xff};
            for (size_t f = 0; f < sizeof flips; f++) {
                copy[at] = (char)(copy[at] ^ flips[f]);
                struct rmi_sdp *sdp;
                struct rmi_sbuf out = {0};
                if (rmi_sdp_parse(copy, full, &sdp, NULL) == RM_OK)
                    rmi_sdp_write(sdp, &out);
                rmi_sdp_free(sdp);
                rmi_sbuf_fini(&out);
                copy[at] = samples[s][at];
            }
        }
        free(copy);
    }
    assert_true(accepted > 3);
}

static void reads_format_parameters(void **state) {
    (void)state;
    size_t len;
    const char *fmtp = "Profile-Level-Id=42e01f; packetization-mode=1 ;flag;empty=;x=a=b";
    assert_memory_equal(rmi_sdp_fmtp_param(fmtp, "profile-level-id", &len), "42e01f", 6);
    assert_int_equal(len, 6);
    assert_memory_equal(rmi_sdp_fmtp_param(fmtp, "packetization-mode", &len), "1", 1);
    assert_int_equal(len, 1);
    assert_non_null(rmi_sdp_fmtp_param(fmtp, "flag", &len));
    assert_int_equal(len, 0);
    assert_non_null(rmi_sdp_fmtp_param(fmtp, "empty", &len));
    assert_int_equal(len, 0);
    assert_memory_equal(rmi_sdp_fmtp_param(fmtp, "x", &len), "a=b", 3);
    assert_null(rmi_sdp_fmtp_param(fmtp, "mode", &len));
    assert_null(rmi_sdp_fmtp_param("", "mode", &len));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_a_chromium_offer),
        cmocka_unit_test(session_level_is_inherited),
        cmocka_unit_test(parses_candidates),
        cmocka_unit_test(parses_gstreamer_bundle_only),
        cmocka_unit_test(written_text_reads_back_the_same),
        cmocka_unit_test(line_ends_may_be_lf),
        cmocka_unit_test(refuses_malformed_lines),
        cmocka_unit_test(refuses_an_embedded_nul),
        cmocka_unit_test(reads_ecn),
        cmocka_unit_test(accepts_harmless_oddities),
        cmocka_unit_test(survives_every_attribute_empty_huge_and_twice),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(survives_truncation_and_damage),
        cmocka_unit_test(reads_format_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
