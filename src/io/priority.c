/* SPDX-License-Identifier: Apache-2.0 */
#include "io/priority.h"

#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What desktop sound servers use: ahead of all ordinary work, behind real-time threads. */
#define SOUND_NICE (-11)
/* Of processor time at once. Who asks for shorter slices than others comes before them when it wakes, and gets no more
 * time in all: what ordinary users can have (Linux 6.12; earlier ones ignore it). The shortest that is allowed. */
#define SOUND_SLICE_NS 100000
#define RESET_ON_FORK 1 /* SCHED_FLAG_RESET_ON_FORK, sched(7) */

/* struct sched_attr of sched_setattr(2), for which glibc has no name before 2.41. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

void rmi_prefer_this_thread(void) {
    struct attributes a = {0};
    if (syscall(SYS_sched_getattr, 0, &a, sizeof a, 0))
        return;
    const int32_t nice = a.nice;
    a.size = sizeof a;
    a.flags = RESET_ON_FORK;
    if (a.policy == SCHED_OTHER) {
        a.nice = SOUND_NICE;
        a.runtime_ns = SOUND_SLICE_NS;
    }
    if (!syscall(SYS_sched_setattr, 0, &a, 0) || a.policy != SCHED_OTHER)
        return;
    a.nice = nice;
    (void)syscall(SYS_sched_setattr, 0, &a, 0);
}

/* On Linux 0 is the calling thread, not its process. */
int rmi_thread_priority(void) {
    return getpriority(PRIO_PROCESS, 0);
}

void rmi_set_thread_priority(int priority) {
    (void)setpriority(PRIO_PROCESS, 0, priority);
}
