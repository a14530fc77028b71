/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_TEST_H
#define RMI_IO_TEST_H

#include "base/time.h"
#include "io/loop.h"
#include <dirent.h>

/* Entries of a directory under /proc/self: open descriptors ("fd") or threads ("task"). */
static inline int count_entries(const char *path) {
    int n = 0;
    DIR *dir = opendir(path);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir))
        n += e->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

/* Turn the loop until the condition holds, at most for some seconds. */
static inline rm_err wait_for(struct rmi_loop *loop, const int *done) {
    return rmi_loop_run_until(loop, done, rmi_now_us() + RMI_SEC(4));
}

#endif
