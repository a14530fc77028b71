/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMRTC_BENCH_ROLE_H
#define RMRTC_BENCH_ROLE_H

/* The process of a struct bench_child. Arguments are "name=value":
 *   url, id
 *   publish      "test", "encoded" (test pictures, encoded beforehand), or a file
 *   take         "count" or "ages" what comes back; without it nothing is decoded
 *   pipeline     "blur" or "echo"
 *   connect      to this peer only
 *   allow        peers it connects with (config.allowed_peers)
 *   codec        "h264", "vp8", "vp9"
 *   kbps, audio, video (0 or 1), chunk_ms, frame_us, copy, transports, peers: numbers */
int bench_role(int argc, char **argv);

#endif
