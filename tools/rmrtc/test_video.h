/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_TEST_VIDEO_H
#define RMRTC_TEST_VIDEO_H

#include <remotemedia/data.h>
#include <stdint.h>

/* A test picture: textured background, somebody who moves and talks, colour bars, and a stamp (stamp.h). The picture
 * follows from its size and the counter in its stamp alone, so it can be drawn again at the receiver. One thread per
 * object; the pictures go anywhere. */

#define TEST_VIDEO_FPS_MAX 240
#define TEST_VIDEO_LOOP 256 /* pictures after which the motion repeats: what the stamp's counter can count */

struct test_video;

/* Even sides from the stamp's least size up to 4096, fps of 1..TEST_VIDEO_FPS_MAX. RM_E_INVALID_ARG, RM_E_NO_MEMORY. */
rm_err test_video_create(uint32_t width, uint32_t height, uint32_t fps, struct test_video **out);
void test_video_destroy(struct test_video **tv);
/* The next picture (I420), stamped and timed with now_us. RM_E_LIMIT: pictures are held up further on, the memory of
 * all is in use; this one is left out. RM_E_NO_MEMORY. */
rm_err test_video_next(struct test_video *tv, int64_t now_us, rm_runtime_data **out);
/* When the next picture is due: evenly spaced from the first one on, and after a pause without catching up. INT64_MIN
 * before the first: at once. */
int64_t test_video_due_us(const struct test_video *tv);
/* The picture that was sent with this stamp, from any object of the same size. */
rm_err test_video_reference(struct test_video *tv, uint8_t frame, int64_t time_us, rm_runtime_data **out);

#endif
