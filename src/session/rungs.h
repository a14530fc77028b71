/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_SESSION_RUNGS_H
#define RMI_SESSION_RUNGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In which quality each of several receivers gets a source's pictures. There is one encoder for each quality in use,
 * and its bitrate is what the receiver with the least room on it can take. A receiver has the highest rung whose
 * encoder it does not hold back by more than half, seen from the one there with the most room: receivers that are alike
 * share the top one, whatever their rates, and one with much less room has a rung of its own instead of pulling all
 * down. Pure; time comes in. */

#define RMI_RUNGS_MAX 4 /* qualities in which a source is encoded at one time */
#define RMI_RUNG_NONE (-1)

struct rmi_rung {
    uint32_t max_width, max_height; /* either way round */
    uint32_t max_bps;
};

struct rmi_rungs {
    int count;
    struct rmi_rung rung[RMI_RUNGS_MAX]; /* in falling order */
};

/* The top one, and of `below` what is clearly smaller than what is above it. */
void rmi_rungs_build(const struct rmi_rung *top, const struct rmi_rung *below, size_t count, struct rmi_rungs *out);

/* A receiver. The first four are the caller's; a wider wish takes effect at once if `rung` is set to RMI_RUNG_NONE with
 * it. The rest is zeros at first, but for `sending`. */
struct rmi_rung_peer {
    double target_bps;                       /* its way carries so much; 0: no pictures for now */
    uint32_t cap_width, cap_height, cap_bps; /* a wish for no more than that; 0: none */
    int rung;                                /* where it is; RMI_RUNG_NONE at first */

    bool begun;
    int64_t begun_us;
    bool has_room; /* for a higher rung, at least `room_rung` */
    int room_rung;
    int64_t room_since_us;
    bool rose;
    int64_t rose_us, wait_us;
    int next, up; /* while all are being placed */

    int sending;     /* the rung it gets; RMI_RUNG_NONE at first, and when what it got before is wanted no more */
    int64_t sent_us; /* when the last picture that it got was taken */
};

/* What the best of each rung could take lately: a drop of it for a moment brings nobody up, and keeps nobody in its
 * first seconds. Zeros at first. */
struct rmi_rung_memory {
    int64_t at_us;
    double best_bps[RMI_RUNGS_MAX];
};

struct rmi_rung_use {
    size_t peers;
    double bps; /* for the encoder */
};

/* Sets `rung` of every peer, and what each rung is used for. To be called when anything has changed, and every second
 * or so. A peer goes down at once, but not in its first second, when its rate is a guess; up when it has had room for a
 * few seconds, and the longer the sooner it had to come down again the last time. */
void rmi_rungs_place(const struct rmi_rungs *rungs, struct rmi_rung_memory *memory, struct rmi_rung_peer *const *peers,
                     size_t count, int64_t now_us, struct rmi_rung_use use[RMI_RUNGS_MAX]);

/* A peer begins, and changes over, with a key frame of its rung, so that it can decode all that it gets. Until then it
 * gets those of the rung before, but none that is newer than the key frame that is being made: time does not go back.
 */
enum rmi_rung_pass {
    RMI_RUNG_SKIP,
    RMI_RUNG_SEND,
    RMI_RUNG_LATE /* not this key frame: it has got newer pictures already. Another one is needed */
};
/* Whether it gets this picture of a rung, taken at capture_us. `key_us`: when the one was taken that its own rung's
 * encoder has begun to make a key frame of; 0: none since it was asked for. */
enum rmi_rung_pass rmi_rungs_pass(struct rmi_rung_peer *p, int rung, bool key_frame, int64_t capture_us,
                                  int64_t key_us);

#endif
