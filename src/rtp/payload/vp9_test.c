/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/payload/vp9.h"
#include "rtp/rtp_testkit.h"

static const uint8_t gof[] = {0x04, 1, 0x38, 1, 2, 0x20}; /* R=1; T=1 U=1 R=2; T=1 R=0 */

static struct rmi_vp9_desc of_flags(unsigned flags, bool long_id, uint8_t refs) {
    struct rmi_vp9_desc d = {.has_picture_id = flags & 0x80,
                             .inter = flags & 0x40,
                             .has_layers = flags & 0x20,
                             .flexible = flags & 0x10,
                             .start = flags & 0x08,
                             .end = flags & 0x04,
                             .has_structure = flags & 0x02,
                             .not_reference_above = flags & 0x01};
    if (d.has_picture_id) {
        d.long_picture_id = long_id;
        d.picture_id = long_id ? 0x7abc : 0x6b;
    }
    if (d.has_layers) {
        d.temporal = 5;
        d.switch_up = true;
        d.spatial = 6;
        d.inter_layer = true;
        d.tl0_index = d.flexible ? 0 : 250;
    }
    if (d.flexible && d.inter) {
        d.refs = refs;
        for (uint8_t i = 0; i < refs; i++)
            d.p_diff[i] = (uint8_t)(127 - i);
    }
    if (d.has_structure) {
        d.structure = (struct rmi_vp9_structure){.layers = 2, .has_resolution = true, .has_gof = true, .gof_count = 3};
        d.structure.width[0] = 320, d.structure.height[0] = 180;
        d.structure.width[1] = 1280, d.structure.height[1] = 720;
        d.structure.gof = gof;
        d.structure.gof_len = sizeof gof;
    }
    return d;
}

static bool equal(const struct rmi_vp9_desc *a, const struct rmi_vp9_desc *b) {
    const struct rmi_vp9_structure *s = &a->structure, *t = &b->structure;
    return a->has_picture_id == b->has_picture_id && a->long_picture_id == b->long_picture_id &&
           a->picture_id == b->picture_id && a->inter == b->inter && a->has_layers == b->has_layers &&
           a->temporal == b->temporal && a->switch_up == b->switch_up && a->spatial == b->spatial &&
           a->inter_layer == b->inter_layer && a->tl0_index == b->tl0_index && a->flexible == b->flexible &&
           a->refs == b->refs && memcmp(a->p_diff, b->p_diff, sizeof a->p_diff) == 0 && a->start == b->start &&
           a->end == b->end && a->not_reference_above == b->not_reference_above &&
           a->has_structure == b->has_structure && s->layers == t->layers && s->has_resolution == t->has_resolution &&
           memcmp(s->width, t->width, sizeof s->width) == 0 && memcmp(s->height, t->height, sizeof s->height) == 0 &&
           s->has_gof == t->has_gof && s->gof_count == t->gof_count && s->gof_len == t->gof_len;
}

/* All 256 flag bytes, both lengths of picture id, 1 to 3 references. */
static void all_combinations_go_there_and_back(void **state) {
    (void)state;
    size_t good = 0;
    for (unsigned flags = 0; flags < 0x100; flags++) {
        for (unsigned variant = 0; variant < 6; variant++) {
            struct rmi_vp9_desc d = of_flags(flags, variant & 1, (uint8_t)(variant / 2 + 1)), back;
            uint8_t out[64];
            size_t len = rmi_vp9_write(&d, out, sizeof out), body_len;
            const uint8_t *body;
            if (d.flexible && !d.has_picture_id) {
                assert_int_equal(len, 0);
                continue;
            }
            good++;
            assert_int_equal(out[0], flags);
            assert_int_equal(rmi_vp9_parse(out, len, &back, &body, &body_len), RM_E_PARSE); /* nothing behind it */
            out[len] = 0x55;
            assert_int_equal(rmi_vp9_parse(out, len + 1, &back, &body, &body_len), RM_OK);
            assert_true(equal(&d, &back) && body_len == 1 && *body == 0x55);
            if (d.has_structure)
                assert_memory_equal(back.structure.gof, gof, sizeof gof);
            for (size_t cap = 0; cap < len; cap++)
                assert_int_equal(rmi_vp9_write(&d, out, cap), 0);
        }
    }
    assert_int_equal(good, 6 * 192);
}

static void the_picture_group_is_read_entry_by_entry(void **state) {
    (void)state;
    struct rmi_vp9_structure s = {.has_gof = true, .gof_count = 3, .gof = gof, .gof_len = sizeof gof};
    struct rmi_vp9_gof_picture p;
    assert_true(rmi_vp9_gof_at(&s, 0, &p));
    assert_true(p.temporal == 0 && !p.switch_up && p.refs == 1 && p.p_diff[0] == 1);
    assert_true(rmi_vp9_gof_at(&s, 1, &p));
    assert_true(p.temporal == 1 && p.switch_up && p.refs == 2 && p.p_diff[1] == 2);
    assert_true(rmi_vp9_gof_at(&s, 2, &p));
    assert_true(p.temporal == 1 && p.refs == 0);
    assert_false(rmi_vp9_gof_at(&s, 3, &p));
}

/* PJSIP's VP9 fault: a scalability structure whose counts pass the end. Every first byte and group size at every
 * length. */
static void structures_stay_within_the_payload(void **state) {
    (void)state;
    uint8_t payload[64];
    for (unsigned head = 0; head < 256; head++) {
        for (unsigned count = 0; count < 256; count += count < 20 ? 1 : 47) {
            for (size_t len = 2; len <= sizeof payload; len++) {
                struct rmi_vp9_desc d;
                const uint8_t *body;
                size_t body_len, need = 3;
                memset(payload, (int)count, sizeof payload); /* the picture group is of this byte, too */
                payload[0] = 0x0a;
                payload[1] = (uint8_t)head;
                need += head & 0x10 ? 4 * ((head >> 5) + 1) : 0;
                need += head & 0x08 ? 1 + count * (1 + (count >> 2 & 3)) : 0;
                rm_err err = rmi_vp9_parse(payload, len, &d, &body, &body_len);
                assert_int_equal(err, len >= need ? RM_OK : RM_E_PARSE);
                if (err == RM_OK)
                    assert_int_equal(body_len, len - need + 1);
            }
        }
    }
}

static void references_are_at_most_three_and_never_zero(void **state) {
    (void)state;
    struct rmi_vp9_desc d;
    const uint8_t *body;
    size_t body_len;
    const uint8_t three[] = {0xd8, 1, 3, 5, 6, 'x'}, four[] = {0xd8, 1, 3, 5, 7, 8, 'x'}, zero[] = {0xd8, 1, 0, 'x'};
    const uint8_t no_id[] = {0x58, 2, 'x', 'x'};
    assert_int_equal(rmi_vp9_parse(three, sizeof three, &d, &body, &body_len), RM_OK);
    assert_true(d.refs == 3 && d.p_diff[0] == 1 && d.p_diff[1] == 2 && d.p_diff[2] == 3 && body_len == 1);
    assert_int_equal(rmi_vp9_parse(four, sizeof four, &d, &body, &body_len), RM_E_PARSE);
    assert_int_equal(rmi_vp9_parse(zero, sizeof zero, &d, &body, &body_len), RM_E_PARSE);
    assert_int_equal(rmi_vp9_parse(no_id, sizeof no_id, &d, &body, &body_len), RM_E_PARSE);
}

static void whatever(const uint8_t *data, size_t len, void *ctx) {
    (void)ctx;
    struct rmi_vp9_desc d;
    const uint8_t *body;
    size_t body_len;
    if (rmi_vp9_parse(data, len, &d, &body, &body_len) != RM_OK)
        return;
    assert_true(body > data && body + body_len == data + len && body_len > 0 && d.refs <= RMI_VP9_REFS_MAX);
    struct rmi_vp9_gof_picture p;
    for (size_t i = 0; i < d.structure.gof_count; i++)
        assert_true(rmi_vp9_gof_at(&d.structure, i, &p) && p.refs <= RMI_VP9_REFS_MAX);
    assert_false(rmi_vp9_gof_at(&d.structure, d.structure.gof_count, &p));
}

static void sweeps(void **state) {
    (void)state;
    static const uint8_t flags[] = {0xaa, 0xfa, 0xea, 0x0a, 0xff};
    for (size_t i = 0; i < sizeof flags; i++) {
        struct rmi_vp9_desc d = of_flags(flags[i], true, 3);
        uint8_t out[80] = {0};
        size_t len = rmi_vp9_write(&d, out, sizeof out);
        assert_true(len > 0);
        rtp_sweep(whatever, out, len + 4, NULL);
    }
}

static void what_we_send_has_what_chromium_demands(void **state) {
    (void)state;
    static uint8_t frame[3000], out[1200];
    const struct rmi_vp9_send send = {.picture_id = 0x7fff, .tl0_index = 3, .width = 1280, .height = 720};
    for (int key = 0; key < 2; key++) {
        struct rmi_vp9_packetizer p;
        struct rmi_vp9_desc d;
        const uint8_t *body;
        size_t n, body_len, packets = 0, total = 0;
        bool last = false;
        assert_int_equal(rmi_vp9_packetizer_begin(&p, frame, sizeof frame, sizeof out, key, &send), RM_OK);
        while ((n = rmi_vp9_packetizer_next(&p, out, &last)) > 0) {
            assert_int_equal(rmi_vp9_parse(out, n, &d, &body, &body_len), RM_OK);
            assert_true(d.has_picture_id && d.picture_id == 0x7fff && d.has_layers && d.tl0_index == 3 && !d.flexible);
            assert_true(d.inter == !key && d.start == (packets == 0) && d.end == last);
            assert_int_equal(d.has_structure, key && packets == 0);
            if (d.has_structure)
                assert_true(d.structure.width[0] == 1280 && d.structure.height[0] == 720 && d.structure.gof_count == 1);
            packets++;
            total += body_len;
        }
        assert_true(last && packets == 3 && total == sizeof frame);
    }
}

static void parameters_are_checked(void **state) {
    (void)state;
    static const uint8_t frame[10];
    struct rmi_vp9_packetizer p;
    const struct rmi_vp9_send bad[] = {
        {.picture_id = 0x8000},
        {.has_temporal = true},
        {.flexible = true},
        {.flexible = true, .refs = 4, .p_diff = {1, 1, 1}},
        {.flexible = true, .refs = 1, .p_diff = {128}},
        {.flexible = true, .refs = 2, .p_diff = {1, 0}},
        {.flexible = true, .refs = 1, .p_diff = {1}, .has_temporal = true, .temporal = 8}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(rmi_vp9_packetizer_begin(&p, frame, sizeof frame, 1200, false, &bad[i]), RM_E_INVALID_ARG);
    const struct rmi_vp9_send good = {.flexible = true, .refs = 1, .p_diff = {1}, .has_temporal = true, .temporal = 2};
    assert_int_equal(rmi_vp9_packetizer_begin(&p, frame, sizeof frame, 1200, false, &good), RM_OK);
    assert_int_equal(rmi_vp9_packetizer_begin(&p, frame, 0, 1200, false, &good), RM_E_INVALID_ARG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_combinations_go_there_and_back),
        cmocka_unit_test(the_picture_group_is_read_entry_by_entry),
        cmocka_unit_test(structures_stay_within_the_payload),
        cmocka_unit_test(references_are_at_most_three_and_never_zero),
        cmocka_unit_test(sweeps),
        cmocka_unit_test(what_we_send_has_what_chromium_demands),
        cmocka_unit_test(parameters_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
