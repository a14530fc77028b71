/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A letter is one item: a audio, v raw video, d data; K and k, D and e: key and delta frames of two encoded streams. */
static rm_transport_data item(char kind, uint64_t sequence) {
    rm_transport_data d = {.sequence = sequence, .has_sequence = true};
    rm_buf *buf = NULL;
    rm_err err;
    assert_int_equal(rm_buf_create(64, &buf), RM_OK);
    if (kind == 'a')
        err = rm_runtime_data_create_audio(buf, 0, 4, 48000, 1, &d.data);
    else if (kind == 'v')
        err = rm_runtime_data_create_video(buf, 0, RM_PIXEL_I420, 2, 2, 0, 0, &d.data);
    else if (kind == 'd')
        err = rm_runtime_data_create_text("d", 1, NULL, &d.data);
    else
        err = rm_runtime_data_create_encoded(buf, 0, 10, RM_CODEC_VP8, 2, 2, kind == 'K' || kind == 'L', 0, 0, &d.data);
    assert_int_equal(err, RM_OK);
    if (kind == 'L' || kind == 'l')
        assert_int_equal(rm_runtime_data_set_stream_id(d.data, "second"), RM_OK);
    rm_buf_unref(&buf);
    return d;
}

/* Pushes `in` into a queue of `capacity`; what comes out, by letters of the input, must be `out`, and so many lost. '!'
 * before a letter: this one is refused. */
static void run(size_t capacity, const char *in, const char *out, uint64_t lost) {
    struct rmi_queue q;
    rm_transport_data d;
    char got[64] = "", letters[64] = "";
    size_t n = 0;
    assert_int_equal(rmi_queue_init(&q, capacity), RM_OK);
    for (const char *p = in; *p; p++) {
        bool refused = *p == '!';
        p += refused;
        letters[n] = *p;
        d = item(*p, n++);
        assert_int_equal(rmi_queue_refuses(&q, d.data), refused);
        assert_int_equal(rmi_queue_push(&q, &d), refused ? RM_E_AGAIN : RM_OK);
        rm_transport_data_clear(&d);
    }
    size_t taken = 0;
    uint64_t last = 0;
    while (rmi_queue_pop(&q, &d)) {
        assert_true(taken == 0 || d.sequence > last);
        last = d.sequence;
        got[taken++] = letters[d.sequence];
        rm_transport_data_clear(&d);
    }
    assert_string_equal(got, out);
    assert_int_equal(q.lost, lost);
    rmi_queue_fini(&q);
}

static void test_what_is_lost(void **state) {
    (void)state;
    run(4, "avd", "avd", 0);
    run(2, "aaaa", "aa", 2);
    run(3, "davd", "dvd", 1);   /* the oldest media gives way to data */
    run(2, "ddaa", "dd", 2);    /* media does not displace data */
    run(2, "dd!d!d", "dd", 0);  /* data is refused, not lost */
    run(3, "Kkkk", "", 4);      /* no key frame behind: all of the stream, and what follows */
    run(3, "KkkkkKk", "Kk", 5); /* until a key frame comes */
    run(4, "KkKka", "Kka", 2);  /* up to the key frame that waits */
    run(4, "KkLlk", "Ll", 3);   /* the other stream stays whole */
    run(3, "aKkk", "Kkk", 1);
    run(2, "ddKkK", "dd", 3);
    run(1, "KKKK", "K", 3);
}

static void test_a_stream_goes_on_after_room_is_made(void **state) {
    (void)state;
    struct rmi_queue q;
    rm_transport_data d;
    static const struct {
        char kind;
        size_t count; /* in the queue afterwards */
    } rows[] = {{'k', 0}, {'l', 1}, {'K', 2}, {'k', 2}};
    assert_int_equal(rmi_queue_init(&q, 2), RM_OK);
    for (int i = 0; i < 2; i++) { /* full of data: the frame is lost, and with it its successors */
        d = item('d', 0);
        assert_int_equal(rmi_queue_push(&q, &d), RM_OK);
        rm_transport_data_clear(&d);
    }
    d = item('k', 0);
    assert_int_equal(rmi_queue_push(&q, &d), RM_OK);
    rm_transport_data_clear(&d);
    rmi_queue_drop_all(&q);
    for (size_t i = 0; i < 3; i++) {
        d = item(rows[i].kind, i);
        assert_int_equal(rmi_queue_push(&q, &d), RM_OK);
        assert_int_equal(q.count, rows[i].count);
        rm_transport_data_clear(&d);
    }
    rmi_queue_fini(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_lost),
        cmocka_unit_test(test_a_stream_goes_on_after_room_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
