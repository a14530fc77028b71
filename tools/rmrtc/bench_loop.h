/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_BENCH_LOOP_H
#define RMRTC_BENCH_LOOP_H

#include <remotemedia/webrtc_media.h>
#include <stddef.h>
#include <stdint.h>

/* Test pictures encoded beforehand and sent in real time, again and again: a sender without the work of drawing and
 * encoding. */
struct bench_loop;

rm_err bench_loop_create(rm_video_codec codec, uint32_t bitrate_bps, struct bench_loop **out);
/* To every peer of `count` transports, which outlive the loop. */
rm_err bench_loop_start(struct bench_loop *loop, rm_webrtc *const *transports, size_t count);
/* Raw I420 of the first `count` test pictures; for other programs, to do the same with them. RM_E_IO. */
rm_err bench_write_pictures(const char *path, size_t count);
void bench_loop_destroy(struct bench_loop **loop);

#endif
