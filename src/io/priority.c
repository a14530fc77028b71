/* SPDX-License-Identifier: Apache-2.0 */
#include "io/priority.h"

#include <sched.h>
#include <sys/resource.h>

/* What desktop sound servers use: ahead of all ordinary work, behind real-time threads. */
#define SOUND_NICE (-11)

void rmi_prefer_this_thread(void) {
    struct sched_param as_it_is;
    const int policy = sched_getscheduler(0);
    /* First: a thread made in between must not inherit the preference. */
    if (policy >= 0 && !sched_getparam(0, &as_it_is))
        (void)sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, &as_it_is);
    rmi_set_thread_priority(SOUND_NICE);
}

/* On Linux 0 is the calling thread, not its process. */
int rmi_thread_priority(void) {
    return getpriority(PRIO_PROCESS, 0);
}

void rmi_set_thread_priority(int priority) {
    (void)setpriority(PRIO_PROCESS, 0, priority);
}
