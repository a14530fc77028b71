/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"
#include "base/time.h"
#include "sctp/association.h"
#include "support/heap_count.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* In the steady state no packet and no message makes a heap call. */

#define SLOTS 4096
#define WARM_US RMI_SEC(3)
#define MEASURED_US RMI_SEC(5)
#define DELAY_US RMI_MS(5)
#define STEP_US 100

struct queue {
    uint8_t bytes[SLOTS][RMI_SCTP_PACKET_MAX];
    size_t len[SLOTS];
    int64_t at_us[SLOTS];
    size_t first, count;
    int64_t free_us;
};
static struct queue queues[2];

static void out(void *ctx, int64_t now_us, const uint8_t *data, size_t len) {
    struct queue *q = ctx;
    if (q->count == SLOTS || q->free_us > now_us + RMI_MS(20)) /* drop-tail at 100 Mbit/s */
        return;
    const size_t at = (q->first + q->count++) % SLOTS;
    memcpy(q->bytes[at], data, len);
    q->len[at] = len;
    q->free_us = rmi_max64(q->free_us, now_us) + (int64_t)len * 8 / 100;
    q->at_us[at] = q->free_us + DELAY_US;
}

static void data_makes_no_heap_call(void **state) {
    (void)state;
    static uint8_t bytes[10000];
    struct rmi_sctp *a[2] = {NULL, NULL};
    struct rmi_prng prng;
    size_t calls = 0;
    uint64_t got = 0;
    rmi_prng_seed(&prng, 1);
    for (int i = 0; i < 2; i++) {
        const struct rmi_sctp_config config = {.rng = rmi_prng_rng(&prng), .send = out, .send_ctx = &queues[i]};
        assert_int_equal(rmi_sctp_create(&config, &a[i]), RM_OK);
        rmi_sctp_start(a[i], 0);
    }
    for (int64_t now_us = 0; now_us < WARM_US + MEASURED_US; now_us += STEP_US) {
        if (now_us == WARM_US) {
            calls = heap_calls;
            got = 0;
        }
        for (int i = 0; i < 2; i++) {
            struct queue *q = &queues[!i];
            struct rmi_sctp_event e;
            for (; q->count > 0 && q->at_us[q->first] <= now_us; q->first = (q->first + 1) % SLOTS, q->count--)
                rmi_sctp_input(a[i], now_us, q->bytes[q->first], q->len[q->first]);
            if (rmi_sctp_next_deadline(a[i]) <= now_us)
                rmi_sctp_timeout(a[i], now_us);
            while (rmi_sctp_poll_event(a[i], &e))
                got += e.len;
        }
        while (rmi_sctp_send(a[0], now_us, 1, 53, NULL, bytes, sizeof bytes) == RM_OK) {
        }
        rmi_sctp_flush(a[0], now_us);
    }
    assert_true(got > 30 * 1000 * 1000); /* more than half of what the link carries */
    assert_int_equal(heap_calls, calls);
    rmi_sctp_destroy(&a[0]);
    rmi_sctp_destroy(&a[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(data_makes_no_heap_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
