/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_WEBRTC_MEDIA_PRIVATE_H
#define RMI_WEBRTC_MEDIA_PRIVATE_H

#include "base/list.h"
#include "base/pool.h"
#include "base/ring.h"
#include "base/time.h"
#include "frame/json_text.h"
#include "jitter/sync.h"
#include "session/audio_fec.h"
#include "session/audio_receiver.h"
#include "session/audio_sender.h"
#include "session/audio_share.h"
#include "session/media_clock.h"
#include "session/quality.h"
#include "session/rungs.h"
#include "session/video_ladder.h"
#include "session/video_receiver.h"
#include "session/video_sender.h"
#include "webrtc/media.h"
#include "webrtc/session_hooks.h"
#include "webrtc/webrtc_private.h"
#include <remotemedia/router.h>

#define RMI_MEDIA_FORMATS 4       /* enum rmi_payload_format */
#define RMI_MEDIA_QUEUE 2         /* pictures waiting for their encoder: one at work, one next; more is only delay */
#define RMI_MEDIA_SEQUENCES 256   /* inputs a pipeline may hold whose time is still known */
#define RMI_MEDIA_OLD_SESSIONS 4  /* that end what they have, at the same time */
#define RMI_MEDIA_REQUESTS 16     /* of a peer for another pipeline, waiting for the lane */
#define RMI_MEDIA_AUDIO_RING 512  /* packets between threads: over a second of the shortest Opus frames */
#define RMI_MEDIA_VIDEO_RING 2048 /* a second at 20 Mbit/s */

/* A received payload on its way to a media thread; lies at the head of its buffer, the payload behind it. */
struct rmi_media_packet {
    struct rmi_buf *buf;
    enum rmi_payload_format format;
    uint32_t ssrc, timestamp;
    uint16_t seq;
    bool marker, padding, repaired;
    int64_t arrival_us;
    uint32_t len;
};

#define RMI_MEDIA_NO_PICTURES 1u /* as a target */

struct rmi_media_output;

/* One thing that is encoded: for the peers of an output, or for one. */
struct rmi_media_track {
    struct rmi_media *media;
    struct rmi_media_peer *peer;     /* whose own it is, or NULL */
    struct rmi_media_output *output; /* that it is of, or NULL */
    int rung;                        /* of the output's pictures; 0 of a peer's own */
    bool has_pictures;               /* network thread: some have come lately */
    atomic_bool used;                /* something was sent */
    atomic_bool by_application;      /* not by a pipeline alone */
    atomic_uint formats;             /* that somebody can receive, bit for each; set by the network thread */
    atomic_uint keys;                /* formats that need a key frame */
    _Atomic int64_t
        key_time_us; /* of the picture that last became, or becomes, one that was asked for; 0: none since */
    atomic_uint max_width, max_height; /* of a peer's own pictures, by its wish; 0: as set */
    atomic_int fec_percent;            /* of sound: the loss that its FEC shall be for; 0: none */
    struct rmi_audio_fec fec;          /* network thread: finds it */
    atomic_bool full;                  /* sound as configured is made; */
    atomic_uint narrow_bps;            /* beside it, or alone, for narrow paths; 0: not */
    atomic_bool change;                /* somebody waits to change over between these */
    atomic_bool offered;               /* pictures have come since the network thread looked */
    atomic_uint target_bps;            /* of video, by congestion control; 0: as set; or RMI_MEDIA_NO_PICTURES */

    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t wake;
    struct rmi_audio_sender *audio;
    int fec_applied; /* fec_percent, as `audio` has it */
    bool has_thread, stop;
    rm_runtime_data *queue[RMI_MEDIA_QUEUE];
    int64_t queued_at_us[RMI_MEDIA_QUEUE], queued_time_us[RMI_MEDIA_QUEUE]; /* handed over; taken */
    unsigned queued;
    bool encoding; /* one thread at a time has the encoders: the track's, or one that sends what is encoded already */
    struct rmi_media_clock clock; /* of a peer's own pictures */
    struct rmi_video_sender_settings settings;
    struct rmi_video_sender_stats video_stats;
    struct rmi_audio_sender_stats audio_stats;
    int64_t waited_us;   /* of pictures for the encoder, smoothed */
    uint64_t superseded; /* pictures dropped because the encoder was slower */
    uint64_t refused;    /* pictures in a format or codec that is not sent */
    int64_t encoded_us;  /* when the last one was */

    /* Of the thread that set `encoding`. */
    struct rmi_video_sender *video[RMI_MEDIA_FORMATS];
    struct rmi_video_sender_settings applied[RMI_MEDIA_FORMATS];
    int64_t wanted_at_us[RMI_MEDIA_FORMATS];
    int64_t key_at_us[RMI_MEDIA_FORMATS]; /* last asked of the encoder; 0: never */
    struct rmi_video_ladder ladder;
};

/* What several peers get the same of: sound, and pictures in up to RMI_RUNGS_MAX qualities. */
struct rmi_media_output {
    struct rmi_list node; /* media->outputs */
    struct rmi_media *media;
    char name[RM_ROUTER_ID_MAX]; /* "": what is sent to all */
    atomic_uint refs;
    atomic_bool closed; /* the network thread has still to take its peers off it */
    struct rmi_media_track audio;
    struct rmi_media_track rungs[RMI_RUNGS_MAX];
    struct rmi_rung_memory memory; /* network thread */
    atomic_bool passing;           /* its pictures come encoded, and cannot be made smaller */

    pthread_mutex_t mutex;        /* of all below */
    struct rmi_media_clock clock; /* of its pictures: one for all rungs, so that peers may change between them */
    struct rmi_video_sender_settings settings;
    struct rmi_rungs ladder; /* by these */
};

/* A peer shall get something else; waits for the network thread. */
struct rmi_media_route {
    struct rmi_list node;
    struct rmi_media_peer *peer;
    enum rmi_rtp_kind kind;
    struct rmi_media_output *output;
    rm_quality cap;
};

struct rmi_media_rate {
    int64_t at_us;
    uint64_t bytes, frames;
    double bps, fps;
};

/* Where the counters stood at the last look, and shares of the last seconds. */
struct rmi_media_judged {
    int64_t at_us;
    uint64_t samples, concealed;
    int64_t frozen_us;
    double concealed_share, frozen_share; /* 0..1, smoothed */
};

struct rmi_media_report {
    bool fresh;
    uint64_t ntp;
    uint32_t timestamp;
};

/* Sound of a pipeline that waits for its time, in server mode; see media_speech.c. */
struct rmi_media_speech {
    pthread_mutex_t mutex; /* held while a piece is encoded */
    struct rmi_list pieces;
    int64_t waiting_us; /* their length */
    int64_t until_us;   /* what was sent lasts until then */
};

/* A session whose place another has taken. */
struct rmi_media_old {
    rm_stream_session *session;
    char id[RM_SESSION_ID_MAX];
    bool finished; /* has put out everything */
    int64_t until_us;
};

/* A peer wants another pipeline for its session. */
struct rmi_media_request {
    struct rmi_list node;
    rm_runtime_data *action; /* JSON: "manifest", or "node_id" and "params"; "request" */
};

/* What is wanted of peers. */
struct rmi_media_wish {
    char peer_id[RM_PEER_ID_MAX];
    rm_subscription wish;
};
struct rmi_media_wishes { /* with media->mutex */
    rm_subscription others;
    struct rmi_media_wish of[RM_SUBSCRIPTIONS_MAX];
    size_t count;
};

struct rmi_media_peer {
    struct rmi_list node; /* media->peers while it is up */
    struct rmi_media *media;
    char id[RM_PEER_ID_MAX];
    atomic_uint refs;
    atomic_bool closing;
    struct rmi_media_track own[RMI_RTP_KINDS];

    /* Network thread. */
    struct rmi_rtp_session *rtp;                  /* NULL: down */
    int format[RMI_RTP_KINDS];                    /* that we send, -1: none */
    struct rmi_media_output *from[RMI_RTP_KINDS]; /* what it gets unless it has its own; NULL: nothing */
    rm_quality cap;                               /* of these pictures at most */
    struct rmi_rung_peer place;                   /* of them */
    struct rmi_audio_share_peer sound;            /* how much of its path the sound may take, */
    const struct rmi_media_track *sound_from;     /* of this; only compared */
    rm_subscription wish, told_wish;              /* the peer's; ours, as it knows it */
    bool hears[RMI_RTP_KINDS];                    /* we take of it */
    struct rmi_media_rate in[RMI_RTP_KINDS], out[RMI_RTP_KINDS];
    struct rmi_media_judged judged;
    struct rmi_quality quality; /* of the last seconds */
    double fec_loss;            /* of what it is sent, where FEC would help its sound; else 0 */
    double target_bps;          /* of its pictures; 0: none */
    double available_bps;       /* of all; 0: unknown */
    rm_bandwidth bandwidth, bandwidth_next;
    bool has_lane;
    uint8_t audio_level; /* of the latest packet with sound, -dBov */

    struct rmi_ring *audio_ring, *video_ring; /* network thread -> sound thread, -> lane */
    atomic_bool audio_idle;                   /* the sound thread has to be woken for a packet */
    atomic_bool paused;                       /* the session gets nothing and gives nothing */
    atomic_bool video_unwanted;               /* for the lane: by us */
    atomic_bool can[RMI_RTP_KINDS];           /* be sent something: negotiated */
    atomic_bool ask_key;                      /* for the network thread: the remote's key frame is needed */
    _Atomic int64_t video_delay_us, rtt_us;   /* for the lane */

    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t wake;   /* lane */
    bool woken;
    rm_stream_session *session;
    bool session_stopped;          /* a node has ended it */
    rm_manifest *session_manifest; /* of session */
    uint32_t session_generation;   /* of the application's pipeline that it is, or that the peer has changed */
    unsigned session_users[2];     /* who is handing something over; of the session of an even, of an odd number */
    unsigned session_number;
    struct rmi_media_old old[RMI_MEDIA_OLD_SESSIONS]; /* in the order in which they ran */
    size_t old_count;
    struct rmi_list requests;
    size_t request_count;
    struct rmi_media_report reports[RMI_AV_KINDS];
    struct rmi_av_timing video_timing;
    struct rmi_audio_receiver_stats audio_stats;
    struct rmi_video_receiver_stats video_stats, video_past; /* since the first one; of those before */
    enum rmi_payload_format video_format;
    int64_t skew_us;
    uint64_t outputs, node_errors, outputs_lost;
    int64_t loss_told_us;               /* of outputs */
    int64_t pipeline_us[RMI_RTP_KINDS]; /* smoothed */

    _Atomic uint64_t sequence; /* inputs of the session so far */
    _Atomic int64_t input_at_us[RMI_MEDIA_SEQUENCES];

    struct rmi_media_speech speech;

    struct rmi_media_member member; /* of shared sessions */

    /* Sound thread. */
    struct rmi_audio_receiver *audio;
    struct rmi_av_sync sync;
    int64_t synced_us;
    /* Lane. */
    struct rmi_video_receiver *video;
    uint32_t generation; /* of the pipeline that runs */
};

struct rmi_media_call { /* an application's callback under way */
    struct rmi_list node;
    pthread_t thread;
};

struct rmi_media_item { /* outbox */
    struct rmi_list node;
    const struct rmi_rtp_batch *batch;
    struct rmi_media_peer *peer;     /* reference; NULL: those of */
    struct rmi_media_output *output; /* reference, or NULL */
    int rung;
    bool narrow; /* of sound */
};

struct rmi_media {
    struct rm_webrtc *t;
    int priority; /* of ordinary threads */
    struct rmi_pool *packets, *items;
    struct rmi_job flush;
    struct rmi_timer *tick;       /* network thread: rates and targets, once a second */
    struct rmi_media_output *all; /* what peers get that are routed to nothing else */
    atomic_bool wants_media;      /* somebody takes what comes in */
    atomic_uint encoders;         /* of pictures, open */
    bool copy_sound;              /* set before start */

    pthread_mutex_t outputs_mutex; /* before all other mutexes */
    struct rmi_list outputs;

    pthread_mutex_t pipeline_mutex; /* held while a session is made, so that its runner stays; before `mutex` */
    pthread_mutex_t mutex;          /* of all below */
    pthread_cond_t wake;            /* sound thread */
    pthread_cond_t ended;           /* a peer was freed */
    bool running, stopped, stop, woken, refresh;
    struct rmi_list peers; /* changed by the network thread only */
    uint32_t peers_generation;
    size_t live;              /* peers not freed yet */
    size_t threads;           /* of peers: started and not at their end yet */
    pthread_t *ended_threads; /* to be joined, which takes no time any more */
    size_t ended_count, ended_cap;
    struct rmi_list outbox, routes, calls;
    struct rmi_media_wishes wishes;
    uint64_t outbox_full;
    pthread_t audio_thread;
    rm_pipeline_runner *runner;
    rm_manifest *manifest;
    uint32_t pipeline_generation;

    struct rmi_media_sessions sessions; /* shared ones; it says what belongs to whom */
};

/* media.c */
rm_err rmi_media_cond_init(pthread_cond_t *cond); /* on the monotonic clock */
/* Until woken or the deadline (RMI_NEVER: no deadline). */
void rmi_media_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_us);
struct rmi_media_peer *rmi_media_peer_ref(struct rmi_media_peer *p);
void rmi_media_peer_unref(struct rmi_media_peer *p);
/* A reference, or NULL. */
struct rmi_media_peer *rmi_media_find(struct rmi_media *m, const char *peer_id);
/* The manifest of the pipeline, a new reference; NULL: none is set. */
rm_manifest *rmi_media_pipeline(struct rmi_media *m);
bool rmi_media_has_pipeline(struct rmi_media *m);
/* False: the transport is being destroyed, and no callback begins any more. */
bool rmi_media_enter(struct rmi_media *m, struct rmi_media_call *call);
void rmi_media_leave(struct rmi_media *m, struct rmi_media_call *call);
void rmi_media_ask_network(struct rmi_media *m, bool refresh);
void rmi_media_wake_audio(struct rmi_media *m);
void rmi_media_wake_lane(struct rmi_media_peer *p);
/* A thread that calls rmi_media_thread_end as its last act, when it has given its references back. RM_E_IO,
 * RM_E_NO_MEMORY. */
rm_err rmi_media_thread_start(struct rmi_media *m, void *(*main)(void *), void *arg);
void rmi_media_thread_end(struct rmi_media *m);
void rmi_media_join_ended(struct rmi_media *m); /* network thread */
void rmi_media_free_packet(struct rmi_media_packet *packet);
void rmi_media_drop_item(struct rmi_media *m, struct rmi_media_item *item);

/* media_network.c: what runs on the network thread */
void rmi_media_flush(void *media);
void rmi_media_tick(void *media, int64_t now_us);

/* media_audio.c */
void *rmi_media_audio_main(void *media);

/* media_lane.c */
void *rmi_media_lane_main(void *peer);

/* media_session.c: a peer's pipeline session. On the lane: */
int64_t rmi_media_session_step(struct rmi_media_peer *p); /* what is due for it, and when again */
void rmi_media_session_end(struct rmi_media_peer *p);
/* On any thread: the session, which does not end before it is released; NULL: there is none just now. *turn is for
 * releasing it. */
rm_stream_session *rmi_media_hold_session(struct rmi_media_peer *p, unsigned *turn);
void rmi_media_release_session(struct rmi_media_peer *p, unsigned turn);
/* On any thread: one item into the session, or to the application. */
void rmi_media_deliver(struct rmi_media_peer *p, rm_runtime_data *data);
/* An event about this peer from one of its media threads; it may be answered with rm_webrtc_destroy, which must know
 * where it is called. */
void rmi_media_tell(struct rmi_media_peer *p, rm_event *ev);
void rmi_media_drop_requests(struct rmi_media_peer *p);

/* control_session.c: what a peer asks of the session it has here. On the network thread; the answer to the first comes
 * from the lane. RM_E_STATE: no pipeline; RM_E_LIMIT: too many wait; RM_E_NO_MEMORY. */
rm_err rmi_control_reconfigure(struct rmi_media *m, const char *peer_id, rm_runtime_data *action);
rm_err rmi_control_pause(struct rmi_media *m, const char *peer_id, bool pause);
/* Its nodes' names, to be freed; NULL: no session. */
json_t *rmi_control_nodes(struct rmi_media *m, const char *peer_id, bool *paused);
/* On the lane: the manifest that a request asks for; NULL with its faults (an array of lines) and *err. */
rm_manifest *rmi_control_manifest(struct rmi_media_peer *p, rm_runtime_data *action, rm_err *err, json_t *faults);
/* On the lane: the answer. */
void rmi_control_reconfigured(struct rmi_media_peer *p, rm_runtime_data *action, rm_err err, json_t *faults);

/* media_wish.c */
void rmi_media_wishes_init(struct rmi_media_wishes *w);
/* The rest on the network thread. Ours: what has changed is told, and what comes goes by it. */
void rmi_media_follow_wishes(struct rmi_media *m);
void rmi_media_set_wish(struct rmi_media *m, const char *peer_id, const rm_subscription *wish); /* a peer's */
void rmi_media_peer_wishes_init(struct rmi_media_peer *p);
bool rmi_media_wanted(const struct rmi_media_peer *p, int kind); /* by the peer */
rm_quality rmi_media_cap(const struct rmi_media_peer *p);        /* of its pictures: by its route and its wish */

/* media_speech.c */
void rmi_media_speech_init(struct rmi_media_speech *s);
void rmi_media_speech_fini(struct rmi_media_speech *s);
/* Sound for the peer's own track. RM_E_AGAIN: a minute of it waits. RM_E_NO_MEMORY, and what the encoder gives. */
rm_err rmi_media_speech_put(struct rmi_media_peer *p, rm_runtime_data *audio);
/* Lane: sends what is due; the next deadline. */
int64_t rmi_media_speech_serve(struct rmi_media_peer *p);
/* Throws away what waits; how many pieces of 20 ms. */
uint64_t rmi_media_speech_flush(struct rmi_media_peer *p);

/* media_track.c */
/* Of a peer, or of an output. */
rm_err rmi_media_track_init(struct rmi_media_track *track, struct rmi_media *m, struct rmi_media_peer *peer,
                            struct rmi_media_output *output);
void rmi_media_track_stop(struct rmi_media_track *track); /* its thread ends soon */
void rmi_media_track_fini(struct rmi_media_track *track);
rm_err rmi_media_track_audio(struct rmi_media_track *track, rm_runtime_data *audio);
rm_err rmi_media_track_video(struct rmi_media_track *track, rm_runtime_data *video);
/* With its time on the local clock. */
rm_err rmi_media_track_video_at(struct rmi_media_track *track, rm_runtime_data *video, int64_t time_us);
void rmi_media_track_configure(struct rmi_media_track *track, const struct rmi_video_sender_settings *settings);
/* The settings a transport begins with. */
void rmi_media_default_settings(const rm_webrtc_config *config, struct rmi_video_sender_settings *out);

/* media_output.c: on any thread, before the transport stops. RM_E_NO_MEMORY; RM_E_INVALID_ARG: the name is too long. */
rm_err rmi_media_output_create(struct rmi_media *m, const char *name, struct rmi_media_output **out);
/* Its peers get again what is sent to all. Nulls. What it has encoded already may still be sent. */
void rmi_media_output_destroy(struct rmi_media_output **output);
void rmi_media_output_stop(struct rmi_media_output *o); /* its threads end soon */
/* Its best pictures; any thread. */
void rmi_media_output_configure(struct rmi_media_output *o, const struct rmi_video_sender_settings *settings);
void rmi_media_configure_outputs(struct rmi_media *m, const struct rmi_video_sender_settings *settings); /* all */
/* To all its peers; errors of rm_webrtc_send_audio and _video. Any number of threads at a time; order is theirs. */
rm_err rmi_media_output_audio(struct rmi_media_output *o, rm_runtime_data *audio);
rm_err rmi_media_output_video(struct rmi_media_output *o, rm_runtime_data *video);
/* From now on `p` gets that (NULL: nothing of this kind), unless it has its own; pictures begin with a key frame, and
 * are at most of quality `cap` (NULL: no wish). Soon, in the order of the calls; a peer that has gone is left alone.
 * RM_E_NO_MEMORY, RM_E_CLOSED. */
rm_err rmi_media_ask_route(struct rmi_media_peer *p, enum rmi_rtp_kind kind, struct rmi_media_output *output,
                           const rm_quality *cap);
struct rmi_media_output *rmi_media_output_ref(struct rmi_media_output *o);
void rmi_media_output_unref(struct rmi_media_output *o);
/* On the network thread: the same at once. */
void rmi_media_route(struct rmi_media_peer *p, enum rmi_rtp_kind kind, struct rmi_media_output *output,
                     const rm_quality *cap);
void rmi_media_follow_routes(struct rmi_media *m); /* those that wait; outputs that have ended */
void rmi_media_drop_routes(struct rmi_media *m);
void rmi_media_sweep_outputs(struct rmi_media *m);   /* that have ended: their peers get again what is sent to all */
void rmi_media_refresh(struct rmi_media *m);         /* what encoders make, after anything has changed */
void rmi_media_refresh_targets(struct rmi_media *m); /* formats have not */
void rmi_media_note_pictures(struct rmi_media *m);   /* of which sources some have come; about once a second */
/* FEC of all sound by what its peers lose (fec_loss); about once a second. */
void rmi_media_refresh_fec(struct rmi_media *m, int64_t now_us);
/* A key frame for this peer, in what it is sent. */
void rmi_media_key_wanted(struct rmi_media_peer *p);
/* A batch of an output to its peers. */
void rmi_media_output_send(const struct rmi_media_item *item, int64_t now_us);
/* A batch of its own to the peer, which is up. */
void rmi_media_own_send(const struct rmi_media_item *item, int64_t now_us);
/* Of the pictures it gets, for statistics; NULL: none. */
struct rmi_media_track *rmi_media_video_track(struct rmi_media_peer *p);

#endif
