/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frame/json_text.h"
#include "webrtc/wish.h"
#include <string.h>

static rm_err read_text(const char *text, size_t size, rm_subscription *out) {
    json_t *value = NULL;
    const char *fault = NULL;
    rm_err err = rmi_json_text_load(text, size, &value, NULL, 0);
    if (err)
        return err;
    err = rmi_wish_read(value, out, &fault);
    assert_int_equal(err != RM_OK, fault != NULL);
    json_decref(value);
    return err;
}

static void wishes_cross(void **state) {
    (void)state;
    for (int i = 0; i < 16; i++) {
        const rm_subscription wish = {
            .audio = i & 1, .video = i & 2, .max = rm_quality_of(i & 4 ? RM_TIER_LOW : RM_TIER_NONE)};
        rm_subscription back;
        const char *fault;
        json_t *wire = rmi_wish_write(&wish);
        assert_true(rmi_wish_valid(&wish));
        assert_int_equal(rmi_wish_read(wire, &back, &fault), RM_OK);
        assert_true(rmi_wish_same(&wish, &back));
        json_decref(wire);
    }
}

static void what_is_missing_is_wanted(void **state) {
    (void)state;
    rm_subscription s = {0};
    assert_int_equal(read_text("{}", 2, &s), RM_OK);
    assert_true(s.audio && s.video && s.max.tier == RM_TIER_NONE);
    const char *null_max = "{\"max\":null,\"video\":false,\"more\":[1]}";
    assert_int_equal(read_text(null_max, strlen(null_max), &s), RM_OK);
    assert_true(s.audio && !s.video);
}

static void bad_wishes_change_nothing(void **state) {
    static const char *const bad[] = {
        "[]",
        "{\"audio\":1}",
        "{\"video\":\"no\"}",
        "{\"max\":7}",
        "{\"max\":{}}",
        "{\"max\":{\"bitrate_kbps\":0,\"width\":640,\"height\":360}}",
        "{\"max\":{\"bitrate_kbps\":500,\"width\":-1,\"height\":360}}",
        "{\"max\":{\"bitrate_kbps\":500,\"width\":640,\"height\":16385}}",
        "{\"max\":{\"bitrate_kbps\":500.5,\"width\":640,\"height\":360}}",
        "{\"max\":{\"bitrate_kbps\":9223372036854775807,\"width\":640,\"height\":360}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rm_subscription s = {.audio = true, .max = {.width = 77}};
        assert_int_equal(read_text(bad[i], strlen(bad[i]), &s), RM_E_PARSE);
        assert_true(s.audio && !s.video && s.max.width == 77);
    }
    const char *fault;
    rm_subscription s;
    assert_int_equal(rmi_wish_read(NULL, &s, &fault), RM_E_PARSE);
    const rm_subscription empty = {.max = {.tier = RM_TIER_CUSTOM}}, unknown = {.max = {9, 1, 1, 1}};
    assert_false(rmi_wish_valid(&empty) || rmi_wish_valid(&unknown));
}

static void every_part_of_one_is_refused(void **state) {
    const char *whole = "{\"audio\":false,\"video\":true,\"max\":{\"bitrate_kbps\":500,\"width\":640,\"height\":360}}";
    (void)state;
    rm_subscription s;
    for (size_t n = 0; n < strlen(whole); n++)
        assert_int_not_equal(read_text(whole, n, &s), RM_OK);
    assert_int_equal(read_text(whole, strlen(whole), &s), RM_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wishes_cross),
        cmocka_unit_test(what_is_missing_is_wanted),
        cmocka_unit_test(bad_wishes_change_nothing),
        cmocka_unit_test(every_part_of_one_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
