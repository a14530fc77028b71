/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_ICE_AGENT_PRIVATE_H
#define RMI_ICE_AGENT_PRIVATE_H

/* Shared by the agent_*.c files only.
 *
 * State table (agent_state.c refuses anything else):
 *
 *   from \ to      new  checking  connected  disconnected  failed  closed
 *   new             -      x          -           -           -       x     remote description set
 *   checking        x      -          x           -           x       x     pair selected | budget over | rollback
 *   connected       -      -          -           x           x       x     silence or base lost | consent expired
 *   disconnected    -      -          x           -           x       x     reception or new pair | consent, budget
 *   failed          -      x          -           -           -       x     restart
 *
 * Pairs are made per base (RFC 8445 6.1.2.4 replaces server-reflexive local candidates by their base and prunes), so
 * the pair that a check validates is the pair that sent it: `valid` is a flag, and the mapped address a note. */

#include "base/time.h"
#include "ice/agent.h"
#include "ice/stun.h"

/* RFC 8445 14.2: Ta of 50 ms is the default, 5 ms the smallest value an agent may use. */
#define ICE_TA_US RMI_MS(5)
/* A triggered check answers an authenticated packet, so it may run ahead of the pacing by this many Ta; the average
 * rate stays one check per Ta because the debt is paid back. Keeps Ta out of the set-up time of the first pair. */
#define ICE_TRIGGERED_AHEAD 3
/* RFC 8445 14.3 asks for an RTO of at least 500 ms. We deviate: with few pairs a lost check would cost half a second of
 * set-up time, while a check is some 130 bytes. RTO = max(rtt * 1.25 within 50..500 ms or 100 ms, Ta * pairs). */
#define ICE_RTO_US RMI_MS(100)
#define ICE_RTO_MIN_US RMI_MS(50)
#define ICE_RTO_KNOWN_MAX_US RMI_MS(500)
#define ICE_RTO_MAX_US RMI_MS(1600)
#define ICE_RTO_STEADY 8 /* transmissions before the RTO doubles: 0.51^8 = 0.5 % left at 30 % loss each way */
#define ICE_LIVENESS_US RMI_SEC(2)
/* A path that carried packets closer together than this, and then none for half the liveness time, is doubted: two
 * checks are unanswered by then. */
#define ICE_BUSY_GAP_US RMI_MS(100)
#define ICE_DOUBT_DIV 2
/* The peer is heard on another pair only: the path in use is given up after this part of the liveness time. */
#define ICE_ELSEWHERE_DIV 4
#define ICE_LIVENESS_MIN_US RMI_MS(100) /* less would be a flood of checks */
#define ICE_FAILED_US RMI_SEC(10)
/* While idle, ask after a third of the liveness time, then each eighth: six tries before silence is declared. */
#define ICE_IDLE_FIRST_DIV 3
#define ICE_IDLE_NEXT_DIV 8
/* RFC 7675 5.1: 5 s, randomised by 0.8..1.2; expiry after 30 s without a valid response. */
#define ICE_CONSENT_MIN_US RMI_MS(4000)
#define ICE_CONSENT_MAX_US RMI_MS(6000)
#define ICE_CONSENT_EXPIRY_US RMI_SEC(30)
/* Two of these unanswered: asked as often as in silence, else a path that is whole again may lose consent meanwhile. */
#define ICE_CONSENT_LATE_US (2 * ICE_CONSENT_MAX_US)
#define ICE_PROBE_US RMI_MS(500)        /* every pair, while disconnected: what comes back is found within this */
#define ICE_NOMINATE_WAIT_US RMI_MS(50) /* for a better pair, at least; else 2 rtt */
#define ICE_NEAR_RTT_US RMI_MS(10)      /* a direct pair this near is not worth waiting for a better one */
#define ICE_SWITCH_HOLD_US RMI_MS(500)  /* a late nomination of the pair just left is not followed */
#define ICE_OLD_LINGER_US RMI_SEC(5)    /* the previous generation is still understood this long after a restart */
#define ICE_EARLY_MAX 16                /* checks kept before the remote description */
#define ICE_EVENTS_MAX 16
#define ICE_TXNS 8                   /* outstanding transactions per pair: 2 s of RTT at the idle rate */
#define ICE_TXN_RANDOM 8             /* bytes after the tag */
#define ICE_RX_CHECKS_PER_SECOND 500 /* a peer at Ta = 5 ms sends 200 */
#define ICE_NAME_MAX 80
#define ICE_LOCALS (RMI_ICE_LOCAL_MAX + 8)     /* and a few mapped addresses that checks discovered */
#define ICE_PRFLX_MAX (RMI_ICE_REMOTE_MAX / 2) /* leaves room for signaled candidates */
#define ICE_PRFLX_PREF 110u                    /* RFC 8445 5.1.2.2 */
#define ICE_NONE (-1)

enum ice_pair_state { ICE_FROZEN, ICE_WAITING, ICE_IN_PROGRESS, ICE_SUCCEEDED, ICE_PAIR_FAILED };

/* A candidate without the text parts that only signaling needs. */
struct ice_cand {
    bool used;
    bool is_base; /* local only: pairs are made from it */
    rmi_base_id base;
    enum rmi_cand_type type;
    uint32_t priority;
    struct rmi_addr addr, related;
    char foundation[RMI_FOUNDATION_MAX + 1];
};

struct ice_creds {
    char ufrag[RMI_ICE_UFRAG_MAX + 1];
    char pwd[RMI_ICE_PWD_MAX + 1];
};

struct ice_gen {
    struct ice_creds local, remote;
    bool remote_set;
};

struct ice_txn {
    bool used, use_candidate, controlling;
    uint8_t id[ICE_TXN_RANDOM];
    uint32_t sends;
    int64_t first_us;
};

struct ice_pair {
    bool used;
    bool old;       /* the pair kept from before a restart; its remote is a->old_remote */
    uint8_t local;  /* index into locals */
    uint8_t remote; /* index into remotes */
    rmi_base_id base;
    struct rmi_addr to;
    uint64_t priority;
    enum ice_pair_state state;
    bool valid, nominated;
    bool nominating;          /* controlling: USE-CANDIDATE is sent and not answered yet */
    bool nominate_on_success; /* controlled: USE-CANDIDATE came before our check was answered */
    bool check_received, plain_check_received;
    uint64_t trigger_seq; /* place in the triggered-check queue, 0 = not queued */
    int64_t started_us;   /* of the check now in progress */
    int64_t resend_us;    /* next transmission of it, or of the nomination */
    uint32_t round;       /* transmissions of it so far */
    int64_t probe_us;
    int64_t last_response_us, last_check_us, consent_us;
    int64_t rtt_us;
    struct rmi_addr mapped;
    uint32_t checks_sent, responses;
    uint8_t txn_next;
    struct ice_txn txns[ICE_TXNS];
};

/* A check that came before the remote description. */
struct ice_early {
    rmi_base_id base;
    struct rmi_addr from;
    uint32_t priority;
    bool use_candidate;
    char remote_ufrag[RMI_ICE_UFRAG_MAX + 1];
};

struct rmi_ice_agent {
    struct rmi_rng rng;
    struct rmi_log *log;
    struct rmi_sink sink;
    char name[ICE_NAME_MAX];
    bool controlling, relay_only, remote_lite;
    uint32_t tag;
    uint64_t tiebreaker;
    int64_t liveness_us, failed_us, ta_us;

    enum rmi_ice_state state;
    struct rmi_ice_event events[ICE_EVENTS_MAX];
    size_t event_first, event_count;

    struct ice_gen cur, prev, next;
    bool restart_offered; /* next.local is out, without an answer so far: cur goes on as if nothing were */
    bool have_prev;       /* cur came by a restart; prev still answers checks */
    bool restart_pending; /* ... and no new pair is selected yet */
    struct ice_cand old_remote;
    struct ice_pair old; /* used: the selected pair of before */
    int64_t old_drop_us; /* RMI_NEVER while the restart is pending */

    struct ice_cand locals[ICE_LOCALS];
    struct ice_cand remotes[RMI_ICE_REMOTE_MAX];
    struct ice_pair pairs[RMI_ICE_PAIRS_MAX];
    size_t pairs_end; /* slots at and beyond were never used */
    bool local_done, remote_done;
    struct ice_early early[ICE_EARLY_MAX];
    size_t early_count;

    int selected, previous; /* pair slots, ICE_NONE */
    int64_t switched_us;
    uint64_t trigger_count;
    uint32_t prflx_count;
    int64_t pace_us; /* the next ordinary check may leave then */
    int64_t nominate_us, budget_us, last_rx_us, idle_check_us, disconnected_us;
    int64_t alive_us; /* the newest answer on the path in use */
    int64_t gap_us;   /* between packets on it, smoothed */
    bool doubted;     /* RMI_ICE_EV_SILENCE was told of the present silence */
    bool budget_extended;
    int64_t due_us; /* next deadline, liveness excepted */
    int64_t rx_window_us;
    uint32_t rx_window_count;

    struct rmi_ice_stats stats;
};

#define ICE_LOG(a, level, ...) rmi_log((a)->log, RMI_LOG_ICE, (level), __VA_ARGS__)

/* agent_state.c */
void rmi_ice_set_state(struct rmi_ice_agent *a, enum rmi_ice_state to, rm_err err, const char *reason);
void rmi_ice_post(struct rmi_ice_agent *a, enum rmi_ice_event_type type, rm_err err);
/* Do whatever is due at now_us and work out the next deadline. Ends every public call that changes something. */
void rmi_ice_run(struct rmi_ice_agent *a, int64_t now_us);
/* Start (or start again) the time in which a pair has to be found. */
void rmi_ice_arm_budget(struct rmi_ice_agent *a, int64_t now_us);
void rmi_ice_fail(struct rmi_ice_agent *a, rm_err err, const char *reason);
/* Forget the generation before the last restart. */
void rmi_ice_drop_old(struct rmi_ice_agent *a);

/* agent_pairs.c */
struct ice_cand *rmi_ice_local_at(struct rmi_ice_agent *a, const struct ice_pair *p);
const struct ice_cand *rmi_ice_remote_of(const struct rmi_ice_agent *a, const struct ice_pair *p);
struct ice_cand *rmi_ice_find_base(struct rmi_ice_agent *a, rmi_base_id base);
struct ice_cand *rmi_ice_find_remote(struct rmi_ice_agent *a, const struct rmi_addr *addr);
struct ice_cand *rmi_ice_new_cand(struct ice_cand *list, size_t n);
struct ice_pair *rmi_ice_find_pair(struct rmi_ice_agent *a, rmi_base_id base, const struct rmi_addr *to);
/* NULL: the list is full of better pairs. */
struct ice_pair *rmi_ice_make_pair(struct rmi_ice_agent *a, const struct ice_cand *local,
                                   const struct ice_cand *remote);
void rmi_ice_pair_local(struct rmi_ice_agent *a, const struct ice_cand *local);
void rmi_ice_pair_remote(struct rmi_ice_agent *a, const struct ice_cand *remote);
void rmi_ice_drop_pair(struct rmi_ice_agent *a, struct ice_pair *p);
void rmi_ice_clear_pairs(struct rmi_ice_agent *a);
void rmi_ice_reprioritise(struct rmi_ice_agent *a);
void rmi_ice_unfreeze(struct rmi_ice_agent *a, const struct ice_pair *like);
bool rmi_ice_is_relayed(const struct rmi_ice_agent *a, const struct ice_pair *p);
/* Whether ordinary checks still go out on it: all pairs before selection, only much better ones afterwards. */
bool rmi_ice_is_wanted(const struct rmi_ice_agent *a, const struct ice_pair *p);
void rmi_ice_pair_to_info(const struct rmi_ice_agent *a, const struct ice_pair *p, struct rmi_ice_pair_info *out);
void rmi_ice_log_pairs(struct rmi_ice_agent *a);

/* agent_checks.c */
/* fresh: begin a new transaction; otherwise the newest one is sent again. */
void rmi_ice_send_check(struct rmi_ice_agent *a, int64_t now_us, struct ice_pair *p, bool fresh);
void rmi_ice_trigger(struct rmi_ice_agent *a, struct ice_pair *p);
void rmi_ice_run_checks(struct rmi_ice_agent *a, int64_t now_us);
int64_t rmi_ice_checks_deadline(const struct rmi_ice_agent *a);
void rmi_ice_on_response(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base, const struct rmi_addr *from,
                         const struct rmi_stun_msg *m);
void rmi_ice_switch_role(struct rmi_ice_agent *a, bool controlling);

/* agent_input.c */
void rmi_ice_on_check(struct rmi_ice_agent *a, int64_t now_us, rmi_base_id base, const struct rmi_addr *from,
                      uint32_t priority, bool use_candidate);
void rmi_ice_replay_early(struct rmi_ice_agent *a, int64_t now_us);

/* agent_restart.c */
/* The restart that was offered takes effect: cur becomes prev, the checklist begins anew. */
void rmi_ice_next_generation(struct rmi_ice_agent *a);

/* agent_select.c */
struct ice_pair *rmi_ice_path(struct rmi_ice_agent *a); /* selected pair, or the old one during a restart, or NULL */
void rmi_ice_heard(struct rmi_ice_agent *a, int64_t now_us, const struct ice_pair *p);
void rmi_ice_select(struct rmi_ice_agent *a, int64_t now_us, struct ice_pair *p, const char *reason);
/* Controlled side: the remote nominated this valid pair. */
void rmi_ice_on_nominated(struct rmi_ice_agent *a, int64_t now_us, struct ice_pair *p);
/* Controlling side: nominate if it is time. */
void rmi_ice_consider_nomination(struct rmi_ice_agent *a, int64_t now_us);
void rmi_ice_run_consent(struct rmi_ice_agent *a, int64_t now_us);
int64_t rmi_ice_consent_deadline(const struct rmi_ice_agent *a);
void rmi_ice_path_lost(struct rmi_ice_agent *a, int64_t now_us, const char *reason);

#endif
