/* SPDX-License-Identifier: Apache-2.0 */
#include "session/audio_fec.h"

static int percent_of(double loss) {
    int percent = RMI_AUDIO_FEC_PERCENT_MIN;
    while (percent < RMI_AUDIO_FEC_PERCENT_MAX && 100 * loss > percent)
        percent += RMI_AUDIO_FEC_PERCENT_STEP;
    return percent;
}

int rmi_audio_fec_step(struct rmi_audio_fec *f, int64_t now_us, double loss) {
    const bool turn = f->on ? !(loss >= RMI_AUDIO_FEC_OFF_LOSS) : loss >= RMI_AUDIO_FEC_ON_LOSS;
    if (turn && !f->turning)
        f->since_us = now_us;
    f->turning = turn;
    if (turn && now_us - f->since_us >= (f->on ? RMI_AUDIO_FEC_OFF_US : RMI_AUDIO_FEC_ON_US)) {
        f->on = !f->on;
        f->turning = false;
    }
    return f->on ? percent_of(loss) : 0;
}
