/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_RTP_ECN_H
#define RMI_RTP_ECN_H

#include "rtp/rtcp.h"

/* Whether a path carries ECN marks, by what its receiver reports (RFC 6679 7.2.1, 7.4), and so which packets are to be
 * ECT(0). At first only a few are, and again after a failure: a path that drops them costs ten packets, which are
 * repaired, and not the call. */

enum rmi_ecn_state {
    RMI_ECN_OFF,    /* not agreed on */
    RMI_ECN_PROBES, /* a few packets are marked, to see whether and how they arrive */
    RMI_ECN_MARKS,  /* all are */
    RMI_ECN_RESTS   /* the path failed: none are, for a while */
};

enum rmi_ecn_fault {
    RMI_ECN_SOUND,   /* none seen */
    RMI_ECN_UNSEEN,  /* marked packets do not arrive, or not marked, or nobody reports them */
    RMI_ECN_CLEARED, /* most come without their mark by now */
    RMI_ECN_ALTERED, /* they come with another one than was set */
    RMI_ECN_FLOODED, /* every single one is marked as congestion */
    RMI_ECN_LOSSY,   /* so many are lost that the mark may be why */
    RMI_ECN_SILENT   /* nothing arrives any more */
};

/* Kinds of packets by what the loss of one costs. */
enum rmi_ecn_packet { RMI_ECN_PICTURE, RMI_ECN_VOICE, RMI_ECN_REPAIR };

struct rmi_ecn_path { /* zero-initialised is off */
    enum rmi_ecn_state state;
    enum rmi_ecn_fault fault; /* the last one */
    uint32_t failures;
    int64_t since_us; /* of the state */
    int64_t rest_us;  /* how long the next rest is; 0: the shortest */
    /* probing */
    unsigned probes;
    int64_t probe_us;           /* the last */
    uint32_t came_ect, came_ce; /* of them */
    /* marking */
    uint32_t ect0, ect1, ce, not_ect; /* of a window of reports */
    int64_t flood_us;                 /* since when all are CE; 0: not so */
    unsigned packets, lost;           /* of a window of feedback */
    int64_t window_us;
    unsigned unheard;   /* sent since the last one is known to have arrived, */
    int64_t unheard_us; /* the first of them then */
};

/* Of one stream, what was reported of it last. Zero-initialised: nothing. */
struct rmi_ecn_seen {
    struct rmi_rtcp_ecn last;
};
/* What came since then. */
struct rmi_ecn_news {
    uint32_t ect0, ect1, ce, not_ect;
};

/* Counters that wrap are followed; a stream that begins anew, or a report that was overtaken, has no news. */
struct rmi_ecn_news rmi_ecn_seen_input(struct rmi_ecn_seen *seen, const struct rmi_rtcp_ecn *report);

void rmi_ecn_path_start(struct rmi_ecn_path *p, int64_t now_us); /* a running one goes on */
void rmi_ecn_path_stop(struct rmi_ecn_path *p);
/* Whether the packet that is sent now is to be ECT(0). rtt_us 0: not known. */
bool rmi_ecn_path_mark(struct rmi_ecn_path *p, int64_t now_us, int64_t rtt_us, enum rmi_ecn_packet packet);
/* A report of the remote. */
void rmi_ecn_path_report(struct rmi_ecn_path *p, int64_t now_us, const struct rmi_ecn_news *news);
/* Transport-wide feedback: of so many packets so many were lost. */
void rmi_ecn_path_feedback(struct rmi_ecn_path *p, int64_t now_us, unsigned packets, unsigned lost);
const char *rmi_ecn_fault_text(enum rmi_ecn_fault fault);

#endif
