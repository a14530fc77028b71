/* SPDX-License-Identifier: Apache-2.0 */
#include "media/level.h"
#include <math.h>

#define DECIBEL_PER_DECADE 20 /* of amplitude */

static double dbov(double amplitude) {
    double db = amplitude > 0 ? DECIBEL_PER_DECADE * log10(amplitude) : RMI_LEVEL_FLOOR_DBOV;
    return db > RMI_LEVEL_FLOOR_DBOV ? db : RMI_LEVEL_FLOOR_DBOV;
}

struct rmi_level rmi_level_measure(const float *pcm, size_t n) {
    double sum = 0, peak = 0;
    for (size_t i = 0; i < n; i++) {
        double v = isnan(pcm[i]) ? 0 : fabs((double)pcm[i]);
        sum += v * v;
        peak = v > peak ? v : peak;
    }
    double rms = n > 0 ? sqrt(sum / (double)n) : 0;
    return (struct rmi_level){.rms = rms, .peak = peak, .rms_dbov = dbov(rms), .peak_dbov = dbov(peak)};
}

uint8_t rmi_level_rfc6464(const struct rmi_level *level) {
    double quiet = -level->rms_dbov;
    if (!(quiet > 0))
        return 0;
    return quiet >= -RMI_LEVEL_FLOOR_DBOV ? (uint8_t)-RMI_LEVEL_FLOOR_DBOV : (uint8_t)lround(quiet);
}

double rmi_level_amplitude(uint8_t rfc6464) {
    return rfc6464 >= -RMI_LEVEL_FLOOR_DBOV ? 0 : pow(10, -(double)rfc6464 / DECIBEL_PER_DECADE);
}
