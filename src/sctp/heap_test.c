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

/* In the steady state no packet and no message makes a heap call, small or large, sent on without end or one by one. */

#define SLOTS 4096
#define WARM_US RMI_SEC(9) /* the largest queue of the link has been seen */
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

/* `every_us` 0: as many as go. */
static void measure(size_t len, int64_t every_us, bool interleaving, uint64_t least) {
    static uint8_t bytes[1 << 20];
    struct rmi_sctp *a[2] = {NULL, NULL};
    struct rmi_prng prng;
    size_t calls = 0;
    uint64_t got = 0;
    int64_t next_us = 0;
    rmi_prng_seed(&prng, 1);
    memset(queues, 0, sizeof queues);
    for (int i = 0; i < 2; i++) {
        const struct rmi_sctp_config config = {.rng = rmi_prng_rng(&prng),
                                               .send = out,
                                               .send_ctx = &queues[i],
                                               .no_interleaving = !interleaving,
                                               .message_in_max = sizeof bytes,
                                               .message_out_max = sizeof bytes};
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
        while (now_us >= next_us && rmi_sctp_send(a[0], now_us, 1, 53, NULL, bytes, len) == RM_OK)
            next_us = now_us + every_us;
        if (every_us && now_us % RMI_MS(20) == 0)
            (void)rmi_sctp_send(a[0], now_us, 2, 53, NULL, bytes, 100);
        rmi_sctp_flush(a[0], now_us);
    }
    assert_true(got > least);
    assert_int_equal(heap_calls, calls);
    rmi_sctp_destroy(&a[0]);
    rmi_sctp_destroy(&a[1]);
}

static void data_makes_no_heap_call(void **state) {
    (void)state;
    const uint64_t half = 30 * 1000 * 1000; /* of what the link carries */
    for (int interleaving = 0; interleaving < 2; interleaving++) {
        measure(10000, 0, interleaving, half);
        measure(100, 0, interleaving, half / 3);
        measure(1 << 20, 0, interleaving, half);
        measure(1 << 20, RMI_MS(500), interleaving, 8 << 20); /* all is acknowledged between two */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(data_makes_no_heap_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
