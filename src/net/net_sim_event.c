/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated fabric's queue of events: a binary heap by (time, order of
 * arrival), so that equal times keep their order and a seed is repeatable.
 */
#include "net/net_sim_priv.h"

#include "base/err.h"
#include "base/mem.h"

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void sift_up(struct sim_queue *queue, size_t i)
{
    struct sim_event *event = queue->events[i];

    while (i > 0 && is_before(event, queue->events[(i - 1) / 2])) {
        queue->events[i] = queue->events[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    queue->events[i] = event;
}

static void sift_down(struct sim_queue *queue, size_t i)
{
    struct sim_event *event = queue->events[i];
    size_t child;

    while ((child = 2 * i + 1) < queue->nevents) {
        if (child + 1 < queue->nevents &&
            is_before(queue->events[child + 1], queue->events[child]))
            child++;
        if (!is_before(queue->events[child], event))
            break;
        queue->events[i] = queue->events[child];
        i = child;
    }
    queue->events[i] = event;
}

int sim_queue_push(struct sim_queue *queue, struct sim_event *event)
{
    struct sim_event **events;
    size_t room;

    if (queue->nevents == queue->room) {
        room = queue->room == 0 ? 64 : 2 * queue->room;
        events = mem_grow(queue->events, room, sizeof(struct sim_event *));
        if (events == NULL)
            return -ENOMEM;
        queue->events = events;
        queue->room = room;
    }
    queue->events[queue->nevents] = event;
    sift_up(queue, queue->nevents++);
    return 0;
}

struct sim_event *sim_queue_top(const struct sim_queue *queue)
{
    return queue->nevents == 0 ? NULL : queue->events[0];
}

struct sim_event *sim_queue_pop(struct sim_queue *queue)
{
    struct sim_event *top = queue->events[0];

    queue->events[0] = queue->events[--queue->nevents];
    if (queue->nevents > 0)
        sift_down(queue, 0);
    return top;
}

/* A message on its way from the dead is lost too: nobody resends it. */
static bool dies_with(const struct sim_event *event, const struct sim_ep *ep)
{
    return event->from == ep || (event->kind == SIM_MESSAGE && event->to == ep);
}

static void keep_first(struct sim_queue *queue, size_t nkept)
{
    queue->nevents = nkept;
    for (size_t i = nkept / 2; i-- > 0;)
        sift_down(queue, i);
}

void sim_queue_forget(struct sim_queue *queue, struct sim_ep *ep)
{
    size_t nkept = 0;

    for (size_t i = 0; i < queue->nevents; i++) {
        struct sim_event *event = queue->events[i];

        if (dies_with(event, ep)) {
            free(event);
            continue;
        }
        if (event->to == ep)
            event->to = NULL;
        queue->events[nkept++] = event;
    }
    keep_first(queue, nkept);
}

static bool is_between(const struct sim_event *event, const struct sim_ep *a,
                       const struct sim_ep *b)
{
    return event->kind != SIM_DONE &&
           ((event->from == a && event->to == b) ||
            (event->from == b && event->to == a));
}

void sim_queue_cut(struct sim_queue *queue, const struct sim_ep *a,
                   const struct sim_ep *b)
{
    size_t nkept = 0;

    for (size_t i = 0; i < queue->nevents; i++) {
        struct sim_event *event = queue->events[i];

        if (is_between(event, a, b)) {
            if (event->kind == SIM_MESSAGE) {
                free(event);
                continue;
            }
            event->to = NULL;
        }
        queue->events[nkept++] = event;
    }
    keep_first(queue, nkept);
}

void sim_queue_fini(struct sim_queue *queue)
{
    for (size_t i = 0; i < queue->nevents; i++)
        free(queue->events[i]);
    free(queue->events);
}
