/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SDP_JSEP_TEST_SUPPORT_H
#define RMI_SDP_JSEP_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sdp/jsep.h"
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
static inline void fill_same(void *ctx, void *out, size_t n) {
    (void)ctx;
    memset(out, 0x11, n);
}

static inline struct rmi_jsep *make_with(bool polite, bool data, bool golden) {
    struct rmi_jsep_config config = {.name = "other", .polite = polite, .data_channel = data, .cname = "cn"};
    struct rmi_jsep *j = NULL;
    config.rng = golden ? (struct rmi_rng){fill_same, NULL} : rmi_prng_rng(&prng);
    assert_int_equal(rmi_jsep_create(&config, &j), RM_OK);
    return j;
}

static inline struct rmi_jsep *make(bool polite, bool data) {
    return make_with(polite, data, false);
}

static inline int add(struct rmi_jsep *j, enum rmi_media_kind kind, enum rmi_direction direction) {
    int handle = -1;
    assert_int_equal(rmi_jsep_add_media(j, kind, direction, "stream", NULL, &handle), RM_OK);
    return handle;
}

static inline char *offer(struct rmi_jsep *j, const struct rmi_jsep_local *local) {
    char *text = NULL;
    assert_int_equal(rmi_jsep_create_offer(j, local, &text), RM_OK);
    return text;
}

static inline char *answer(struct rmi_jsep *j, const struct rmi_jsep_local *local) {
    char *text = NULL;
    assert_int_equal(rmi_jsep_create_answer(j, local, &text), RM_OK);
    return text;
}

static inline void give(struct rmi_jsep *j, enum rmi_sdp_type type, const char *text) {
    char detail[RMI_JSEP_DETAIL_MAX];
    rm_err err = rmi_jsep_set_remote(j, type, text, strlen(text), detail);
    if (err)
        fail_msg("%s: %s\n%s", rm_err_name(err), detail, text);
    assert_string_equal(detail, "");
}

/* The error comes, and what was before is still there. */
static inline void refuse(struct rmi_jsep *j, enum rmi_sdp_type type, const char *text, rm_err expected,
                          const char *about) {
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
static inline void exchange(struct rmi_jsep *from, const struct rmi_jsep_local *l_from, struct rmi_jsep *to,
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

static inline char *replaced(const char *text, const char *what, const char *with) {
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

static inline bool has(const char *text, const char *line) {
    return strstr(text, line) != NULL;
}

static inline enum rmi_direction reversed(enum rmi_direction d) {
    return (enum rmi_direction)((d & 1) << 1 | (d & 2) >> 1);
}

/* Two sides that agreed have the same sections, seen from either end. */
static inline void assert_mirrored(struct rmi_jsep *a, struct rmi_jsep *b) {
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

#define OFFER_HEAD                                                                                                     \
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:rrrr\r\na=ice-pwd:r0123456789012345678901\r\n"       \
    "a=fingerprint:sha-256 CC:CC\r\na=setup:actpass\r\n"
#define VIDEO_LINE(pts) "m=video 9 UDP/TLS/RTP/SAVPF " pts "\r\na=mid:v\r\na=rtcp-mux\r\n"

#define GOOD_AUDIO "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n"
#define HEAD_ONLY "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"

static inline int seed(void **state) {
    (void)state;
    rmi_prng_seed(&prng, 5);
    return 0;
}

#endif
