/* SPDX-License-Identifier: Apache-2.0 */
#include "sctp/association_private.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define TRIES_MAX 9 /* RFC 9260 section 16: Max.Init.Retransmits is 8 */
#define RTO_MAX_US RMI_SEC(4)
#define HEARTBEAT_FIRST_US RMI_SEC(30)
#define COOKIE_LIFE_US RMI_SEC(60) /* RFC 9260 section 16 */
#define COOKIE_BYTES_MAX 1024      /* of a peer; larger does not fit into a packet with data */
#define WINDOW_MIN 1500            /* RFC 9260 3.3.2 */
#define MAC_BYTES 32
enum { BIT_FORWARD = 1, BIT_INTERLEAVING = 2, BIT_RECONFIG = 4, BIT_ZERO_CHECKSUM = 8 };

/* Pion up to 1.8.5 of its SCTP drops a packet with a parameter it does not know, whatever the parameter's bits ask for:
 * the newest one is offered in the first INIT only, and in an answer only to a peer that has it. */
static struct rmi_sctp_init own_init(const struct rmi_sctp *a, bool newest) {
    return (struct rmi_sctp_init){.tag = a->local_tag,
                                  .window = rmi_sctp_recv_window(a),
                                  .tsn = a->first_tsn,
                                  .streams_out = RMI_SCTP_STREAMS,
                                  .streams_in = RMI_SCTP_STREAMS,
                                  .forward_tsn = true,
                                  .reconfig = true,
                                  .interleaving = !a->config.no_interleaving,
                                  .zero_checksum = newest && !a->config.no_zero_checksum};
}

static void arm(struct rmi_sctp *a, int64_t now_us) {
    a->setup_us = now_us + a->setup_rto_us;
    a->setup_rto_us = rmi_min64(a->setup_rto_us * 2, RTO_MAX_US);
}

static void write_init(struct rmi_sctp *a, int64_t now_us) {
    const struct rmi_sctp_init init = own_init(a, a->setup_tries == 1);
    struct rmi_sctp_packet p;
    rmi_sctp_packet_begin(a, &p, 0);
    rmi_sctp_tlv_end(&p.w, rmi_sctp_init_write(&p.w, RMI_SCTP_INIT, &init));
    rmi_sctp_packet_send(a, now_us, &p, true);
    arm(a, now_us);
}

void rmi_sctp_send_init(struct rmi_sctp *a, int64_t now_us) {
    rmi_sctp_set_state(a, RMI_SCTP_COOKIE_WAIT, "started");
    a->setup_rto_us = a->rto_us;
    a->setup_tries = 1;
    write_init(a, now_us);
}

static void write_echo(struct rmi_sctp *a, int64_t now_us) {
    struct rmi_sctp_packet p;
    rmi_sctp_packet_begin(a, &p, a->peer_tag);
    const size_t at = rmi_sctp_chunk_begin(&p.w, RMI_SCTP_COOKIE_ECHO, 0);
    rmi_wr_bytes(&p.w, a->echo, a->echo_len);
    rmi_sctp_tlv_end(&p.w, at);
    rmi_sctp_packet_send(a, now_us, &p, true);
    arm(a, now_us);
}

void rmi_sctp_on_setup_timer(struct rmi_sctp *a, int64_t now_us) {
    if (a->state != RMI_SCTP_COOKIE_WAIT && a->state != RMI_SCTP_COOKIE_ECHOED) {
        rmi_sctp_shutdown_timer(a, now_us);
        return;
    }
    a->stats.timeouts++;
    if (++a->setup_tries > TRIES_MAX)
        rmi_sctp_fail(a, RM_E_TIMEOUT, "the peer does not answer the association's set-up");
    else if (a->state == RMI_SCTP_COOKIE_WAIT)
        write_init(a, now_us);
    else
        write_echo(a, now_us);
}

/* What both sides have, and the peer's numbers. */
static void adopt(struct rmi_sctp *a, const struct rmi_sctp_init *peer) {
    a->peer_tag = peer->tag;
    a->peer_window = peer->window;
    a->streams_out = peer->streams_in < RMI_SCTP_STREAMS ? peer->streams_in : RMI_SCTP_STREAMS;
    a->forward_tsn = peer->forward_tsn;
    a->interleaving = peer->interleaving && !a->config.no_interleaving;
    a->reconfig = peer->reconfig;
    a->zero_checksum_out = peer->zero_checksum && !a->config.no_zero_checksum;
    a->recv_cum = a->recv_highest = peer->tsn - 1;
    a->reset_peer_seq = peer->tsn;
    const size_t header = a->interleaving ? RMI_SCTP_I_DATA_BYTES : RMI_SCTP_DATA_BYTES;
    a->fragment_max = (a->config.packet_max - RMI_SCTP_HEADER_BYTES - header) & ~(size_t)3;
}

static void establish(struct rmi_sctp *a, int64_t now_us, const char *reason) {
    a->setup_us = RMI_NEVER;
    a->errors = 0;
    free(a->echo);
    a->echo = NULL;
    a->heartbeat_us = now_us + HEARTBEAT_FIRST_US;
    rmi_sctp_set_state(a, RMI_SCTP_ESTABLISHED, reason);
    rmi_sctp_post(a, RMI_SCTP_EV_CONNECTED, 0, RM_OK);
}

/* ---- the cookie: all that an INIT said, so that nothing is kept until the peer shows it again ---- */

static void sign(const struct rmi_sctp *a, const uint8_t *cookie, size_t len, uint8_t mac[MAC_BYTES]) {
    unsigned n = MAC_BYTES;
    if (!HMAC(EVP_sha256(), a->cookie_key, sizeof a->cookie_key, cookie, len, mac, &n))
        memset(mac, 0, MAC_BYTES);
}

static void cookie_write(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_init *peer, struct rmi_wr *w) {
    const size_t at = w->pos;
    rmi_wr_u64(w, (uint64_t)now_us);
    rmi_wr_u32(w, peer->tag);
    rmi_wr_u32(w, peer->window);
    rmi_wr_u32(w, peer->tsn);
    rmi_wr_u16(w, peer->streams_out);
    rmi_wr_u16(w, peer->streams_in);
    rmi_wr_u8(w, (uint8_t)((peer->forward_tsn ? BIT_FORWARD : 0) | (peer->interleaving ? BIT_INTERLEAVING : 0) |
                           (peer->reconfig ? BIT_RECONFIG : 0) | (peer->zero_checksum ? BIT_ZERO_CHECKSUM : 0)));
    uint8_t mac[MAC_BYTES];
    if (w->failed)
        return;
    sign(a, w->data + at, w->pos - at, mac);
    rmi_wr_bytes(w, mac, sizeof mac);
}

/* False: not ours or changed. */
static bool cookie_read(const struct rmi_sctp *a, struct rmi_rd r, struct rmi_sctp_init *peer, int64_t *made_us) {
    const size_t len = rmi_rd_left(&r);
    if (len <= MAC_BYTES)
        return false;
    struct rmi_rd body = rmi_rd_sub(&r, len - MAC_BYTES);
    const uint8_t *theirs = rmi_rd_bytes(&r, MAC_BYTES);
    uint8_t mac[MAC_BYTES];
    sign(a, body.data, len - MAC_BYTES, mac);
    if (!theirs || CRYPTO_memcmp(mac, theirs, MAC_BYTES) != 0)
        return false;
    *made_us = (int64_t)rmi_rd_u64(&body);
    *peer = (struct rmi_sctp_init){.tag = rmi_rd_u32(&body), .window = rmi_rd_u32(&body)};
    peer->tsn = rmi_rd_u32(&body);
    peer->streams_out = rmi_rd_u16(&body);
    peer->streams_in = rmi_rd_u16(&body);
    const uint8_t bits = rmi_rd_u8(&body);
    peer->forward_tsn = bits & BIT_FORWARD;
    peer->interleaving = bits & BIT_INTERLEAVING;
    peer->reconfig = bits & BIT_RECONFIG;
    peer->zero_checksum = bits & BIT_ZERO_CHECKSUM;
    return !body.failed;
}

/* Answered in any state before the association exists, with the tag that our own INIT has (RFC 9260 5.2.1); then only
 * to the same peer. A restart is refused: it would come with a new DTLS connection. */
void rmi_sctp_on_init(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    struct rmi_sctp_init peer;
    const bool known = a->state > RMI_SCTP_COOKIE_ECHOED;
    if (!rmi_sctp_init_parse(c, &peer) || peer.window < WINDOW_MIN || (known && peer.tag != a->peer_tag)) {
        a->stats.drops++;
        return;
    }
    const struct rmi_sctp_init init = own_init(a, peer.zero_checksum);
    struct rmi_sctp_packet p;
    rmi_sctp_packet_begin(a, &p, peer.tag);
    const size_t at = rmi_sctp_init_write(&p.w, RMI_SCTP_INIT_ACK, &init);
    const size_t cookie = rmi_sctp_param_begin(&p.w, RMI_SCTP_P_STATE_COOKIE);
    cookie_write(a, now_us, &peer, &p.w);
    rmi_sctp_tlv_end(&p.w, cookie);
    if (peer.unknown && rmi_sctp_padded(peer.unknown_len) + RMI_SCTP_CHUNK_HEADER_BYTES <= p.w.cap - p.w.pos) {
        const size_t report = rmi_sctp_param_begin(&p.w, RMI_SCTP_P_UNRECOGNIZED);
        rmi_wr_bytes(&p.w, peer.unknown, peer.unknown_len);
        rmi_sctp_tlv_end(&p.w, report);
    }
    rmi_sctp_tlv_end(&p.w, at);
    rmi_sctp_packet_send(a, now_us, &p, true);
}

void rmi_sctp_on_init_ack(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    struct rmi_sctp_init peer;
    if (a->state != RMI_SCTP_COOKIE_WAIT) /* a second answer to a repeated INIT */
        return;
    if (!rmi_sctp_init_parse(c, &peer) || peer.window < WINDOW_MIN || !peer.cookie || peer.cookie_len == 0 ||
        peer.cookie_len > COOKIE_BYTES_MAX ||
        peer.cookie_len + RMI_SCTP_HEADER_BYTES + RMI_SCTP_CHUNK_HEADER_BYTES > (a->config.packet_max & ~(size_t)3)) {
        a->stats.drops++;
        return;
    }
    uint8_t *echo = malloc(peer.cookie_len);
    if (!echo) { /* as lost: INIT is sent again */
        a->stats.drops++;
        return;
    }
    memcpy(echo, peer.cookie, peer.cookie_len);
    free(a->echo);
    a->echo = echo;
    a->echo_len = peer.cookie_len;
    adopt(a, &peer);
    a->setup_rto_us = a->rto_us;
    a->setup_tries = 1;
    rmi_sctp_set_state(a, RMI_SCTP_COOKIE_ECHOED, "INIT ACK");
    write_echo(a, now_us);
}

bool rmi_sctp_on_cookie_echo(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    struct rmi_sctp_init peer;
    int64_t made_us = 0;
    if (!cookie_read(a, c->value, &peer, &made_us)) {
        a->stats.drops++;
        return false;
    }
    const bool known = a->state > RMI_SCTP_COOKIE_ECHOED;
    if (known && peer.tag != a->peer_tag) { /* RFC 9260 5.2.4 A, a restart, and C */
        a->stats.drops++;
        return false;
    }
    if (!known && now_us - made_us > COOKIE_LIFE_US) {
        static const uint8_t staleness[4]; /* not told: 0 */
        a->peer_tag = peer.tag;
        rmi_sctp_send_error(a, now_us, RMI_SCTP_C_STALE_COOKIE, staleness, sizeof staleness);
        return false;
    }
    if (!known) {
        adopt(a, &peer);
        establish(a, now_us, "COOKIE ECHO");
    }
    if (!rmi_sctp_over(a))
        rmi_sctp_send_plain(a, now_us, RMI_SCTP_COOKIE_ACK);
    return !rmi_sctp_over(a);
}

void rmi_sctp_on_cookie_ack(struct rmi_sctp *a, int64_t now_us) {
    if (a->state == RMI_SCTP_COOKIE_ECHOED)
        establish(a, now_us, "COOKIE ACK");
}

void rmi_sctp_on_error(struct rmi_sctp *a, int64_t now_us, const struct rmi_sctp_chunk *c) {
    struct rmi_rd r = c->value;
    for (struct rmi_sctp_param cause; rmi_sctp_param_next(&r, &cause);) {
        rmi_log(a->config.log, RMI_LOG_SCTP, RM_LOG_DEBUG, "%s: the peer reports error cause %u", a->name, cause.type);
        if (cause.type == RMI_SCTP_C_STALE_COOKIE && a->state == RMI_SCTP_COOKIE_ECHOED) {
            rmi_sctp_set_state(a, RMI_SCTP_COOKIE_WAIT, "the cookie was too old");
            write_init(a, now_us);
            return;
        }
    }
}
