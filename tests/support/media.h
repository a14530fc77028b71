/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMT_MEDIA_H
#define RMT_MEDIA_H

#include "peer/rtp_session.h"
#include "support/api.h"
#include <pthread.h>
#include <remotemedia/webrtc_session.h>
#include <sys/types.h>

/* Media for tests of the public interface: somebody who plays, and somebody who listens. */

/* What is played by rmt_play: pictures, dark on the left and bright on the right, and a tone. */
struct rmt_source {
    rm_webrtc *t;
    const char *to;              /* NULL: to all */
    rm_webrtc_session *session;  /* into this instead; NULL */
    uint32_t width, height, fps; /* 0: no pictures */
    bool noisy;                  /* pictures of noise, which take all the bits there are */
    bool loud_noise;             /* noise instead of a tone */
    uint32_t sound_us;           /* length of a chunk; 0: no sound */
    float amplitude;             /* of the sound */
    /* Results. */
    uint64_t pictures, chunks, refused;
    rm_err last_error;
    /* Its own. */
    int64_t next_picture_us, next_sound_us;
    uint32_t state;
};
#define RMT_DARK 60
#define RMT_BRIGHT 180

/* Plays all sources in real time until until(ctx) is true; false after timeout_ms. `until` NULL: plays for that time,
 * true. */
bool rmt_play(struct rmt_source *sources, size_t count, bool (*until)(void *ctx), void *ctx, int timeout_ms);
/* Sends one chunk of sound, or picture, now. */
rm_err rmt_send_sound(struct rmt_source *s, uint32_t length_us);
rm_err rmt_send_picture(struct rmt_source *s);

/* What one peer sent, as on_media tells. */
struct rmt_heard {
    char peer[RM_PEER_ID_MAX];
    uint64_t pictures, chunks, samples;
    uint32_t width, height, chunk_samples; /* of the last */
    int left, right;                       /* mean brightness of the halves of the last picture */
    double rms;                            /* of the last chunk */
};

#define RMT_HEARD_MAX 8
struct rmt_ear {
    pthread_mutex_t mutex;
    struct rmt_heard heard[RMT_HEARD_MAX];
    size_t count;
    uint64_t outputs; /* on_output */
};
void rmt_ear_init(struct rmt_ear *ear);
void rmt_ear_fini(struct rmt_ear *ear);
/* Callbacks for a configuration whose user is the ear. */
void rmt_on_media(const char *peer_id, rm_runtime_data *data, void *user);
void rmt_on_output(const char *peer_id, const struct rm_transport_data *output, void *user);
struct rmt_heard rmt_heard_of(struct rmt_ear *ear, const char *peer);

/* Both sides of a call in a room of their own; `ear` may be NULL. Joins "b" first, then "a", and waits until both are
 * connected. Changes of the configurations come before. */
struct rmt_call {
    rm_webrtc_config config_a, config_b;
    rm_webrtc *a, *b;
    struct rmt_ear ear_a, ear_b; /* what they hear */
};
void rmt_call_prepare(struct rmt_call *call, const struct rmi_signaling_thread *s, const char *room);
void rmt_call_connect(struct rmt_call *call);
void rmt_call_end(struct rmt_call *call);

rm_media_stats rmt_stats(rm_webrtc *t, const char *peer);
/* Statistics of the RTP session with a peer, which the public ones do not show. */
struct rmi_rtp_session_stats rmt_rtp_stats(rm_webrtc *t, const char *peer);
/* Has a transport of this process lose `percent` of the media that arrives at its only socket. */
void rmt_lose_media(rm_webrtc *t, unsigned percent);

rm_manifest *rmt_manifest(const char *yaml);

/* A test that runs parts of itself as other processes: starts this program again with these arguments. */
pid_t rmt_spawn(const char *role, const char *url);

#endif
