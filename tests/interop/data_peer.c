/* SPDX-License-Identifier: Apache-2.0 */
/* rmrtc's side of the data channel tests: data_peer URL ROOM [LONGEST]
 *
 * Joins the room as "rm". Once connected it opens channels of every kind, labelled "rm-...", sends messages of many
 * sizes that the other side, "page", has to send back, closes them, and sends some megabytes on "rm-bulk", which the
 * other side answers with their number and CRC-32. What comes on channels labelled "page-..." it sends back. It ends
 * when the other side has said how it fared, on "page-report", and prints "ready" when it is in the room and one JSON
 * line at its end; the exit code is 0 only when both fared well. Messages are at most LONGEST bytes, where the other
 * side takes less than it says. */
#include <inttypes.h>
#include <pthread.h>
#include <remotemedia/webrtc_data.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 30000
#define LOSSY_TRIES 15
#define LOSSY_MS 1000
/* Without retransmissions every packet of a message has to arrive: 225 of them overflow a browser's socket now and
 * then. */
#define UNREPEATED_MAX ((size_t)16384)
#define BULK_BYTES ((size_t)16 << 20)
#define PIECE_MAX ((size_t)256 << 10) /* what browsers take */
#define NEGOTIATED_ID 100             /* the page has the same two in its code */
#define PAGE_NEGOTIATED_ID 101
#define CRC_POLYNOMIAL 0xEDB88320u /* CRC-32 as in zlib, which every other side has */

struct side {
    rm_webrtc *t;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint8_t *reply; /* the last message on a channel of ours */
    size_t reply_size;
    bool reply_binary, has_reply;
    char report[RM_DETAIL_MAX]; /* of the other side */
    unsigned echoed;
    rm_err echo_err;
    bool opened[RM_CHANNELS_MAX], closed[RM_CHANNELS_MAX], any_opened, writable, has_report;
    bool lost; /* the connection ended */
    size_t longest;
    char fault[256];
};

static const struct {
    const char *label;
    bool unordered, negotiated;
    int32_t max_retransmits, max_lifetime_ms;
} kinds[] = {{"rm-reliable", false, false, -1, -1},   {"rm-unordered", true, false, -1, -1},
             {"rm-retransmits", false, false, 5, -1}, {"rm-unordered-none", true, false, 0, -1},
             {"rm-lifetime", false, false, -1, 3000}, {"rm-unordered-lifetime", true, false, -1, 3000},
             {"rm-negotiated", false, true, -1, -1}};

static const size_t sizes[] = {1, 0, 2, 1000, 1163, 1200, 16384, 65535, 65536, 262144};

static void on_data(const char *peer_id, uint16_t channel, const char *label, bool binary, const uint8_t *data,
                    size_t size, void *user) {
    struct side *s = user;
    pthread_mutex_lock(&s->mutex);
    if (!strcmp(label, "page-report")) {
        snprintf(s->report, sizeof s->report, "%.*s", (int)(size < 200 ? size : 200), (const char *)data);
        s->has_report = true;
    } else if (!strncmp(label, "page-", 5)) {
        rm_err err = rm_webrtc_send_data(s->t, peer_id, channel, binary, data, size);
        s->echo_err = s->echo_err ? s->echo_err : err;
        s->echoed++;
    } else {
        free(s->reply);
        s->reply = malloc(size + 1);
        if (s->reply)
            memcpy(s->reply, data, size);
        s->reply_size = size;
        s->reply_binary = binary;
        s->has_reply = true;
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static void on_event(const rm_event *ev, void *user) {
    struct side *s = user;
    pthread_mutex_lock(&s->mutex);
    if (ev->type == RM_EV_CHANNEL)
        s->opened[ev->channel] = s->any_opened = true;
    else if (ev->type == RM_EV_CHANNEL_CLOSED)
        s->closed[ev->channel] = true;
    else if (ev->type == RM_EV_CHANNEL_WRITABLE)
        s->writable = true;
    else if (ev->type == RM_EV_PEER_STATE && ev->peer_state >= RM_PEER_FAILED)
        s->lost = true;
    else if (ev->type == RM_EV_SIGNALING && ev->signaling == RM_SIGNALING_READY)
        puts("ready");
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

/* With the mutex, as all below. */
static bool wait_for(struct side *s, const bool *flag, int ms) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += ms / 1000;
    while (!*flag && !s->lost && pthread_cond_timedwait(&s->changed, &s->mutex, &end) == 0)
        continue;
    return *flag;
}

static bool wait_until(struct side *s, const bool *flag, const char *what) {
    if (!wait_for(s, flag, PATIENCE_MS) && !s->fault[0])
        snprintf(s->fault, sizeof s->fault, "%s: %s", what, s->lost ? "the connection ended" : "not in time");
    return *flag;
}

static bool fail(struct side *s, const char *what, const char *label, size_t size, rm_err err) {
    if (!s->fault[0])
        snprintf(s->fault, sizeof s->fault, "%s on %s, %zu bytes: %s", what, label, size, rm_strerror(err));
    return false;
}

/* Text may not be any bytes. */
static void fill(uint8_t *data, size_t size, size_t seed) {
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)('a' + (i + seed * 7 + i / 997) % 26);
}

/* One message there and back. */
static rm_err try_once(struct side *s, uint16_t id, bool binary, const uint8_t *data, size_t size) {
    s->has_reply = false;
    pthread_mutex_unlock(&s->mutex);
    rm_err err = rm_webrtc_send_data(s->t, "page", id, binary, data, size);
    pthread_mutex_lock(&s->mutex);
    return err;
}

/* Where messages may be lost, and a burst can overflow a socket's buffer, each is tried several times; late replies to
 * earlier ones are passed over. */
static bool exchange_lossy(struct side *s, uint16_t id, const char *label, bool binary, const uint8_t *data,
                           size_t size) {
    for (int i = 0; i < LOSSY_TRIES; i++) {
        rm_err err = try_once(s, id, binary, data, size);
        if (err)
            return fail(s, "sending", label, size, err);
        while (wait_for(s, &s->has_reply, LOSSY_MS)) {
            if (s->reply_size == size && s->reply_binary == binary && !memcmp(s->reply, data, size))
                return true;
            s->has_reply = false;
        }
    }
    return fail(s, "no try came back", label, size, RM_E_TIMEOUT);
}

static bool exchange(struct side *s, uint16_t id, size_t kind, size_t n, uint64_t max) {
    static uint8_t data[262144];
    const char *label = kinds[kind].label;
    const size_t size = sizes[n];
    const bool binary = n % 2 == 0;
    fill(data, size, n);
    if (size > s->longest || (kinds[kind].max_retransmits == 0 && size > UNREPEATED_MAX))
        return true;
    if (size <= max && (kinds[kind].max_retransmits >= 0 || kinds[kind].max_lifetime_ms >= 0))
        return exchange_lossy(s, id, label, binary, data, size);
    rm_err err = try_once(s, id, binary, data, size);
    if (size > max)
        return err == RM_E_TOO_BIG || fail(s, "more than the peer takes was sent", label, size, err);
    if (err)
        return fail(s, "sending", label, size, err);
    if (!wait_for(s, &s->has_reply, PATIENCE_MS))
        return fail(s, "no reply", label, size, s->lost ? RM_E_CLOSED : RM_E_TIMEOUT);
    if (s->reply_size != size || s->reply_binary != binary || memcmp(s->reply, data, size))
        return fail(s, "another message came back", label, s->reply_size, RM_OK);
    return true;
}

static bool channel_test(struct side *s, size_t k, uint64_t max) {
    rm_channel_options o;
    uint16_t id = 0;
    rm_channel_options_init(&o);
    o.label = kinds[k].label;
    o.protocol = "rm-test";
    o.unordered = kinds[k].unordered;
    o.max_retransmits = kinds[k].max_retransmits;
    o.max_lifetime_ms = kinds[k].max_lifetime_ms;
    o.negotiated = kinds[k].negotiated;
    o.id = NEGOTIATED_ID;
    pthread_mutex_unlock(&s->mutex);
    rm_err err = rm_webrtc_open_channel(s->t, "page", &o, &id);
    pthread_mutex_lock(&s->mutex);
    if (err)
        return fail(s, "opening", o.label, 0, err);
    if (!wait_until(s, &s->opened[id], o.label))
        return false;
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
        if (!exchange(s, id, k, n, max))
            return false;
    s->closed[id] = false;
    pthread_mutex_unlock(&s->mutex);
    err = rm_webrtc_close_channel(s->t, "page", id);
    pthread_mutex_lock(&s->mutex);
    return err ? fail(s, "closing", o.label, 0, err) : wait_until(s, &s->closed[id], "closing");
}

static uint32_t crc32(uint32_t crc, const uint8_t *data, size_t size) {
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? CRC_POLYNOMIAL : 0);
    }
    return ~crc;
}

static rm_err send_when_there_is_room(struct side *s, uint16_t id, bool binary, const void *data, size_t size) {
    for (;;) {
        s->writable = false;
        pthread_mutex_unlock(&s->mutex);
        rm_err err = rm_webrtc_send_data(s->t, "page", id, binary, data, size);
        pthread_mutex_lock(&s->mutex);
        if (err != RM_E_AGAIN || !wait_until(s, &s->writable, "room for more"))
            return err;
    }
}

static bool bulk_test(struct side *s, uint64_t max) {
    static uint8_t piece[PIECE_MAX];
    const size_t most = s->longest < PIECE_MAX ? s->longest : PIECE_MAX, size = max < most ? (size_t)max : most;
    uint16_t id = 0;
    uint32_t crc = 0;
    char want[64];
    rm_channel_options o;
    rm_channel_options_init(&o);
    o.label = "rm-bulk";
    pthread_mutex_unlock(&s->mutex);
    rm_err err = rm_webrtc_open_channel(s->t, "page", &o, &id);
    pthread_mutex_lock(&s->mutex);
    size_t sent = 0;
    for (size_t n = 0; !err && sent < BULK_BYTES; n++, sent += size) {
        fill(piece, size, n);
        crc = crc32(crc, piece, size);
        err = send_when_there_is_room(s, id, true, piece, size);
    }
    if (err)
        return fail(s, "sending", o.label, sent, err);
    s->has_reply = false;
    err = send_when_there_is_room(s, id, false, "end", 3);
    if (err || !wait_until(s, &s->has_reply, "the answer to the bulk"))
        return fail(s, "the end", o.label, 3, err);
    snprintf(want, sizeof want, "%zu %" PRIu32, sent, crc);
    if (s->reply_size != strlen(want) || memcmp(s->reply, want, s->reply_size))
        return fail(s, "other bytes came", o.label, sent, RM_OK);
    return true;
}

static bool open_for_page(struct side *s) {
    uint16_t id;
    rm_channel_options o;
    rm_channel_options_init(&o);
    o.label = "page-negotiated";
    o.negotiated = true;
    o.id = PAGE_NEGOTIATED_ID;
    pthread_mutex_unlock(&s->mutex);
    rm_err err = rm_webrtc_open_channel(s->t, "page", &o, &id);
    pthread_mutex_lock(&s->mutex);
    return !err || fail(s, "opening", o.label, 0, err);
}

static bool all_tests(struct side *s, rm_data_stats *stats) {
    if (!wait_until(s, &s->any_opened, "no channel opened")) /* "control", by whoever offered */
        return false;
    pthread_mutex_unlock(&s->mutex);
    rm_err err = rm_webrtc_data_stats(s->t, "page", stats);
    pthread_mutex_lock(&s->mutex);
    if (err)
        return fail(s, "statistics", "", 0, err);
    if (!open_for_page(s))
        return false;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (!channel_test(s, k, stats->message_max))
            return false;
    return bulk_test(s, stats->message_max);
}

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: data_peer URL ROOM [LONGEST]\n");
        return 2;
    }
    static struct side s = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    rm_webrtc_config config;
    rm_data_stats stats = {0};
    s.longest = argc == 4 ? strtoul(argv[3], NULL, 10) : SIZE_MAX;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    rm_webrtc_config_init(&config);
    config.signaling_url = argv[1];
    config.room = argv[2];
    config.peer_id = "rm";
    config.on_event = on_event;
    config.on_channel_data = on_data;
    config.user = &s;
    rm_err err = rm_webrtc_create(&config, &s.t);
    if (!err)
        err = rm_webrtc_start(s.t);
    if (err) {
        fprintf(stderr, "data_peer: %s\n", rm_strerror(err));
        return 1;
    }
    pthread_mutex_lock(&s.mutex);
    bool good = all_tests(&s, &stats);
    bool theirs = good && wait_for(&s, &s.has_report, PATIENCE_MS) && !strcmp(s.report, "ok");
    good = good && theirs && !s.echo_err;
    pthread_mutex_unlock(&s.mutex);
    printf("{\"good\":%s,\"fault\":\"%s\",\"report\":\"%s\",\"echoed\":%u,\"echo_error\":\"%s\",\"interleaving\":%s,"
           "\"zero_checksum\":%s,\"message_max\":%" PRIu64 "}\n",
           good ? "true" : "false", s.fault, s.report, s.echoed, s.echo_err ? rm_strerror(s.echo_err) : "",
           stats.interleaving ? "true" : "false", stats.zero_checksum ? "true" : "false", stats.message_max);
    rm_webrtc_destroy(&s.t);
    free(s.reply);
    return good ? 0 : 1;
}
