/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/control_frame.h"
#include "frame/data_buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static rm_runtime_data *text(const char *value) {
    rm_runtime_data *d = NULL;
    assert_int_equal(rm_runtime_data_create_text(value, strlen(value), NULL, &d), RM_OK);
    return d;
}

static void same_addr(const struct rmi_control_addr *a, const struct rmi_control_addr *b) {
    assert_string_equal(a->node_id, b->node_id);
    assert_string_equal(a->port, b->port);
    assert_int_equal(a->direction, b->direction);
}

static void same_data(const rm_runtime_data *a, const rm_runtime_data *b) {
    assert_int_equal(a == NULL, b == NULL);
    if (!a)
        return;
    assert_int_equal(rm_runtime_data_text(a)->size, rm_runtime_data_text(b)->size);
    assert_memory_equal(rm_runtime_data_text(a)->text, rm_runtime_data_text(b)->text, rm_runtime_data_text(a)->size);
}

/* Each operation, with every field it has. */
static struct rmi_control_frame sample_frame(enum rmi_control_op op, enum rmi_control_decision decision) {
    struct rmi_control_frame f = {.op = op};
    const struct rmi_control_addr addr = {.node_id = "blur", .port = "barge_in", .direction = RMI_CONTROL_OUT};
    switch (op) {
    case RMI_CONTROL_HELLO:
        strcpy(f.session_id, "session_0");
        strcpy(f.attach_id, "mine");
        break;
    case RMI_CONTROL_INTERCEPT:
        f.deadline_ms = 70;
        f.addr = addr;
        break;
    case RMI_CONTROL_INTERCEPT_REPLY:
        f.correlation_id = UINT64_MAX;
        f.decision = decision;
        break;
    case RMI_CONTROL_SET_NODE_STATE:
        f.node_state = RMI_CONTROL_BYPASS;
        strcpy(f.node_id, "blur");
        break;
    case RMI_CONTROL_CLEAR_NODE_STATE:
        strcpy(f.node_id, "blur");
        break;
    default:
        f.addr = addr;
    }
    if (op == RMI_CONTROL_PUBLISH || decision == RMI_CONTROL_REPLACE) {
        f.data = text("stop");
        assert_int_equal(rm_metadata_create(&f.metadata), RM_OK);
        assert_int_equal(rm_metadata_set(f.metadata, "why", "because"), RM_OK);
    }
    return f;
}

static void frame_comes_back(struct rmi_control_frame f) {
    struct rmi_buf *bytes = NULL;
    struct rmi_control_frame g;
    assert_int_equal(rmi_control_frame_write(&f, &bytes), RM_OK);
    assert_int_equal(rmi_control_frame_read(bytes->data, bytes->len, &g), RM_OK);
    assert_int_equal(f.op, g.op);
    assert_string_equal(f.session_id, g.session_id);
    assert_string_equal(f.attach_id, g.attach_id);
    same_addr(&f.addr, &g.addr);
    same_data(f.data, g.data);
    assert_int_equal(rm_metadata_count(f.metadata), rm_metadata_count(g.metadata));
    assert_int_equal(f.deadline_ms, g.deadline_ms);
    assert_true(f.correlation_id == g.correlation_id);
    assert_int_equal(f.decision, g.decision);
    assert_string_equal(f.node_id, g.node_id);
    assert_int_equal(f.node_state, g.node_state);
    rmi_control_frame_clear(&g);
    for (size_t len = 0; len < bytes->len; len++) { /* each truncation is refused or is another whole frame */
        uint8_t *exact = malloc(len ? len : 1);
        memcpy(exact, bytes->data, len);
        rm_err err = rmi_control_frame_read(exact, len, &g);
        assert_true(err == RM_E_PARSE || err == RM_OK);
        assert_true(!err || (!g.data && !g.metadata));
        rmi_control_frame_clear(&g);
        free(exact);
    }
    rmi_buf_unref(&bytes);
    rmi_control_frame_clear(&f);
}

static void test_frames_come_back(void **state) {
    (void)state;
    for (int op = RMI_CONTROL_HELLO; op <= RMI_CONTROL_CLEAR_NODE_STATE; op++)
        frame_comes_back(sample_frame((enum rmi_control_op)op, RMI_CONTROL_PASS));
    frame_comes_back(sample_frame(RMI_CONTROL_INTERCEPT_REPLY, RMI_CONTROL_REPLACE));
    frame_comes_back(sample_frame(RMI_CONTROL_INTERCEPT_REPLY, RMI_CONTROL_DROP));
}

static struct rmi_control_event sample_event(enum rmi_control_event_kind kind) {
    struct rmi_control_event e = {.kind = kind};
    const struct rmi_control_addr addr = {.node_id = "asr", .direction = RMI_CONTROL_OUT};
    if (kind == RMI_CONTROL_EV_ATTACHED) {
        strcpy(e.session_id, "session_0");
        strcpy(e.attach_id, "mine");
        return e;
    }
    if (kind == RMI_CONTROL_EV_SESSION_CLOSED) {
        e.reason = RMI_CONTROL_CLOSE_ERROR;
        strcpy(e.detail, "a node ended it");
        return e;
    }
    e.addr = addr;
    if (kind == RMI_CONTROL_EV_ERROR) {
        e.error = RMI_CONTROL_ERROR_UNKNOWN_NODE;
        strcpy(e.detail, "no node asr");
        return e;
    }
    e.data = text("hello");
    e.correlation_id = kind == RMI_CONTROL_EV_INTERCEPT_REQUEST ? 77 : 0;
    return e;
}

static void test_events_come_back(void **state) {
    (void)state;
    for (int kind = RMI_CONTROL_EV_ATTACHED; kind <= RMI_CONTROL_EV_SESSION_CLOSED; kind++) {
        struct rmi_control_event e = sample_event((enum rmi_control_event_kind)kind), f;
        struct rmi_buf *bytes = NULL;
        assert_int_equal(rmi_control_event_write(&e, &bytes), RM_OK);
        assert_int_equal(rmi_control_event_read(bytes->data, bytes->len, &f), RM_OK);
        assert_int_equal(e.kind, f.kind);
        assert_string_equal(e.session_id, f.session_id);
        assert_string_equal(e.attach_id, f.attach_id);
        same_addr(&e.addr, &f.addr);
        same_data(e.data, f.data);
        assert_true(e.correlation_id == f.correlation_id);
        assert_int_equal(e.error, f.error);
        assert_int_equal(e.reason, f.reason);
        assert_string_equal(e.detail, f.detail);
        rmi_control_event_clear(&f);
        for (size_t len = 0; len < bytes->len; len++) {
            rm_err err = rmi_control_event_read(bytes->data, len, &f);
            assert_true(err == RM_E_PARSE || err == RM_OK);
            rmi_control_event_clear(&f);
        }
        rmi_buf_unref(&bytes);
        rmi_control_event_clear(&e);
    }
}

/* By hand, from the field numbers of the SDK: what its own encoder would send. */
static void test_the_bytes_are_those_of_the_wire(void **state) {
    (void)state;
    static const uint8_t hello[] = {0x0A, 0x06, 0x0A, 0x01, 's', 0x12, 0x01, 'a'};
    static const uint8_t subscribe[] = {0x12, 0x07, 0x0A, 0x05, 0x0A, 0x01, 'n', 0x18, 0x02};
    static const uint8_t drop[] = {0x3A, 0x06, 0x08, 0x05, 0x12, 0x02, 0x1A, 0x00};
    static const uint8_t disable[] = {0x42, 0x05, 0x0A, 0x01, 'n', 0x10, 0x03};
    static const uint8_t tap[] = {
        0x12, 0x10, 0x0A, 0x03, 0x0A, 0x01, 'n',  0x12, 0x09, /* Text "a", "utf-8" shortened */
        0x2A, 0x07, 0x0A, 0x01, 'a',  0x12, 0x02, 'u',  '8'};
    struct rmi_control_frame f;
    struct rmi_control_event e;
    assert_int_equal(rmi_control_frame_read(hello, sizeof hello, &f), RM_OK);
    assert_int_equal(f.op, RMI_CONTROL_HELLO);
    assert_string_equal(f.session_id, "s");
    assert_string_equal(f.attach_id, "a");
    assert_int_equal(rmi_control_frame_read(subscribe, sizeof subscribe, &f), RM_OK);
    assert_int_equal(f.op, RMI_CONTROL_SUBSCRIBE);
    assert_string_equal(f.addr.node_id, "n");
    assert_int_equal(f.addr.direction, RMI_CONTROL_OUT);
    assert_int_equal(rmi_control_frame_read(drop, sizeof drop, &f), RM_OK);
    assert_int_equal(f.decision, RMI_CONTROL_DROP);
    assert_true(f.correlation_id == 5);
    assert_int_equal(rmi_control_frame_read(disable, sizeof disable, &f), RM_OK);
    assert_int_equal(f.node_state, RMI_CONTROL_DISABLED);
    assert_int_equal(rmi_control_event_read(tap, sizeof tap, &e), RM_E_UNSUPPORTED); /* an encoding "u8" */
    struct rmi_buf *bytes = NULL;
    f = (struct rmi_control_frame){
        .op = RMI_CONTROL_INTERCEPT_REPLY, .correlation_id = 5, .decision = RMI_CONTROL_DROP};
    assert_int_equal(rmi_control_frame_write(&f, &bytes), RM_OK);
    assert_int_equal(bytes->len, sizeof drop);
    assert_memory_equal(bytes->data, drop, sizeof drop);
    rmi_buf_unref(&bytes);
}

static void test_what_is_no_frame_is_refused(void **state) {
    (void)state;
    static const struct {
        size_t len;
        uint8_t bytes[12];
    } wrong[] = {
        {0, {0}},                                                           /* nothing */
        {2, {0x12, 0x00}},                                                  /* subscribe without an address */
        {4, {0x0A, 0x00, 0x4A, 0x00}},                                      /* two operations */
        {7, {0x42, 0x05, 0x0A, 0x01, 'n', 0x10, 0x04}},                     /* a state that there is not */
        {8, {0x3A, 0x06, 0x08, 0x05, 0x12, 0x02, 0x22, 0x00}},              /* a decision that there is not */
        {10, {0x3A, 0x08, 0x08, 0x05, 0x12, 0x04, 0x0A, 0x00, 0x1A, 0x00}}, /* two decisions */
        {9, {0x22, 0x07, 0x0A, 0x05, 0x0A, 0x01, 'n', 0x18, 0x01}},         /* publish without data */
        {9, {0x12, 0x07, 0x0A, 0x05, 0x0A, 0x01, 'n', 0x18, 0x03}},         /* a direction that there is not */
        {6, {0x0A, 0x04, 0x0A, 0x02, 'a', 0x00}},                           /* a NUL in a name */
        {5, {0x0A, 0x03, 0x0A, 0x01, 0xFF}},                                /* not UTF-8 */
        {2, {0x52, 0x00}},                                                  /* an operation of the future */
    };
    struct rmi_control_frame f;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(rmi_control_frame_read(wrong[i].bytes, wrong[i].len, &f), RM_E_PARSE);
    uint8_t longest[4 + 2 * RMI_CONTROL_ID_MAX] = {0x0A, 0x84, 0x01, 0x0A, 0x81, 0x01}; /* an id of 129 bytes */
    memset(longest + 6, 'x', RMI_CONTROL_ID_MAX);
    assert_int_equal(rmi_control_frame_read(longest, 6 + RMI_CONTROL_ID_MAX, &f), RM_E_PARSE);
    struct rmi_buf *bytes = NULL;
    f = (struct rmi_control_frame){.op = RMI_CONTROL_PUBLISH};
    assert_int_equal(rmi_control_frame_write(&f, &bytes), RM_E_INVALID_ARG);
    f = (struct rmi_control_frame){.op = RMI_CONTROL_INTERCEPT_REPLY};
    assert_int_equal(rmi_control_frame_write(&f, &bytes), RM_E_INVALID_ARG);
    f = (struct rmi_control_frame){0};
    assert_int_equal(rmi_control_frame_write(&f, &bytes), RM_E_INVALID_ARG);
    struct rmi_control_event e = {.kind = RMI_CONTROL_EV_TAP};
    assert_int_equal(rmi_control_event_write(&e, &bytes), RM_E_INVALID_ARG);
    assert_null(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_come_back),
        cmocka_unit_test(test_events_come_back),
        cmocka_unit_test(test_the_bytes_are_those_of_the_wire),
        cmocka_unit_test(test_what_is_no_frame_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
