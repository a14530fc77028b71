/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SCTP_ASSOCIATION_PRIVATE_H
#define RMI_SCTP_ASSOCIATION_PRIVATE_H

#include "base/list.h"
#include "base/time.h"
#include "sctp/association.h"
#include "sctp/cc.h"
#include "sctp/chunk.h"

#define RMI_SCTP_NAME_MAX 64
#define RMI_SCTP_COOKIE_KEY_BYTES 32
#define RMI_SCTP_WINDOW_TSNS 16384 /* sent and not acknowledged, or received ahead of a gap: 100 Mbit/s for 1.4 s */
#define RMI_SCTP_WINDOW_WORDS (RMI_SCTP_WINDOW_TSNS / 64)
#define RMI_SCTP_DUPS_MAX 16
#define RMI_SCTP_RESETS_MAX 64 /* streams of one request */
#define RMI_SCTP_WEIGHT 256
#define RMI_SCTP_HEARTBEAT_BYTES 8

enum rmi_sctp_block_state { RMI_SCTP_WAITING, RMI_SCTP_IN_FLIGHT, RMI_SCTP_LOST, RMI_SCTP_ACKED, RMI_SCTP_ABANDONED };

/* One fragment of a message, of either direction. */
struct rmi_sctp_block {
    struct rmi_list node;  /* among its message's fragments */
    struct rmi_list order; /* sending: in flight in the order of sending, or lost */
    struct rmi_sctp_message *message;
    union {
        struct rmi_sctp_cc_tag tag; /* sending */
        struct {
            struct rmi_sctp_block *other; /* the other end */
            uint32_t count, bytes;
        } run; /* receiving unordered DATA: of the first and the last of fragments without a gap */
    };
    uint32_t tsn, fsn, ppid;
    uint32_t len, cap;
    uint16_t sends;
    uint8_t flags;
    enum rmi_sctp_block_state state;
    uint8_t data[];
};

/* A message of either direction, and also an event that waits for the application. */
struct rmi_sctp_message {
    struct rmi_list node;
    struct rmi_list fragments; /* sending: not sent yet; receiving: by fsn */
    enum rmi_sctp_event_type type;
    rm_err err;
    uint16_t stream;
    uint32_t ppid, mid;
    size_t bytes;
    bool unordered;
    /* receiving */
    bool has_begin, has_end;
    uint32_t first_fsn, last_fsn, count;
    /* sending */
    int64_t expires_us;
    uint32_t sends_max; /* of each fragment */
    uint32_t blocks;    /* fragments that exist, sent or not */
    uint32_t first_tsn, fragments_sent;
    bool abandoned;
};

enum rmi_sctp_reset_state { RMI_SCTP_RESET_NONE, RMI_SCTP_RESET_WANTED, RMI_SCTP_RESET_REQUESTED };

struct rmi_sctp_stream_out {
    struct rmi_list active; /* while messages wait */
    struct rmi_list messages;
    uint16_t id, weight;
    uint32_t next_mid, next_mid_unordered;
    uint64_t start;     /* virtual time at which it is served next (start-time fair queueing) */
    size_t buffered;    /* bytes not sent yet */
    size_t low;         /* threshold */
    uint32_t in_flight; /* blocks sent and not acknowledged */
    enum rmi_sctp_reset_state reset;
    bool low_pending;      /* an event waits */
    int resets_ahead;      /* 1: ours is closed and the peer's not yet; -1: the other way round */
    int64_t peer_reset_us; /* while 1: until when the peer's is waited for */
};

/* The peer closes its direction: first what it sent before has to come; then our answer has to go. */
enum rmi_sctp_in_reset { RMI_SCTP_IN_OPEN, RMI_SCTP_IN_DEFERRED, RMI_SCTP_IN_UNANSWERED };

struct rmi_sctp_stream_in {
    struct rmi_list ordered;   /* incomplete or out of order, by mid */
    struct rmi_list unordered; /* incomplete; I-DATA by mid, DATA: one that holds all fragments */
    uint32_t next_mid;
    enum rmi_sctp_in_reset reset;
    uint32_t reset_tsn; /* while deferred: the last of what was sent before */
    bool reset_pending; /* an event waits */
    bool paused;
    struct rmi_list kept_back; /* while paused: what the application would be given */
};

struct rmi_sctp {
    struct rmi_sctp_config config;
    char name[RMI_SCTP_NAME_MAX];
    enum rmi_sctp_state state;
    rm_err err;
    const char *detail;
    bool end_told;
    uint32_t local_tag, peer_tag;
    bool interleaving, forward_tsn, reconfig, zero_checksum_out, in_packet_sack;
    uint16_t streams_out;
    uint8_t cookie_key[RMI_SCTP_COOKIE_KEY_BYTES];
    uint8_t *echo; /* the peer's cookie, until COOKIE ACK */
    size_t echo_len;
    size_t fragment_max;

    /* timers, RMI_NEVER when not set */
    int64_t setup_us, t3_us, rack_us, sack_us, heartbeat_us, reset_us, peer_reset_us, expire_us, pace_us;
    int64_t reset_answer_us; /* the answer to the peer's request is held until then */
    int64_t setup_rto_us;
    int setup_tries, errors;

    /* sending */
    struct rmi_sctp_block **ring; /* by TSN, ring_size a power of two */
    uint32_t ring_size;
    uint32_t first_tsn, next_tsn, cum_ack, highest_ack;
    struct rmi_list in_flight_order, lost;
    uint64_t in_flight, peer_window;
    struct rmi_sctp_cc cc;
    int64_t srtt_us, rttvar_us, rto_us, rack_rtt_us, rack_sent_us;
    int64_t pace_next_us;
    bool probed, reordering, pace_waits, t3_packet;
    struct rmi_sctp_stream_out *out[RMI_SCTP_STREAMS];
    struct rmi_list active;
    struct rmi_sctp_stream_out *current; /* DATA: its message is not all sent, so that no other may come between */
    uint64_t virtual_time;
    bool blocked; /* RM_E_AGAIN was given */
    uint32_t advanced, forward_sent;
    int64_t forward_sent_us;
    bool forward_due;

    /* receiving */
    uint32_t recv_cum, recv_highest;
    uint64_t recv_map[RMI_SCTP_WINDOW_WORDS];
    uint32_t dups[RMI_SCTP_DUPS_MAX];
    uint16_t dup_count;
    int unacked_packets;
    bool sack_now;
    uint32_t told_window;
    struct rmi_sctp_stream_in *in[RMI_SCTP_STREAMS];
    size_t held; /* memory of blocks that the application has not taken */
    struct rmi_list ready;
    size_t kept_back;               /* messages of paused streams */
    struct rmi_sctp_message *taken; /* whose bytes the last event showed */
    uint8_t *whole;                 /* a message of several fragments put together */
    size_t whole_cap;

    /* stream reset (RFC 6525) */
    uint32_t reset_seq, reset_peer_seq, reset_last_tsn;
    uint32_t reset_result;  /* of the peer's last request */
    bool reset_answered;    /* there is one */
    bool reset_answer_held; /* it was to close its streams, and the last word is not said */
    size_t resets_deferred; /* such streams of which something is still to come */
    uint16_t resets[RMI_SCTP_RESETS_MAX];
    uint16_t reset_count; /* of our request under way; 0: none */
    bool resets_wanted;
    int64_t reset_since_us; /* the request under way is this old */
    bool reset_in_asked;    /* the peer's last request was to close streams of ours */

    uint8_t heartbeat[RMI_SCTP_HEARTBEAT_BYTES];
    int64_t heartbeat_sent_us; /* RMI_NEVER: none under way */

    /* memory kept for the next packet */
    struct rmi_list free_small, free_large, free_messages;
    uint64_t idle_mark; /* payload of both directions when it was last looked at */
    struct rmi_sctp_stats stats;
};

/* memory.c */
struct rmi_sctp_block *rmi_sctp_block_get(struct rmi_sctp *a, size_t len);
void rmi_sctp_block_put(struct rmi_sctp *a, struct rmi_sctp_block *b);
/* Of a sent message, which goes with its last block. */
void rmi_sctp_block_release(struct rmi_sctp *a, struct rmi_sctp_block *b);
size_t rmi_sctp_block_cost(const struct rmi_sctp_block *b);
struct rmi_sctp_message *rmi_sctp_message_get(struct rmi_sctp *a);
/* With the fragments in its list. */
void rmi_sctp_message_put(struct rmi_sctp *a, struct rmi_sctp_message *m);
struct rmi_sctp_stream_out *rmi_sctp_out_stream(struct rmi_sctp *a, uint16_t id);
struct rmi_sctp_stream_in *rmi_sctp_in_stream(struct rmi_sctp *a, uint16_t id);
/* No memory for it ends the association. */
void rmi_sctp_post(struct rmi_sctp *a, enum rmi_sctp_event_type type, uint16_t stream, rm_err err);
void rmi_sctp_memory_free(struct rmi_sctp *a);
/* Each half minute: what was kept for the next burst goes when there was none. */
void rmi_sctp_memory_idle(struct rmi_sctp *a);
bool rmi_sctp_ring_reserve(struct rmi_sctp *a);
static inline struct rmi_sctp_block **rmi_sctp_ring_at(struct rmi_sctp *a, uint32_t tsn) {
    return &a->ring[tsn & (a->ring_size - 1)];
}

/* association.c */
void rmi_sctp_set_state(struct rmi_sctp *a, enum rmi_sctp_state state, const char *reason);
/* Ends without telling the peer. */
void rmi_sctp_fail(struct rmi_sctp *a, rm_err err, const char *detail);
/* Ends and tells the peer the cause. */
void rmi_sctp_refuse(struct rmi_sctp *a, int64_t now_us, uint16_t cause, rm_err err, const char *detail);
bool rmi_sctp_over(const struct rmi_sctp *a);
/* Data may come and go. */
bool rmi_sctp_open(const struct rmi_sctp *a);

struct rmi_sctp_packet {
    uint8_t bytes[RMI_SCTP_PACKET_MAX + 1];
    struct rmi_wr w;
};
void rmi_sctp_packet_begin(const struct rmi_sctp *a, struct rmi_sctp_packet *p, uint32_t tag);
/* `checksum`: although the peer takes zero. */
void rmi_sctp_packet_send(struct rmi_sctp *a, int64_t now_us, struct rmi_sctp_packet *p, bool checksum);
void rmi_sctp_send_plain(struct rmi_sctp *a, int64_t now_us, uint8_t type); /* a chunk of its header only */
void rmi_sctp_send_error(struct rmi_sctp *a, int64_t now_us, uint16_t cause, const uint8_t *info, size_t len);

/* setup.c */
void rmi_sctp_send_init(struct rmi_sctp *a, int64_t now_us);
void rmi_sctp_on_init(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c);
void rmi_sctp_on_init_ack(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c);
/* False: the rest of the packet is not for this association. */
bool rmi_sctp_on_cookie_echo(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c);
void rmi_sctp_on_cookie_ack(struct rmi_sctp *a, int64_t now_us);
void rmi_sctp_on_error(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c);
void rmi_sctp_on_setup_timer(struct rmi_sctp *a, int64_t now_us);

/* close.c */
void rmi_sctp_on_shutdown(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c);
void rmi_sctp_on_shutdown_ack(struct rmi_sctp *a, int64_t now_us);
void rmi_sctp_on_shutdown_complete(struct rmi_sctp *a);
void rmi_sctp_on_abort(struct rmi_sctp *a);
void rmi_sctp_shutdown_step(struct rmi_sctp *a, int64_t now_us);
void rmi_sctp_shutdown_timer(struct rmi_sctp *a, int64_t now_us);
void rmi_sctp_on_heartbeat(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c);
void rmi_sctp_on_heartbeat_ack(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c);
void rmi_sctp_on_heartbeat_timer(struct rmi_sctp *a, int64_t now_us);

/* output.c: rmi_sctp_flush, and */
void rmi_sctp_block_sent(struct rmi_sctp *a, struct rmi_sctp_block *b, int64_t now_us);
void rmi_sctp_unbuffer(struct rmi_sctp *a, struct rmi_sctp_stream_out *s, size_t bytes);
bool rmi_sctp_queue_empty(const struct rmi_sctp *a);

/* sack.c */
void rmi_sctp_on_sack(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c);
/* An acknowledgement up to here without gaps (SHUTDOWN has one too). */
void rmi_sctp_ack_up_to(struct rmi_sctp *a, int64_t now_us, uint32_t cum_tsn);
void rmi_sctp_take_rtt(struct rmi_sctp *a, int64_t rtt_us);
void rmi_sctp_arm_t3(struct rmi_sctp *a, int64_t now_us);
void rmi_sctp_on_t3(struct rmi_sctp *a, int64_t now_us);
void rmi_sctp_find_lost(struct rmi_sctp *a, int64_t now_us);
void rmi_sctp_count_error(struct rmi_sctp *a);
/* The next time-out comes after twice as long. */
void rmi_sctp_back_off(struct rmi_sctp *a);

/* forward.c */
void rmi_sctp_abandon(struct rmi_sctp *a, struct rmi_sctp_message *m);
void rmi_sctp_advance(struct rmi_sctp *a, int64_t now_us);
void rmi_sctp_forward_write(struct rmi_sctp *a, int64_t now_us, struct rmi_wr *w);
/* Messages whose time is over leave the queue, also behind others. */
void rmi_sctp_on_expire_timer(struct rmi_sctp *a, int64_t now_us);

/* input.c */
void rmi_sctp_on_data(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c);
void rmi_sctp_on_forward(struct rmi_sctp *a, const struct rmi_sctp_chunk *c);
void rmi_sctp_sack_write(const struct rmi_sctp *a, struct rmi_wr *w);
void rmi_sctp_sack_sent(struct rmi_sctp *a);
/* The application took something: tells a peer that waits for room. */
void rmi_sctp_window_moved(struct rmi_sctp *a);
uint32_t rmi_sctp_recv_window(const struct rmi_sctp *a);

/* reassembly.c */
enum rmi_sctp_taken { RMI_SCTP_TAKEN, RMI_SCTP_NO_ROOM, RMI_SCTP_CONTRADICTION, RMI_SCTP_TOO_BIG };
enum rmi_sctp_taken rmi_sctp_reassemble(struct rmi_sctp *a, const struct rmi_sctp_data *d);
void rmi_sctp_skip_to(struct rmi_sctp *a, const struct rmi_sctp_skip *skip);
/* DATA: unordered fragments up to this TSN are not completed any more. */
void rmi_sctp_skip_unordered(struct rmi_sctp *a, uint32_t cum_tsn);
void rmi_sctp_stream_in_reset(struct rmi_sctp *a, uint16_t id);

/* reset.c */
void rmi_sctp_on_reconfig(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c);
void rmi_sctp_reset_step(struct rmi_sctp *a, int64_t now_us);
void rmi_sctp_on_reset_timer(struct rmi_sctp *a, int64_t now_us);
void rmi_sctp_on_reset_answer_timer(struct rmi_sctp *a, int64_t now_us);
/* The cumulative TSN moved while `resets_deferred`. */
void rmi_sctp_reset_deferred(struct rmi_sctp *a);
/* Sent after its stream was closed, and that has still to happen here. */
bool rmi_sctp_waits_for_reset(const struct rmi_sctp *a, const struct rmi_sctp_data *d);
/* The peer closed its direction, or still sends although ours is closed. */
void rmi_sctp_peer_has_reset(struct rmi_sctp *a, uint16_t id);
void rmi_sctp_peer_still_sends(struct rmi_sctp *a, int64_t now_us, uint16_t id);
void rmi_sctp_on_peer_reset_timer(struct rmi_sctp *a, int64_t now_us);

#endif
