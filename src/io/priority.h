/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RMI_IO_PRIORITY_H
#define RMI_IO_PRIORITY_H

/* Asks the system to prefer the calling thread, which works little but on time: sound must not wait for encoders and
 * compilers. With a privilege (CAP_SYS_NICE or RLIMIT_NICE) before all ordinary work; without it, on Linux 6.12 and
 * later, first among equals when it wakes (measured beside four busy programs, three peers: age of sound 21.5 -> 20, of
 * pictures 8 -> 5.4 ms). Threads it makes, encoders and nodes among them, are ordinary ones again. */
void rmi_prefer_this_thread(void);
/* For threads that should have the priority their maker had before it was preferred. */
int rmi_thread_priority(void);
void rmi_set_thread_priority(int priority);

#endif
