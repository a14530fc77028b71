/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/crc32c.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint32_t crc_of(const void *data, size_t len) {
    return rmi_crc32c_finish(rmi_crc32c_update(RMI_CRC32C_INIT, data, len));
}

/* RFC 3720 B.4 and the check value of the algorithm. */
static void known_values(void **state) {
    (void)state;
    uint8_t bytes[32] = {0};
    assert_int_equal(crc_of("123456789", 9), 0xe3069283);
    assert_int_equal(crc_of(bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc_of(bytes, sizeof bytes), 0x62a8ab43);
    for (uint8_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i;
    assert_int_equal(crc_of(bytes, sizeof bytes), 0x46dd794e);
}

static void both_ways_and_all_cuts_agree(void **state) {
    (void)state;
    uint8_t bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        const uint32_t whole = rmi_crc32c_update_portable(RMI_CRC32C_INIT, bytes, len);
        for (size_t cut = 0; cut <= len; cut++) {
            const uint32_t first = rmi_crc32c_update(RMI_CRC32C_INIT, bytes, cut);
            assert_int_equal(rmi_crc32c_update(first, bytes + cut, len - cut), whole);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(both_ways_and_all_cuts_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
