/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_NODES_AUDIO_MIXER_PRIVATE_H
#define RMI_NODES_AUDIO_MIXER_PRIVATE_H

#include <remotemedia/data.h>

/* Where the sound of each source lies on the time line of a mix, and when a chunk of the mix is complete. Positions
 * count samples of one channel since the mix began; there is no clock: what comes in drives it. */

#define RMI_MIX_SOURCES_MAX 32
#define RMI_MIX_PIECES_MAX 64

/* A chunk of a source, or what is left of it. */
struct rmi_mix_piece {
    rm_runtime_data *data; /* a reference */
    size_t skip;           /* samples of each channel at its beginning that are not wanted */
    int64_t begin;         /* position of the sample behind them */
    size_t samples;
};

struct rmi_mix_source {
    bool used;
    char id[RM_STREAM_ID_MAX]; /* "": the stream without an id */
    float gain;
    bool has_anchor;
    int64_t anchor_us, anchor;                       /* a time of the source, and the position that has it */
    int64_t end;                                     /* behind the last sample that came */
    int64_t late_since;                              /* where the mix was when it began to come late, or -1 */
    size_t usual;                                    /* samples in its last chunk */
    struct rmi_mix_piece pieces[RMI_MIX_PIECES_MAX]; /* a ring */
    size_t first, count;
};

struct rmi_mix_timeline {
    uint32_t rate;
    size_t chunk; /* samples of each channel in a chunk of the mix */
    int64_t position;
    bool has_base;
    int64_t base_us; /* time of position 0, by the times of the first source */
    struct rmi_mix_source sources[RMI_MIX_SOURCES_MAX];
};

/* NULL: all places are taken. `*fresh`: it was not there; its gain is to be set. */
struct rmi_mix_source *rmi_mix_source(struct rmi_mix_timeline *t, const char *id, bool *fresh);
/* Takes a reference of its own to `data`, unless it comes too late. */
void rmi_mix_input(struct rmi_mix_timeline *t, struct rmi_mix_source *s, rm_runtime_data *data);
/* Whether a chunk of `*samples` at t->position is to be made now. `flush`: there is no more input. */
bool rmi_mix_due(struct rmi_mix_timeline *t, bool flush, size_t *samples);
/* Sources that have left are let go. */
void rmi_mix_advance(struct rmi_mix_timeline *t, size_t samples);
/* Time of the position, or RM_NO_VALUE. */
int64_t rmi_mix_time_us(const struct rmi_mix_timeline *t);
void rmi_mix_timeline_fini(struct rmi_mix_timeline *t);

#endif
