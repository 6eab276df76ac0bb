/* SPDX-License-Identifier: BSD-3-Clause */
#include "benchmarks/scale_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void grow(struct queue *queue)
{
    queue->room = queue->room == 0 ? 1024 : 2 * queue->room;
    queue->events = realloc(queue->events, queue->room * sizeof(struct event));
    if (queue->events == NULL) {
        fprintf(stderr, "scale_sim: no memory\n");
        exit(1);
    }
}

void queue_push(struct queue *queue, uint64_t at_ns, uint32_t what)
{
    struct event event = {at_ns, queue->order++, what};
    size_t i;

    if (queue->n == queue->room)
        grow(queue);
    for (i = queue->n++; i > 0; i = (i - 1) / 2) {
        if (!is_before(&event, &queue->events[(i - 1) / 2]))
            break;
        queue->events[i] = queue->events[(i - 1) / 2];
    }
    queue->events[i] = event;
}

bool queue_pop(struct queue *queue, struct event *event_out)
{
    const struct event *last;
    size_t i = 0, child;

    if (queue->n == 0)
        return false;
    *event_out = queue->events[0];
    last = &queue->events[--queue->n];
    while ((child = 2 * i + 1) < queue->n) {
        if (child + 1 < queue->n &&
            is_before(&queue->events[child + 1], &queue->events[child]))
            child++;
        if (!is_before(&queue->events[child], last))
            break;
        queue->events[i] = queue->events[child];
        i = child;
    }
    queue->events[i] = *last;
    return true;
}

void queue_fini(struct queue *queue)
{
    free(queue->events);
    *queue = (struct queue){0};
}

/* --- Stations --- */

void station_init(struct station *station, unsigned nplaces)
{
    *station = (struct station){.nplaces = nplaces};
}

uint64_t station_serve(struct station *station, uint64_t now_ns,
                       uint64_t service_ns)
{
    uint64_t *first = &station->free_ns[0];

    for (unsigned i = 1; i < station->nplaces; i++)
        if (station->free_ns[i] < *first)
            first = &station->free_ns[i];
    *first = (*first > now_ns ? *first : now_ns) + service_ns;
    station->busy_ns += service_ns;
    return *first;
}
