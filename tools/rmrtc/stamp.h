/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_STAMP_H
#define RMRTC_STAMP_H

#include <remotemedia/data.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A time and a picture counter in the pixels of a picture, so that they pass through codecs, nodes and other programs
 * that know nothing of them: latency is the reader's clock minus the time read. 64 bits (48 of time, 8 of counter, a
 * CRC-8) in two rows of 32 black or white cells, each beside its negative: a reader needs no threshold, and what is no
 * stamp does not look like one. It fills the top 4/45 of the picture; its size goes with the picture's, so scaling does
 * not hurt, not even to another aspect ratio. */

#define STAMP_WIDTH_MIN 160
#define STAMP_HEIGHT_MIN 90
#define STAMP_TIME_BITS 48 /* 8.9 years of microseconds */

/* Rows of luma from the top that the stamp covers. Chroma should be neutral (128) there. */
uint32_t stamp_rows(uint32_t height);
/* Into a luma plane. The time is kept modulo 2^48. False: the picture is smaller than the least size. */
bool stamp_draw(uint8_t *luma, size_t stride, uint32_t width, uint32_t height, int64_t time_us, uint8_t frame);
/* Of a raw picture in any format, upright, mirrored, upside down or both. False (nothing written): no stamp, or one
 * that is damaged. */
bool stamp_read(const rm_video *video, int64_t *time_us, uint8_t *frame);
/* now - stamped, for any clock, although a stamp keeps 48 bits only; negative when the stamp is from the future. */
int64_t stamp_age_us(int64_t now_us, int64_t stamped_us);

#endif
