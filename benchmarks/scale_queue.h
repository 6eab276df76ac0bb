/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A queueing model's clockwork: events by time, and stations, each of which
 * serves one job at a time on each of its places, in the order of arrival.
 *
 * A job that comes to a station is told at once when it will have been served,
 * for those before it have come before it: so a station keeps no queue.
 *
 * Units    virtual nanoseconds.
 * Threads  one.
 * Failure  queue_push: no memory ends the program.
 */
#ifndef CAPSTAN_SCALE_QUEUE_H
#define CAPSTAN_SCALE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event {
    uint64_t at_ns;
    uint64_t order; /* events of one time: first come */
    uint32_t what;
};

struct queue {
    struct event *events; /* a binary heap */
    size_t n, room;
    uint64_t order;
};

void queue_push(struct queue *queue, uint64_t at_ns, uint32_t what);

/** Take the earliest event. @return false: there is none. */
bool queue_pop(struct queue *queue, struct event *event_out);
void queue_fini(struct queue *queue);

#define STATION_PLACES_MAX 8

struct station {
    uint64_t busy_ns;                     /* service given, of all places */
    unsigned nplaces;                     /* 1 .. STATION_PLACES_MAX */
    uint64_t free_ns[STATION_PLACES_MAX]; /* when a place will be */
};

void station_init(struct station *station, unsigned nplaces);

/** Serve a job that arrives now. @return when it will have been served. */
uint64_t station_serve(struct station *station, uint64_t now_ns,
                       uint64_t service_ns);

#endif
