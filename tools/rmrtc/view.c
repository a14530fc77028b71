/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include "io/loop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_COLUMNS 80
#define TABLE_EVERY_S 5

void view_init(struct view *v, rm_webrtc *t, bool json) {
    memset(v, 0, sizeof *v);
    v->t = t;
    v->json = json;
    v->tty = !json && isatty(STDOUT_FILENO);
    v->dirty = true;
    v->started_us = rmi_now_us();
}

static void take_picture(struct view *v) {
    size_t count = 0;
    if (v->finished || rm_webrtc_peers(v->t, v->peers, VIEW_PEERS_MAX, &count))
        return;
    v->peer_count = count < VIEW_PEERS_MAX ? count : VIEW_PEERS_MAX;
    v->connected_now = 0;
    for (size_t i = 0; i < v->peer_count; i++) {
        v->connected_now += v->peers[i].state == RM_PEER_CONNECTED;
        if (rm_webrtc_get_stats(v->t, v->peers[i].peer_id, &v->media[i]))
            v->media[i].peer_id[0] = '\0';
    }
    if (v->sink) {
        sink_get_stats(v->sink, &v->received);
        v->source_count = sink_get_sources(v->sink, v->sources, RM_PEERS_MAX);
    }
}

static void step(char *out, size_t size, const char *name, double ms) {
    size_t n = strlen(out);
    if (n >= size)
        return;
    if (ms < 0)
        snprintf(out + n, size - n, "  %s -", name);
    else
        snprintf(out + n, size - n, "  %s %.1f", name, ms);
}

/* "RM_E_X: what happened and the remedy (the detail)". */
static void error_text(rm_err err, const char *detail, char *out, size_t size) {
    bool says_more = detail[0] && strcmp(detail, rm_strerror(err)) != 0;
    snprintf(out, size, "%s: %s%s%s%s", rm_err_name(err), rm_strerror(err), says_more ? " (" : "",
             says_more ? detail : "", says_more ? ")" : "");
}

static void peer_line(const rm_peer_info *p, char *out, size_t size) {
    snprintf(out, size, "%-12s %-12s", p->peer_id, rm_peer_state_name(p->state));
    step(out, size, "signaling", p->negotiated_ms);
    step(out, size, "gathering", p->gathered_ms);
    step(out, size, "checking", p->checking_ms);
    step(out, size, "ice", p->ice_ms);
    step(out, size, "dtls", p->dtls_ms);
    step(out, size, "connected", p->connected_ms);
    size_t n = strlen(out);
    if (p->local_type[0] && n < size)
        snprintf(out + n, size - n, " ms  %s-%s  rtt %.2f ms", p->local_type, p->remote_type, p->rtt_ms);
    else if (p->err && n + 2 < size) {
        memcpy(out + n, "  ", 3);
        error_text(p->err, p->detail, out + n + 2, size - n - 2);
    }
}

/* A line that wraps would be two lines to rewrite. */
static size_t terminal_columns(void) {
    struct winsize w;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col : DEFAULT_COLUMNS;
}

static void draw_line(const char *line) {
    printf("\033[2K%.*s\n", (int)(terminal_columns() - 1), line);
}

static size_t draw_media(const rm_media_stats *m) {
    char line[1024];
    size_t drawn = 0;
    for (int k = 0; k < VIEW_MEDIA_LINES && m->peer_id[0]; k++) {
        view_media_line(m, k, line, sizeof line);
        if (!line[0])
            continue;
        draw_line(line);
        drawn++;
    }
    return drawn;
}

static void draw(struct view *v) {
    char line[1024];
    if (v->lines)
        printf("\033[%zuA", v->lines);
    int n = snprintf(line, sizeof line, "signaling %s  ", rm_signaling_state_name(v->signaling));
    if (v->last_err)
        error_text(v->last_err, v->last_detail, line + n, sizeof line - (size_t)n);
    draw_line(line);
    size_t lines = 1;
    for (size_t i = 0; i < v->peer_count; i++) {
        peer_line(&v->peers[i], line, sizeof line);
        draw_line(line);
        lines += 1 + draw_media(&v->media[i]);
    }
    view_latency_line(&v->received, line, sizeof line);
    if (line[0]) {
        draw_line(line);
        lines++;
    }
    for (size_t i = lines; i < v->lines; i++) /* of a longer table before */
        draw_line("");
    v->lines = lines > v->lines ? lines : v->lines;
    fflush(stdout);
}

/* In a file: the table, every few seconds. */
static void print_media(const struct view *v) {
    char line[1024];
    for (size_t i = 0; i < v->peer_count; i++)
        for (int k = 0; k < VIEW_MEDIA_LINES && v->media[i].peer_id[0]; k++) {
            view_media_line(&v->media[i], k, line, sizeof line);
            if (line[0])
                printf("%s %s\n", v->media[i].peer_id, line);
        }
    view_latency_line(&v->received, line, sizeof line);
    if (line[0])
        puts(line);
    fflush(stdout);
}

static void print_change(const struct view *v, const rm_event *ev) {
    char line[1024] = "";
    if (ev->err)
        error_text(ev->err, ev->detail, line, sizeof line);
    if (ev->type == RM_EV_SIGNALING)
        printf("signaling %s%s%s\n", rm_signaling_state_name(ev->signaling), ev->err ? "  " : "", line);
    else if (ev->type == RM_EV_ERROR || ev->type == RM_EV_PIPELINE)
        printf("%s%s%s\n", ev->peer_id, ev->peer_id[0] ? "  " : "", line);
    else if (ev->type == RM_EV_RECONNECTING && !ev->attempt)
        printf("%s  %s\n", ev->peer_id, ev->detail);
    else if (ev->type == RM_EV_RECONNECTING)
        printf("%s  called again in %.1f s (%s)\n", ev->peer_id, ev->delay_ms / 1000.0, ev->detail);
    else if (ev->type == RM_EV_RECOVERED)
        printf("%s  back after %.1f s\n", ev->peer_id, ev->recovery_ms / 1000.0);
    else if (ev->type == RM_EV_BANDWIDTH)
        printf("%s  %s (%.0f kbit/s)\n", ev->peer_id, rm_bandwidth_name(ev->bandwidth), ev->available_bps / 1000.0);
    else if (ev->type == RM_EV_PEER_STATE)
        for (size_t i = 0; i < v->peer_count; i++)
            if (!strcmp(v->peers[i].peer_id, ev->peer_id)) {
                rm_peer_info then = v->peers[i];
                then.state = ev->peer_state; /* the picture may be newer than the event */
                peer_line(&then, line, sizeof line);
                printf("%s\n", line);
                break;
            }
    fflush(stdout);
}

void view_event(struct view *v, const rm_event *ev) {
    v->dirty = true;
    if (ev->type == RM_EV_SIGNALING) {
        v->signaling = ev->signaling;
        v->signaling_failed = ev->signaling == RM_SIGNALING_FAILED;
        if (ev->signaling == RM_SIGNALING_READY)
            v->last_err = RM_OK;
    }
    if (ev->err) {
        v->last_err = ev->err;
        snprintf(v->last_detail, sizeof v->last_detail, "%s", ev->detail);
    }
    if (ev->type == RM_EV_PEER_STATE && ev->peer_state == RM_PEER_CONNECTED)
        v->ever_connected = true;
    if (ev->type == RM_EV_PEER_STATE)
        take_picture(v);
    if (!v->json && !v->tty && !v->finished)
        print_change(v, ev);
}

void view_refresh(struct view *v) {
    if (!v->dirty || v->finished)
        return;
    v->dirty = false;
    take_picture(v);
    if (v->tty)
        draw(v);
}

static json_t *steps_json(const rm_peer_info *p) {
    json_t *o = json_object();
    const struct {
        const char *name;
        double ms;
    } steps[] = {{"signaling", p->negotiated_ms},
                 {"gathering", p->gathered_ms},
                 {"checking", p->checking_ms},
                 {"ice", p->ice_ms},
                 {"dtls", p->dtls_ms},
                 {"connected", p->connected_ms}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        json_object_set_new(o, steps[i].name, steps[i].ms < 0 ? json_null() : json_real(steps[i].ms));
    return o;
}

static json_t *peer_json(const rm_peer_info *p) {
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:f, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:i}", "peer_id",
                          p->peer_id, "state", rm_peer_state_name(p->state), "local_type", p->local_type, "remote_type",
                          p->remote_type, "local_address", p->local_address, "remote_address", p->remote_address,
                          "rtt_ms", p->rtt_ms, "srtp_profile", p->srtp_profile, "steps_ms", steps_json(p), "packets_in",
                          (json_int_t)p->packets_in, "packets_out", (json_int_t)p->packets_out, "bytes_in",
                          (json_int_t)p->bytes_in, "bytes_out", (json_int_t)p->bytes_out, "packets_dropped",
                          (json_int_t)p->packets_dropped, "candidate_pairs", (int)p->candidate_pairs);
    if (o && p->err)
        json_object_set_new(o, "error",
                            json_pack("{s:s, s:s, s:s}", "name", rm_err_name(p->err), "text", rm_strerror(p->err),
                                      "detail", p->detail));
    return o;
}

static double seconds(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void print_json(struct view *v, const char *key, json_t *value) {
    json_t *peers = json_array();
    for (size_t i = 0; i < v->peer_count; i++) {
        json_t *peer = peer_json(&v->peers[i]);
        if (peer && v->media[i].peer_id[0])
            json_object_set_new(peer, "media", view_media_json(&v->media[i]));
        json_array_append_new(peers, peer);
    }
    json_t *o = json_pack("{s:o, s:s, s:s, s:o}", key, value, "peer_id", rm_webrtc_local_peer_id(v->t), "signaling",
                          rm_signaling_state_name(v->signaling), "peers", peers);
    if (o && v->last_err)
        json_object_set_new(o, "error",
                            json_pack("{s:s, s:s}", "name", rm_err_name(v->last_err), "detail", v->last_detail));
    if (o && (v->sink || v->publisher))
        json_object_set_new(o, "media", view_sink_json(v));
    struct rusage used;
    if (o && !getrusage(RUSAGE_SELF, &used))
        json_object_update_new(o, json_pack("{s:f, s:f}", "cpu_s", seconds(used.ru_utime) + seconds(used.ru_stime),
                                            "wall_s", (double)(rmi_now_us() - v->started_us) / 1e6));
    char *text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    if (text)
        puts(text);
    fflush(stdout);
    free(text);
    json_decref(o);
}

/* What a call's beginning takes, key frames and adaptation, would outweigh the minutes after it in a percentile. */
static void settle(struct view *v) {
    int64_t first_us = v->received.first_picture_us;
    if (v->settled || !v->settle_us || !first_us || rmi_now_us() - first_us < v->settle_us)
        return;
    v->settled = true;
    sink_forget_ages(v->sink);
}

void view_tick(struct view *v, int64_t elapsed_us) {
    take_picture(v);
    if (v->json)
        print_json(v, "time_s", json_real((double)elapsed_us / 1e6));
    else if (v->tty)
        draw(v);
    else if (elapsed_us / 1000000 % TABLE_EVERY_S == 0)
        print_media(v);
    settle(v);
}

void view_finish(struct view *v) {
    take_picture(v);
    if (v->tty)
        draw(v);
    v->finished = true;
}

void view_summary(struct view *v) {
    if (v->json) {
        print_json(v, "summary", json_true());
        return;
    }
    if (!v->tty)
        print_media(v);
    printf("%zu peer%s connected at the end; as %s\n", v->connected_now, v->connected_now == 1 ? "" : "s",
           rm_webrtc_local_peer_id(v->t));
    if (!v->ever_connected) {
        char line[1024];
        if (v->last_err) {
            error_text(v->last_err, v->last_detail, line, sizeof line);
            printf("no peer was connected: %s\n", line);
        } else
            printf("no peer was connected: nobody else was in the room\n");
    }
}
