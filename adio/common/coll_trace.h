/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A timeline of collective operations, for the Perfetto and Chrome viewers:
 * CAPSTAN_TRACE=file.json in the environment of rank 0. A file's events are
 * kept in memory and written by rank 0 when it is closed; doc/tracing.md says
 * what they mean.
 *
 * Units    nanoseconds since 1970, on the clock of each node.
 * Threads  as coll.h.
 * Failure  a trace is never a reason to fail: without memory, or beyond
 *          TRACE_EVENTS_MAX, events are dropped and their number is told.
 */
#ifndef CAPSTAN_ADIO_COLL_TRACE_H
#define CAPSTAN_ADIO_COLL_TRACE_H

#include <mpi.h>
#include <stdint.h>

#define TRACE_EVENTS_MAX (1u << 18) /* of a rank and file */

/* X(name, word): what a span tells of. */
#define TRACE_NAMES(X)                                                         \
    X(CLASSIFY, "classify")                                                    \
    X(AHEAD, "ahead")                                                          \
    X(DIRECT, "direct")                                                        \
    X(MAPPED, "mapped")                                                        \
    X(SHARE, "share")                                                          \
    X(RING, "ring")                                                            \
    X(STREAM, "stream")                                                        \
    X(REQUEST, "exchange")                                                     \
    X(MOVE, "move")                                                            \
    X(AGREE, "agree")                                                          \
    X(TAKEOVER, "takeover")                                                    \
    X(TEXT, "error")                                                           \
    X(READ, "read")                                                            \
    X(WRITE, "write")                                                          \
    X(DELIVER, "deliver")                                                      \
    X(COLLECT, "collect")

enum trace_name {
#define X(name, word) TRACE_##name,
    TRACE_NAMES(X)
#undef X
};

/* A rank's lines in the picture: two of each, for there are two buffers. */
enum trace_track {
    TRACE_TRACK_PHASE,
    TRACE_TRACK_STORAGE,
    TRACE_TRACK_RANKS = TRACE_TRACK_STORAGE + 2,
    TRACE_TRACKS = TRACE_TRACK_RANKS + 2,
};

struct coll_trace;

/** Begin when rank 0 wants a trace. Collective. @return NULL: it does not, or
 *  this rank has no memory for it. */
struct coll_trace *coll_trace_create(MPI_Comm comm);

/** Now, for the start of a span; 0 when there is no trace. */
uint64_t coll_trace_now(const struct coll_trace *trace);

/** A span from `since` to now. A NULL trace is allowed. */
void coll_trace_span(struct coll_trace *trace, int track, enum trace_name name,
                     uint64_t number, uint64_t since);

/** Write what all ranks have, if rank 0 wanted a trace, and free. Collective.
 *  *trace_p is NULL. */
void coll_trace_finish(struct coll_trace **trace_p, MPI_Comm comm,
                       const char *display);

#endif
