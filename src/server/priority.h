/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server's place in the queue for processors.
 *
 * A server works for moments and sleeps; the ranks that wait for it may share
 * its processors, and poll. It must get its turn at once, or they all wait.
 *
 * Units    nice values: -20 (first) to 19.
 * Threads  acts on the calling thread and on those it starts later.
 * Failure  what the system does not permit is left out, with a log line at
 *          info: the server is slower then, not wrong.
 */
#ifndef CAPSTAN_SERVER_PRIORITY_H
#define CAPSTAN_SERVER_PRIORITY_H

#define SRV_NICE_DEFAULT (-10)

/**
 * Take a nice value, for the thread and, if the process leads its session, for
 * the session's scheduling group (sched(7), "The autogroup feature"); and ask
 * for short time slices (sched_setattr(2)), which the scheduler gives sooner.
 */
void srv_priority_set(int nice);

#endif
