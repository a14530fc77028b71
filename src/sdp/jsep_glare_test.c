/* SPDX-License-Identifier: Apache-2.0 */
#include "sdp/jsep_test_support.h"

/* Every order in which two sides can offer, deliver and add media. */

#define DEPTH_MAX 40
#define QUEUE_MAX 16

struct message {
    enum rmi_sdp_type type;
    char *text;
};

struct side {
    struct rmi_jsep *j;
    const struct rmi_jsep_local *local;
    struct message queue[QUEUE_MAX]; /* towards this side */
    size_t head, tail;
    int late; /* media still to be added in the course of events */
    unsigned rolled_back, ignored;
};

struct world {
    struct side side[2]; /* 0 polite, 1 impolite */
};

enum action { OFFER_0, OFFER_1, DELIVER_0, DELIVER_1, ADD_0, ADD_1, ACTION_COUNT };

static void send_to(struct side *to, enum rmi_sdp_type type, char *text) {
    assert_true(to->tail < QUEUE_MAX);
    to->queue[to->tail++] = (struct message){type, text};
}

static bool possible(struct world *w, int action) {
    struct side *s = &w->side[action & 1];
    switch (action & ~1) {
    case OFFER_0:
        return rmi_jsep_result(s->j)->state == RMI_JSEP_STABLE && rmi_jsep_result(s->j)->negotiation_needed;
    case DELIVER_0:
        return s->head < s->tail;
    default:
        return s->late > 0;
    }
}

static void deliver(struct world *w, int which) {
    struct side *s = &w->side[which], *other = &w->side[!which];
    struct message m = s->queue[s->head++];
    char detail[RMI_JSEP_DETAIL_MAX];
    bool collides = m.type == RMI_SDP_OFFER && rmi_jsep_result(s->j)->state == RMI_JSEP_HAVE_LOCAL_OFFER;
    rm_err err = rmi_jsep_set_remote(s->j, m.type, m.text, strlen(m.text), detail);
    free(m.text);
    if (collides && which == 1) {
        assert_int_equal(err, RM_E_NEGOTIATION_IN_PROGRESS);
        s->ignored++;
        return;
    }
    if (err)
        fail_msg("side %d: %s: %s", which, rm_err_name(err), detail);
    assert_int_equal(rmi_jsep_result(s->j)->rolled_back, collides);
    s->rolled_back += collides;
    if (m.type == RMI_SDP_OFFER)
        send_to(other, RMI_SDP_ANSWER, answer(s->j, s->local));
}

static void act(struct world *w, int action) {
    struct side *s = &w->side[action & 1], *other = &w->side[!(action & 1)];
    switch (action & ~1) {
    case OFFER_0:
        send_to(other, RMI_SDP_OFFER, offer(s->j, s->local));
        break;
    case DELIVER_0:
        deliver(w, action & 1);
        break;
    default:
        s->late--;
        add(s->j, RMI_MEDIA_VIDEO, RMI_DIR_SENDRECV);
        break;
    }
}

static void replay(struct world *w, const int *path, size_t depth) {
    memset(w, 0, sizeof *w);
    for (int i = 0; i < 2; i++) {
        w->side[i].j = make(i == 0, true);
        w->side[i].local = i ? &local_b : &local_a;
        w->side[i].late = 1;
        add(w->side[i].j, RMI_MEDIA_AUDIO, RMI_DIR_SENDRECV);
    }
    for (size_t d = 0; d < depth; d++)
        act(w, path[d]);
}

static void close_world(struct world *w) {
    for (int i = 0; i < 2; i++) {
        for (size_t m = w->side[i].head; m < w->side[i].tail; m++)
            free(w->side[i].queue[m].text);
        rmi_jsep_destroy(&w->side[i].j);
    }
}

struct tally {
    size_t ends, steps, glares;
};

static void explore(int *path, size_t depth, struct tally *tally) {
    struct world w;
    bool next[ACTION_COUNT], any = false;
    assert_true(depth < DEPTH_MAX);
    replay(&w, path, depth);
    for (int action = 0; action < ACTION_COUNT; action++) {
        next[action] = possible(&w, action);
        any = any || next[action];
    }
    tally->steps++;
    if (!any) {
        /* Nobody has anything left to say: then both must see the same thing, and every medium runs. */
        size_t sending[2] = {0, 0};
        assert_mirrored(w.side[0].j, w.side[1].j);
        for (int i = 0; i < 2; i++) {
            const struct rmi_jsep_result *r = rmi_jsep_result(w.side[i].j);
            assert_true(r->has_data);
            for (size_t m = 0; m < r->media_count; m++)
                sending[i] += r->media[m].kind != RMI_MEDIA_DATA && (r->media[m].direction & RMI_DIR_SEND_BIT);
        }
        assert_int_equal(sending[0], 2);
        assert_int_equal(sending[1], 2);
        tally->ends++;
        tally->glares += w.side[0].rolled_back > 0;
        assert_int_equal(w.side[0].rolled_back, w.side[1].ignored);
    }
    close_world(&w);
    for (int action = 0; action < ACTION_COUNT; action++) {
        if (!next[action])
            continue;
        path[depth] = action;
        explore(path, depth + 1, tally);
    }
}

static void all_interleavings_of_two_sides_converge(void **state) {
    (void)state;
    int path[DEPTH_MAX];
    struct tally tally = {0};
    explore(path, 0, &tally);
    print_message("%zu interleavings end well (%zu states, %zu with a collision)\n", tally.ends, tally.steps,
                  tally.glares);
    assert_true(tally.glares > 10 && tally.ends > tally.glares);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_interleavings_of_two_sides_converge),
    };
    return cmocka_run_group_tests(tests, seed, NULL);
}
