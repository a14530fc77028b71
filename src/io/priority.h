/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_PRIORITY_H
#define RMI_IO_PRIORITY_H

/* Asks the system to prefer the calling thread, which works little but on time: sound must not wait for encoders and
 * compilers. Needs a privilege (CAP_SYS_NICE or RLIMIT_NICE); without it nothing changes. Threads it makes, encoders and
 * nodes among them, are ordinary ones again (SCHED_RESET_ON_FORK, sched(7)). */
void rmi_prefer_this_thread(void);
/* For threads that should have the priority their maker had before it was preferred. */
int rmi_thread_priority(void);
void rmi_set_thread_priority(int priority);

#endif
