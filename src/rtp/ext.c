/* SPDX-License-Identifier: Apache-2.0 */
#include "rtp/ext.h"
#include "base/cursor.h"
#include <string.h>

#define TWCC_LEN 2
#define ABS_SEND_TIME_LEN 3
#define ABS_SEND_TIME_BITS 24
#define ABS_SEND_TIME_FRACTION 18
#define ABS_SEND_TIME_MASK 0xffffffU
#define AUDIO_LEVEL_LEN 1
#define VOICE_BIT 0x80
#define LEVEL_MASK 0x7f
#define US_PER_S 1000000

/* A mid is an SDP token (RFC 5888 4, RFC 4566 9). */
static bool is_token(const uint8_t *text, size_t len) {
    static const char others[] = "!#$%&'*+-.^_`{|}~";
    for (size_t i = 0; i < len; i++) {
        uint8_t c = text[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && !(c != 0 && strchr(others, c)))
            return false;
    }
    return len > 0;
}

/* NULL unless negotiated, present, and of the length it has to have. */
static const struct rmi_rtp_ext *element(const struct rmi_rtp_packet *p, uint8_t id, size_t len) {
    const struct rmi_rtp_ext *e = id ? rmi_rtp_find_ext(p, id) : NULL;
    return e && (len == 0 || e->len == len) ? e : NULL;
}

void rmi_rtp_ext_read(const struct rmi_rtp_packet *p, const struct rmi_rtp_ext_ids *ids,
                      struct rmi_rtp_ext_values *out) {
    memset(out, 0, sizeof *out);
    const struct rmi_rtp_ext *e = element(p, ids->mid, 0);
    if (e && e->len <= RMI_RTP_MID_MAX && is_token(e->data, e->len)) {
        out->has_mid = true;
        memcpy(out->mid, e->data, e->len);
    }
    if ((e = element(p, ids->twcc, TWCC_LEN)) != NULL) {
        struct rmi_rd r = rmi_rd_init(e->data, e->len);
        out->has_twcc = true;
        out->twcc = rmi_rd_u16(&r);
    }
    if ((e = element(p, ids->abs_send_time, ABS_SEND_TIME_LEN)) != NULL) {
        struct rmi_rd r = rmi_rd_init(e->data, e->len);
        out->has_abs_send_time = true;
        out->abs_send_time = rmi_rd_u24(&r);
    }
    /* In the two-byte form a sender may add a byte of padding (RFC 6464 3). */
    e = element(p, ids->audio_level, 0);
    if (e && (e->len == AUDIO_LEVEL_LEN || e->len == AUDIO_LEVEL_LEN + 1)) {
        out->has_audio_level = true;
        out->voice = e->data[0] & VOICE_BIT;
        out->audio_level = e->data[0] & LEVEL_MASK;
    }
}

static bool append(struct rmi_rtp_packet *p, uint8_t id, const uint8_t *data, size_t len) {
    if (p->ext_count >= RMI_RTP_EXT_MAX)
        return false;
    p->ext[p->ext_count++] = (struct rmi_rtp_ext){.id = id, .len = (uint8_t)len, .data = data};
    return true;
}

bool rmi_rtp_ext_add(struct rmi_rtp_packet *p, const struct rmi_rtp_ext_ids *ids, const struct rmi_rtp_ext_values *v,
                     struct rmi_rtp_ext_storage *storage) {
    bool ok = true;
    if (v->has_mid && ids->mid) {
        size_t len = strnlen(v->mid, sizeof v->mid);
        ok = len <= RMI_RTP_MID_MAX && is_token((const uint8_t *)v->mid, len);
        if (ok) {
            memcpy(storage->mid, v->mid, len);
            ok = append(p, ids->mid, storage->mid, len);
        }
    }
    if (ok && v->has_twcc && ids->twcc) {
        struct rmi_wr w = rmi_wr_init(storage->twcc, sizeof storage->twcc);
        rmi_wr_u16(&w, v->twcc);
        ok = append(p, ids->twcc, storage->twcc, TWCC_LEN);
    }
    if (ok && v->has_abs_send_time && ids->abs_send_time) {
        struct rmi_wr w = rmi_wr_init(storage->abs_send_time, sizeof storage->abs_send_time);
        rmi_wr_u24(&w, v->abs_send_time & ABS_SEND_TIME_MASK);
        ok = append(p, ids->abs_send_time, storage->abs_send_time, ABS_SEND_TIME_LEN);
    }
    if (ok && v->has_audio_level && ids->audio_level) {
        storage->audio_level[0] = (uint8_t)((v->voice ? VOICE_BIT : 0) | v->audio_level);
        ok = v->audio_level <= RMI_RTP_AUDIO_SILENT &&
             append(p, ids->audio_level, storage->audio_level, AUDIO_LEVEL_LEN);
    }
    return ok;
}

uint32_t rmi_abs_send_time_of(int64_t us) {
    /* Whole seconds and the rest apart, so that no uptime overflows. */
    uint64_t s = (uint64_t)us / US_PER_S, rest = (uint64_t)us % US_PER_S;
    return (uint32_t)((s << ABS_SEND_TIME_FRACTION) + (rest << ABS_SEND_TIME_FRACTION) / US_PER_S) & ABS_SEND_TIME_MASK;
}

int64_t rmi_abs_send_time_diff_us(uint32_t b, uint32_t a) {
    int64_t d = (int64_t)((b - a) & ABS_SEND_TIME_MASK);
    if (d >= 1 << (ABS_SEND_TIME_BITS - 1))
        d -= 1 << ABS_SEND_TIME_BITS;
    return d * US_PER_S / (1 << ABS_SEND_TIME_FRACTION);
}
