/* SPDX-License-Identifier: Apache-2.0 */
/* What anybody in the room can make an endpoint keep. That it is of use is for tests/sim. */
#include "peer/endpoint_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FLOOD 1000
#define KEPT_MOST 64

static void begin(struct rmi_endpoint *ep) {
    *ep = (struct rmi_endpoint){.config = {.max_peers = 1}, .now_us = RMI_SEC(100)};
    rmi_list_init(&ep->early);
}

static void a_flood_keeps_little(void **state) {
    (void)state;
    struct rmi_endpoint ep;
    char id[16];
    begin(&ep);
    for (int i = 0; i < FLOOD; i++) {
        snprintf(id, sizeof id, "p%d", i);
        rmi_ep_early_keep(&ep, id, "candidate:1 1 udp 1 192.0.2.1 5000 typ host");
        assert_in_range(ep.early_count, 1, KEPT_MOST);
    }
    assert_int_equal(ep.early_count, KEPT_MOST);
    rmi_ep_early_clear(&ep);
    assert_int_equal(ep.early_count, 0);
    assert_true(rmi_list_empty(&ep.early));
}

static void what_can_be_of_no_use_is_not_kept(void **state) {
    (void)state;
    struct rmi_endpoint ep;
    char large[RMI_CAND_TEXT_MAX + 1];
    begin(&ep);
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    rmi_ep_early_keep(&ep, "ann", large);
    rmi_ep_early_keep(&ep, "ann", "");
    assert_int_equal(rmi_access_set(&ep.access, NULL, "mallory"), RM_OK);
    rmi_ep_early_keep(&ep, "mallory", "candidate:1");
    ep.peer_count = ep.config.max_peers; /* its offer would be refused */
    rmi_ep_early_keep(&ep, "ann", "candidate:1");
    ep.peer_count = 0;
    ep.closed = true;
    rmi_ep_early_keep(&ep, "ann", "candidate:1");
    assert_int_equal(ep.early_count, 0);
    ep.closed = false;
    rmi_ep_early_keep(&ep, "ann", "candidate:1");
    assert_int_equal(ep.early_count, 1);
    rmi_ep_early_clear(&ep);
    rmi_access_fini(&ep.access);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_keeps_little),
        cmocka_unit_test(what_can_be_of_no_use_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
