/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "base/time.h"
#include "session/audio_receiver.h"
#include <math.h>
#include <stdlib.h>

/* First byte: bits 0-2 rate, bit 3 stereo, bits 4-6 length of chunks. Then packets: flags (bit 0 another SSRC, bit 1 a
 * timestamp leap, bits 2-3 packets missing before it, bit 4 it is late, bit 5 lip sync changes, bits 6-7 ticks: 2.5,
 * 10, 20 or 60 ms), a byte of milliseconds since the one before, a byte of length, the payload. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RATES 5
#define CHUNKS 5
#define LATE_BY 3
#define LEAP_TICKS 123456789U
/* Chunks in a second are at most 400 of 2.5 ms, an eighth more in haste, and those missed before; each may be waited
 * for once. */
#define PULLS_MAX 1200

static void require(bool ok) {
    if (!ok)
        abort();
}

static void look_at(const rm_runtime_data *chunk, const struct rmi_audio_receiver_config *c) {
    const rm_audio *a = rm_runtime_data_audio(chunk);
    require(a && a->sample_rate == c->rate_hz && (int)a->channels == c->channels && a->frame_count > 0);
    require(!c->chunk_us || a->frame_count == (uint64_t)c->rate_hz * c->chunk_us / 1000000);
    require(rm_runtime_data_timestamp_us(chunk) >= 0);
    for (size_t i = 0; i < a->sample_count; i++)
        require(isfinite(a->samples[i]));
}

static void play(struct rmi_audio_receiver *r, const struct rmi_audio_receiver_config *c, int64_t until_us) {
    int pulls = 0;
    int64_t at;
    while ((at = rmi_audio_receiver_next_pull(r)) <= until_us) {
        rm_runtime_data *chunk = NULL;
        const rm_err err = rmi_audio_receiver_pull(r, at, &chunk);
        require(err == RM_OK || err == RM_E_AGAIN);
        require((err == RM_OK) == (chunk != NULL) && ++pulls < PULLS_MAX);
        if (chunk)
            look_at(chunk, c);
        rm_runtime_data_unref(&chunk);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint32_t rates[RATES] = {48000, 8000, 12000, 16000, 24000};
    static const uint32_t chunks[CHUNKS] = {0, 2500, 5000, 10000, 20000}, ticks[] = {120, 480, 960, 2880};
    struct rmi_rd rd = rmi_rd_init(data, size);
    const uint8_t first = rmi_rd_u8(&rd);
    const struct rmi_audio_receiver_config config = {.rate_hz = rates[(first & 7) % RATES],
                                                     .channels = 1 + (first >> 3 & 1),
                                                     .chunk_us = chunks[(first >> 4 & 7) % CHUNKS],
                                                     .max_delay_us = RMI_MS(200)};
    struct rmi_audio_receiver *r = NULL;
    if (rmi_audio_receiver_create(&config, &r))
        return 0;
    uint32_t ssrc = 1, timestamp = 0;
    uint16_t seq = 65530;
    int64_t now_us = 1;
    while (rmi_rd_left(&rd) > 0) {
        const uint8_t flags = rmi_rd_u8(&rd);
        const int64_t passed = RMI_MS(rmi_rd_u8(&rd));
        const size_t len = rmi_rd_u8(&rd);
        const uint8_t *bytes = rmi_rd_bytes(&rd, len);
        struct rmi_buf *buf = NULL;
        if (rd.failed || rm_buf_copy(bytes, len, &buf))
            break;
        const uint32_t step = ticks[flags >> 6], gap = 1 + (flags >> 2 & 3);
        ssrc += flags & 1;
        seq = (uint16_t)(seq + gap);
        timestamp += gap * step + (flags & 2 ? LEAP_TICKS : 0);
        now_us += passed;
        if (flags & 32)
            rmi_audio_receiver_set_sync_delay(r, passed);
        play(r, &config, now_us);
        const uint32_t late = flags & 16 ? LATE_BY : 0;
        rmi_audio_receiver_insert(r, ssrc, (uint16_t)(seq - late), timestamp - late * step, now_us, buf, 0,
                                  (uint32_t)len, passed % 2);
        rm_buf_unref(&buf);
        play(r, &config, now_us);
    }
    for (int second = 0; second < 3; second++)
        play(r, &config, now_us += RMI_SEC(1));
    require(rmi_audio_receiver_next_pull(r) == RMI_NEVER);
    rmi_audio_receiver_destroy(&r);
    return 0;
}
