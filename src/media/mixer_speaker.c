/* SPDX-License-Identifier: Apache-2.0 */
#include "media/mixer_private.h"
#include <math.h>

#define RISE_S 0.05F             /* loudness follows a voice that begins within so long, */
#define FALL_S 0.4F              /* and falls slower than the pauses between words are */
#define VOICE_DBOV (-50.0F)      /* quieter is nobody's voice */
#define LOUDER_DB 6.0F           /* than who speaks: else two voices take turns all the time */
#define FIRST_US 100000          /* for so long, when nobody speaks: a knock is shorter */
#define NEXT_US 400000           /* or when somebody does */
#define DECIBEL_PER_DECADE 10.0F /* of a mean square */
#define ENERGY_MIN 1e-13F

static void follow(struct rmi_mixer_source *s, float seconds) {
    const float db = s->energy > ENERGY_MIN ? DECIBEL_PER_DECADE * log10f(s->energy) : RMI_MIXER_SILENT_DBOV;
    const float step = seconds / (db > s->loudness ? RISE_S : FALL_S);
    s->loudness += (db - s->loudness) * (step < 1 ? step : 1);
    s->stats.level = db >= 0 ? 0 : db <= RMI_MIXER_SILENT_DBOV ? RMI_MIXER_SILENT_LEVEL : (uint8_t)lroundf(-db);
}

void rmi_mixer_speaker_frame(struct rmi_mixer *m) {
    struct rmi_mixer_source *loudest = NULL;
    for (size_t i = 0; i < m->count; i++) {
        struct rmi_mixer_source *s = m->sources[i];
        if (s->part_of != m->made)
            s->energy = 0;
        follow(s, (float)m->frame / (float)m->config.rate_hz);
        if (!s->muted && s->loudness > VOICE_DBOV && (!loudest || s->loudness > loudest->loudness))
            loudest = s;
    }
    if (m->speaker && m->speaker->muted)
        m->speaker = NULL;
    if (!loudest || loudest == m->speaker || (m->speaker && loudest->loudness < m->speaker->loudness + LOUDER_DB)) {
        m->candidate = NULL;
        return;
    }
    m->candidate_for = m->candidate == loudest ? m->candidate_for + m->frame : 0;
    m->candidate = loudest;
    if (m->candidate_for >= (size_t)rmi_mixer_samples(m, m->speaker ? NEXT_US : FIRST_US)) {
        m->speaker = loudest;
        m->candidate = NULL;
    }
}
