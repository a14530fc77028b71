/* SPDX-License-Identifier: Apache-2.0 */
#include "file_wire.h"
#include "progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static rm_err header_of(const char *text, struct file_header *out) {
    return file_header_read((const uint8_t *)text, strlen(text), out);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    const struct file_header in = {.name = "gr\xc3\xbc\xc3\x9f \"e\".bin", .size = INT64_MAX, .mime_type = "a/b"};
    struct file_header out;
    char hash[FILE_HASH_CHARS + 1], detail[64];
    bool ok = true;
    char *text = file_header_write(&in);
    assert_non_null(text);
    assert_int_equal(header_of(text, &out), RM_OK);
    assert_string_equal(out.name, in.name);
    assert_string_equal(out.mime_type, in.mime_type);
    assert_true(out.size == in.size);
    free(text);
    text = file_end_write(HASH);
    assert_int_equal(file_end_read((uint8_t *)text, strlen(text), hash), RM_OK);
    assert_string_equal(hash, HASH);
    free(text);
    text = file_answer_write(RM_E_EXISTS, "it is there");
    assert_int_equal(file_answer_read((uint8_t *)text, strlen(text), &ok, detail, sizeof detail), RM_OK);
    assert_false(ok);
    assert_string_equal(detail, "RM_E_EXISTS: it is there");
    free(text);
    text = file_answer_write(RM_OK, "");
    assert_int_equal(file_answer_read((uint8_t *)text, strlen(text), &ok, detail, sizeof detail), RM_OK);
    assert_true(ok);
    free(text);
}

static void names_that_lead_elsewhere_are_refused(void **state) {
    (void)state;
    char longest[FILE_NAME_MAX + 2];
    static const char *const bad[] = {"",     ".",    "..",   ".hidden", "a/b",  "/etc/passwd",
                                      "../x", "a\\b", "a\nb", "\xff",    "a\x7f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(file_name_is_safe(bad[i]));
    assert_true(file_name_is_safe("a b.tar.gz"));
    memset(longest, 'n', sizeof longest);
    longest[FILE_NAME_MAX + 1] = '\0';
    assert_false(file_name_is_safe(longest));
    longest[FILE_NAME_MAX] = '\0';
    assert_true(file_name_is_safe(longest));
    struct file_header h;
    assert_int_equal(header_of("{\"name\":\"../x\",\"size\":1}", &h), RM_E_INVALID_ARG);
    assert_int_equal(header_of("{\"name\":\"x\\u0000y\",\"size\":1}", &h), RM_E_PARSE); /* no text ends inside */
}

static void malformed_texts_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"name\":\"x\"}",
                                      "{\"name\":1,\"size\":1}",
                                      "{\"name\":\"x\",\"size\":-1}",
                                      "{\"name\":\"x\",\"size\":1.5}",
                                      "{\"name\":\"x\",\"size\":99999999999999999999}",
                                      "{\"name\":\"x\",\"name\":\"y\",\"size\":1}"};
    struct file_header h;
    char hash[FILE_HASH_CHARS + 1], detail[64];
    bool ok;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(header_of(bad[i], &h), RM_E_PARSE);
    assert_int_equal(file_end_read((const uint8_t *)"{\"sha256\":\"12\"}", 15, hash), RM_E_PARSE);
    assert_int_equal(file_answer_read((const uint8_t *)"{\"ok\":1}", 8, &ok, detail, sizeof detail), RM_E_PARSE);
    static char large[FILE_TEXT_MAX + 1];
    memset(large, ' ', sizeof large);
    memcpy(large, "{\"name\":\"x\",\"size\":1}", 21);
    assert_int_equal(file_header_read((uint8_t *)large, FILE_TEXT_MAX, &h), RM_OK);
    assert_int_equal(file_header_read((uint8_t *)large, FILE_TEXT_MAX + 1, &h), RM_E_PARSE);
}

static void truncation_sweep(void **state) {
    (void)state;
    static const char *const whole[] = {"{\"name\":\"x.bin\",\"size\":12,\"mime_type\":\"a/b\"}",
                                        "{\"sha256\":\"" HASH "\"}",
                                        "{\"ok\":false,\"error\":\"RM_E_IO\",\"detail\":\"d\"}"};
    for (size_t w = 0; w < 3; w++)
        for (size_t n = 0; n <= strlen(whole[w]); n++)
            for (int flip = 0; flip < 2; flip++) {
                struct file_header h;
                char hash[FILE_HASH_CHARS + 1], detail[16];
                bool ok;
                uint8_t *copy = malloc(n + 1);
                assert_non_null(copy);
                memcpy(copy, whole[w], n);
                if (flip && n)
                    copy[n - 1] ^= 0x81;
                (void)file_header_read(copy, n, &h);
                (void)file_end_read(copy, n, hash);
                (void)file_answer_read(copy, n, &ok, detail, sizeof detail);
                free(copy);
            }
}

static void progress_is_told_in_words(void **state) {
    (void)state;
    char text[128];
    progress_text(25000000, 100000000, 1000000, text, sizeof text);
    assert_string_equal(text, " 25 %  25.0 of 100.0 MB  25.0 MB/s  0:03 left");
    progress_text(0, 0, 0, text, sizeof text);
    assert_string_equal(text, "100 %  0.0 of 0.0 MB  0.0 MB/s  0:00 left");
    progress_text(1, 1000000000000, 1000000, text, sizeof text);
    assert_non_null(strstr(text, "left"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),     cmocka_unit_test(names_that_lead_elsewhere_are_refused),
        cmocka_unit_test(malformed_texts_are_refused), cmocka_unit_test(truncation_sweep),
        cmocka_unit_test(progress_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
