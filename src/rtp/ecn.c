/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/ecn.h"
#include "base/time.h"

/* RFC 6679 7.2.1: a small fraction, two of each reporting interval at least. Pictures are repaired when they are lost,
 * sound is concealed at best: it is asked less often, and only where there are no pictures. */
#define FIRST_US RMI_MS(200)
#define PICTURE_APART_US RMI_MS(100)
#define VOICE_APART_US RMI_MS(300)
#define PROBES 10
#define PROOF 3 /* of them known to have arrived as ECT or CE: chance does not do that */
/* After the last of them: reports of the remote are up to 1.5 s apart, and one may be lost. */
#define ANSWER_US RMI_MS(3500)
/* While all are marked. A report is also about what was sent before, back to the last report of that stream: up to one
 * and a half times 10 s. */
#define GRACE_US RMI_SEC(16)
#define WINDOW_REPORTED 100 /* packets, to judge their marks */
#define CLEARED_SHARE 0.5   /* RFC 6679 7.4.2: "substantially changed"; a queue never clears a mark */
#define ALTERED_SHARE 0.1   /* nor does it make an ECT(1) */
#define FLOOD_US RMI_SEC(2) /* the rate has been cut to a fifth by then */
#define LOSS_WINDOW_US RMI_SEC(1)
#define LOSS_PACKETS 20
#define LOSS_SHARE 0.3 /* RFC 6679 7.4.1: stop marking, to see whether the losses stop, too */
#define SILENT_PACKETS 10
#define SILENT_US RMI_MS(500) /* and two round trips, as congestion control takes silence for (cc/gcc.c) */
/* RFC 6679 7.4.1: try again now and then, for paths change. Each failure doubles it. */
#define REST_LEAST_US RMI_SEC(4)
#define REST_MOST_US RMI_SEC(256)
#define PROVEN_US RMI_SEC(30) /* marked for so long: the path had been good */
#define BACKWARDS32 0x80000000U
#define BACKWARDS16 0x8000U

struct rmi_ecn_news rmi_ecn_seen_input(struct rmi_ecn_seen *seen, const struct rmi_rtcp_ecn *report) {
    const struct rmi_rtcp_ecn zero = {.ssrc = report->ssrc};
    const struct rmi_rtcp_ecn *last = seen->last.ssrc == report->ssrc ? &seen->last : &zero;
    const struct rmi_ecn_news news = {.ect0 = report->ect0 - last->ect0,
                                      .ect1 = report->ect1 - last->ect1,
                                      .ce = (uint16_t)(report->ce - last->ce),
                                      .not_ect = (uint16_t)(report->not_ect - last->not_ect)};
    seen->last = *report;
    if (news.ect0 >= BACKWARDS32 || news.ect1 >= BACKWARDS32 || news.ce >= BACKWARDS16 || news.not_ect >= BACKWARDS16)
        return (struct rmi_ecn_news){0};
    return news;
}

static void enter(struct rmi_ecn_path *p, int64_t now_us, enum rmi_ecn_state state) {
    *p = (struct rmi_ecn_path){.state = state,
                               .fault = p->fault,
                               .failures = p->failures,
                               .since_us = now_us,
                               .rest_us = p->rest_us,
                               .window_us = now_us};
}

static void rest(struct rmi_ecn_path *p, int64_t now_us, enum rmi_ecn_fault fault) {
    if (p->state == RMI_ECN_MARKS && now_us - p->since_us >= PROVEN_US)
        p->rest_us = 0;
    p->rest_us = rmi_min64(rmi_max64(2 * p->rest_us, REST_LEAST_US), REST_MOST_US);
    p->fault = fault;
    p->failures++;
    enter(p, now_us, RMI_ECN_RESTS);
}

void rmi_ecn_path_start(struct rmi_ecn_path *p, int64_t now_us) {
    if (p->state == RMI_ECN_OFF)
        enter(p, now_us, RMI_ECN_PROBES);
}

void rmi_ecn_path_stop(struct rmi_ecn_path *p) {
    *p = (struct rmi_ecn_path){0};
}

/* ---- sending ---- */

static bool mark_probe(struct rmi_ecn_path *p, int64_t now_us, enum rmi_ecn_packet packet) {
    if (p->probes == PROBES) {
        if (now_us - p->probe_us >= ANSWER_US)
            rest(p, now_us, RMI_ECN_UNSEEN);
        return false;
    }
    const int64_t apart = packet == RMI_ECN_PICTURE ? PICTURE_APART_US : VOICE_APART_US;
    const int64_t at = p->probes ? p->probe_us + apart : p->since_us + FIRST_US;
    if (now_us < at || packet == RMI_ECN_REPAIR)
        return false;
    p->probes++;
    p->probe_us = now_us;
    return true;
}

static bool mark_all(struct rmi_ecn_path *p, int64_t now_us, int64_t rtt_us) {
    if (p->unheard == 0)
        p->unheard_us = now_us;
    if (p->unheard >= SILENT_PACKETS && now_us - p->unheard_us >= SILENT_US + 2 * rtt_us) {
        rest(p, now_us, RMI_ECN_SILENT);
        return false;
    }
    p->unheard++;
    return true;
}

bool rmi_ecn_path_mark(struct rmi_ecn_path *p, int64_t now_us, int64_t rtt_us, enum rmi_ecn_packet packet) {
    if (p->state == RMI_ECN_RESTS && now_us - p->since_us >= p->rest_us)
        enter(p, now_us, RMI_ECN_PROBES);
    if (p->state == RMI_ECN_PROBES)
        return mark_probe(p, now_us, packet);
    return p->state == RMI_ECN_MARKS && mark_all(p, now_us, rtt_us);
}

/* ---- what is heard of it ---- */

static void judge_probes(struct rmi_ecn_path *p, int64_t now_us, const struct rmi_ecn_news *news) {
    if (p->probes == 0)
        return; /* of what was marked before the rest */
    p->came_ect += news->ect0;
    p->came_ce += news->ce;
    if (news->ect1)
        rest(p, now_us, RMI_ECN_ALTERED);
    else if (p->came_ect + p->came_ce < PROOF)
        return;
    else if (p->came_ect == 0)
        rest(p, now_us, RMI_ECN_FLOODED);
    else
        enter(p, now_us, RMI_ECN_MARKS);
}

static void judge_marks(struct rmi_ecn_path *p, int64_t now_us, const struct rmi_ecn_news *news) {
    if (news->ect0)
        p->flood_us = 0;
    else if (news->ce && p->flood_us == 0)
        p->flood_us = now_us;
    if (p->flood_us && now_us - p->flood_us >= FLOOD_US) {
        rest(p, now_us, RMI_ECN_FLOODED);
        return;
    }
    if (now_us - p->since_us < GRACE_US)
        return;
    p->ect0 += news->ect0;
    p->ect1 += news->ect1;
    p->ce += news->ce;
    p->not_ect += news->not_ect;
    const uint32_t all = p->ect0 + p->ect1 + p->ce + p->not_ect;
    if (all < WINDOW_REPORTED)
        return;
    if (p->not_ect > CLEARED_SHARE * all)
        rest(p, now_us, RMI_ECN_CLEARED);
    else if (p->ect1 > ALTERED_SHARE * all)
        rest(p, now_us, RMI_ECN_ALTERED);
    p->ect0 = p->ect1 = p->ce = p->not_ect = 0;
}

void rmi_ecn_path_report(struct rmi_ecn_path *p, int64_t now_us, const struct rmi_ecn_news *news) {
    if (p->state == RMI_ECN_PROBES)
        judge_probes(p, now_us, news);
    else if (p->state == RMI_ECN_MARKS)
        judge_marks(p, now_us, news);
}

void rmi_ecn_path_feedback(struct rmi_ecn_path *p, int64_t now_us, unsigned packets, unsigned lost) {
    if (p->state != RMI_ECN_MARKS)
        return;
    if (packets > lost)
        p->unheard = 0;
    p->packets += packets;
    p->lost += lost;
    if (now_us - p->window_us < LOSS_WINDOW_US)
        return;
    if (p->packets >= LOSS_PACKETS && p->lost >= LOSS_SHARE * p->packets) {
        rest(p, now_us, RMI_ECN_LOSSY);
        return;
    }
    p->packets = p->lost = 0;
    p->window_us = now_us;
}

const char *rmi_ecn_fault_text(enum rmi_ecn_fault fault) {
    static const char *const text[] = {
        "nothing is wrong with it", "marked packets do not arrive as such", "marks are cleared",
        "marks are altered",        "every packet is marked as congestion", "too many marked packets are lost",
        "nothing arrives"};
    return text[fault];
}
