/* SPDX-License-Identifier: Apache-2.0 */
#include "support/media.h"

#include "base/time.h"
#include "io/loop.h"
#include "io/sockaddr.h"
#include "webrtc/media_private.h"
#include <linux/filter.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RATE_HZ 48000
#define TONE_HZ 440.0
#define NOISE_RANGE 24    /* more could not be coded at the lower rates */
#define IDLE_US RMI_MS(5) /* between questions to `until` */
#define CONNECT_MS 20000
#define LOSS_LEAST_BYTES 200 /* keeps connectivity checks, DTLS records and reports whole */

/* ---- playing ---- */

static uint32_t next_random(struct rmt_source *s) { /* xorshift: quick and the same in every run */
    s->state = s->state ? s->state : 2463534242u;
    s->state ^= s->state << 13;
    s->state ^= s->state >> 17;
    s->state ^= s->state << 5;
    return s->state;
}

rm_err rmt_send_sound(struct rmt_source *s, uint32_t length_us) {
    size_t count = (size_t)length_us * (RATE_HZ / 1000) / 1000;
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    RMT_REQUIRE(rm_buf_create(count * sizeof(float), &buf) == RM_OK);
    float *samples = (float *)(void *)rm_buf_write(buf);
    for (size_t i = 0; i < count; i++) {
        double at = (double)(s->chunks * count + i) / RATE_HZ;
        samples[i] = s->loud_noise ? s->amplitude * ((float)(next_random(s) & 0xffff) / 32768.0F - 1.0F)
                                   : s->amplitude * (float)sin(2 * M_PI * TONE_HZ * at);
    }
    RMT_REQUIRE(rm_runtime_data_create_audio(buf, 0, count, RATE_HZ, 1, &data) == RM_OK);
    rm_err err = s->session ? rm_webrtc_session_send_input(s->session, data) : rm_webrtc_send_audio(s->t, s->to, data);
    s->chunks++;
    rm_runtime_data_unref(&data);
    rm_buf_unref(&buf);
    return err;
}

rm_err rmt_send_picture(struct rmt_source *s) {
    size_t size = rm_video_packed_size(RM_PIXEL_I420, s->width, s->height), luma = (size_t)s->width * s->height;
    rm_buf *buf = NULL;
    rm_runtime_data *data = NULL;
    RMT_REQUIRE(size > 0 && rm_buf_create(size, &buf) == RM_OK);
    uint8_t *pixels = rm_buf_write(buf);
    for (size_t i = 0; i < luma; i++)
        pixels[i] = s->noisy                      ? (uint8_t)(RMT_DARK + next_random(s) % NOISE_RANGE)
                    : i % s->width < s->width / 2 ? RMT_DARK
                                                  : RMT_BRIGHT;
    memset(pixels + luma, 128, size - luma);
    RMT_REQUIRE(rm_runtime_data_create_video(buf, 0, RM_PIXEL_I420, s->width, s->height, s->pictures, rmi_now_us(),
                                             &data) == RM_OK);
    rm_err err = s->session ? rm_webrtc_session_send_input(s->session, data) : rm_webrtc_send_video(s->t, s->to, data);
    s->pictures++;
    rm_runtime_data_unref(&data);
    rm_buf_unref(&buf);
    return err;
}

static void note(struct rmt_source *s, rm_err err) {
    s->refused += err != RM_OK;
    s->last_error = err ? err : s->last_error;
}

/* What is due of one source; when it wants to be asked again. A machine that was held up drops what it missed. */
static int64_t play_due(struct rmt_source *s, int64_t now_us) {
    int64_t next = RMI_NEVER;
    if (s->sound_us) {
        if (now_us >= s->next_sound_us) {
            note(s, rmt_send_sound(s, s->sound_us));
            s->next_sound_us = rmi_max64(s->next_sound_us, now_us - RMI_MS(100)) + s->sound_us;
        }
        next = s->next_sound_us;
    }
    if (s->fps) {
        if (now_us >= s->next_picture_us) {
            note(s, rmt_send_picture(s));
            s->next_picture_us = rmi_max64(s->next_picture_us, now_us - RMI_MS(100)) + RMI_SEC(1) / s->fps;
        }
        next = rmi_min64(next, s->next_picture_us);
    }
    return next;
}

bool rmt_play(struct rmt_source *sources, size_t count, bool (*until)(void *ctx), void *ctx, int timeout_ms) {
    int64_t end_us = rmi_now_us() + RMI_MS(timeout_ms);
    for (;;) {
        int64_t now_us = rmi_now_us(), next = now_us + IDLE_US;
        if (until && until(ctx))
            return true;
        if (now_us >= end_us)
            return !until;
        for (size_t i = 0; i < count; i++)
            next = rmi_min64(next, play_due(&sources[i], now_us));
        struct timespec at = {.tv_sec = (time_t)(next / RMI_SEC(1)), .tv_nsec = (long)(next % RMI_SEC(1)) * 1000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    }
}

/* ---- listening ---- */

void rmt_ear_init(struct rmt_ear *ear) {
    memset(ear, 0, sizeof *ear);
    pthread_mutex_init(&ear->mutex, NULL);
}

void rmt_ear_fini(struct rmt_ear *ear) {
    pthread_mutex_destroy(&ear->mutex);
}

static struct rmt_heard *entry(struct rmt_ear *ear, const char *peer) { /* with its mutex */
    for (size_t i = 0; i < ear->count; i++)
        if (!strcmp(ear->heard[i].peer, peer))
            return &ear->heard[i];
    RMT_REQUIRE(ear->count < RMT_HEARD_MAX);
    snprintf(ear->heard[ear->count].peer, sizeof ear->heard[0].peer, "%s", peer);
    return &ear->heard[ear->count++];
}

static int mean(const rm_video *v, uint32_t from, uint32_t to) {
    uint64_t sum = 0;
    for (uint32_t y = 0; y < v->height; y++)
        for (uint32_t x = from; x < to; x++)
            sum += v->planes[0][y * v->strides[0] + x];
    return (int)(sum / ((uint64_t)v->height * (to - from)));
}

void rmt_on_media(const char *peer_id, rm_runtime_data *data, void *user) {
    struct rmt_ear *ear = user;
    const rm_audio *a = rm_runtime_data_audio(data);
    const rm_video *v = rm_runtime_data_video(data);
    pthread_mutex_lock(&ear->mutex);
    struct rmt_heard *h = entry(ear, peer_id);
    if (a) {
        double sum = 0;
        for (size_t i = 0; i < a->sample_count; i++)
            sum += (double)a->samples[i] * (double)a->samples[i];
        h->chunks++;
        h->samples += a->frame_count;
        h->chunk_samples = (uint32_t)a->frame_count;
        h->rms = a->sample_count ? sqrt(sum / (double)a->sample_count) : 0;
    } else if (v) {
        h->pictures++;
        h->width = v->width;
        h->height = v->height;
        h->left = mean(v, 0, v->width / 2);
        h->right = mean(v, v->width / 2, v->width);
    }
    pthread_mutex_unlock(&ear->mutex);
}

void rmt_on_output(const char *peer_id, const struct rm_transport_data *output, void *user) {
    struct rmt_ear *ear = user;
    (void)peer_id;
    RMT_REQUIRE(output->data != NULL);
    pthread_mutex_lock(&ear->mutex);
    ear->outputs++;
    pthread_mutex_unlock(&ear->mutex);
}

struct rmt_heard rmt_heard_of(struct rmt_ear *ear, const char *peer) {
    struct rmt_heard h = {0};
    pthread_mutex_lock(&ear->mutex);
    for (size_t i = 0; i < ear->count; i++)
        if (!strcmp(ear->heard[i].peer, peer))
            h = ear->heard[i];
    pthread_mutex_unlock(&ear->mutex);
    return h;
}

/* ---- calls ---- */

void rmt_call_prepare(struct rmt_call *call, const struct rmi_signaling_thread *s, const char *room) {
    memset(call, 0, sizeof *call);
    rmt_ear_init(&call->ear_a);
    rmt_ear_init(&call->ear_b);
    rmt_config(&call->config_a, s, "a");
    rmt_config(&call->config_b, s, "b");
    call->config_a.room = call->config_b.room = room;
    call->config_a.on_media = call->config_b.on_media = rmt_on_media;
    call->config_a.user = &call->ear_a;
    call->config_b.user = &call->ear_b;
}

void rmt_call_connect(struct rmt_call *call) {
    rm_event ev;
    call->b = rmt_join(&call->config_b);
    RMT_REQUIRE(rmt_wait(call->b, RM_EV_SIGNALING, RM_SIGNALING_READY, &ev, CONNECT_MS));
    call->a = rmt_join(&call->config_a);
    RMT_REQUIRE(rmt_wait(call->a, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, CONNECT_MS));
    RMT_REQUIRE(rmt_wait(call->b, RM_EV_PEER_STATE, RM_PEER_CONNECTED, &ev, CONNECT_MS));
}

void rmt_call_end(struct rmt_call *call) {
    rm_webrtc_destroy(&call->a);
    rm_webrtc_destroy(&call->b);
    rmt_ear_fini(&call->ear_a);
    rmt_ear_fini(&call->ear_b);
}

rm_media_stats rmt_stats(rm_webrtc *t, const char *peer) {
    rm_media_stats s;
    RMT_REQUIRE(rm_webrtc_get_stats(t, peer, &s) == RM_OK);
    return s;
}

struct rtp_question {
    rm_webrtc *t;
    const char *peer;
    struct rmi_rtp_session_stats stats;
};

static void take_rtp_stats(void *ctx) {
    struct rtp_question *q = ctx;
    struct rmi_media_peer *p = rmi_media_find(q->t->media, q->peer);
    RMT_REQUIRE(p != NULL);
    rmi_rtp_session_get_stats(p->rtp, &q->stats);
    rmi_media_peer_unref(p);
}

struct rmi_rtp_session_stats rmt_rtp_stats(rm_webrtc *t, const char *peer) {
    struct rtp_question q = {.t = t, .peer = peer};
    RMT_REQUIRE(rmi_webrtc_call(t, take_rtp_stats, &q) == RM_OK);
    return q.stats;
}

static int socket_at(uint16_t port) {
    for (int fd = 0; fd < (int)sysconf(_SC_OPEN_MAX) && fd < FD_SETSIZE; fd++) {
        struct sockaddr_storage a;
        socklen_t len = sizeof a;
        int type = 0;
        socklen_t type_len = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) || type != SOCK_DGRAM ||
            getsockname(fd, (struct sockaddr *)&a, &len))
            continue;
        if (rmi_addr_from_sockaddr((struct sockaddr *)&a).port == port)
            return fd;
    }
    return -1;
}

void rmt_lose_media(rm_webrtc *t, unsigned percent) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, LOSS_LEAST_BYTES, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(UINT32_MAX / 100.0 * percent), 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    int fd = -1;
    for (size_t i = 0; i < RMI_WEBRTC_SOCKETS_MAX && fd < 0; i++)
        if (t->sockets[i].udp) /* set before the network thread began, and bound to one address: never changes */
            fd = socket_at(rmi_udp_local_addr(t->sockets[i].udp)->port);
    RMT_REQUIRE(fd >= 0);
    RMT_REQUIRE(!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}

static void print_fault(const rm_manifest_fault *fault, void *user) {
    (void)user;
    fprintf(stderr, "%s\n", fault->text);
}

rm_manifest *rmt_manifest(const char *yaml) {
    rm_manifest *m = NULL;
    rm_manifest_options o;
    rm_manifest_options_init(&o);
    o.format = RM_MANIFEST_YAML;
    o.on_fault = print_fault;
    RMT_REQUIRE(rm_manifest_parse(yaml, strlen(yaml), &o, &m) == RM_OK);
    return m;
}

pid_t rmt_spawn(const char *role, const char *url) {
    pid_t child = fork();
    RMT_REQUIRE(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        execl("/proc/self/exe", "/proc/self/exe", role, url, (char *)NULL);
        _exit(127);
    }
    return child;
}
