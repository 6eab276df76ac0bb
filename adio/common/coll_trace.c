/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events are fixed-size records, so that they travel as they are: at the end
 * rank 0 asks one rank after the other and prints, so that no rank holds more
 * than two ranks' events.
 *
 * The file is an array of JSON objects. One that exists is added to: a program
 * may open many files.
 *
 * Possible failure modes: the file cannot be written, told by log_warn().
 */
#include "adio/common/coll_trace.h"

#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TAG_TRACE 1
#define ROOM_MIN 256

struct event {
    uint64_t since;
    uint64_t until;
    uint64_t number;
    uint32_t track;
    uint32_t name;
};

struct coll_trace {
    uint64_t start; /* rank 0's clock when it opened the file */
    struct event *events;
    size_t n;
    size_t room;
    uint64_t ndropped;
};

static const char *const words[] = {
#define X(name, word) word,
    TRACE_NAMES(X)
#undef X
};

static const char *const tracks[TRACE_TRACKS] = {
    "phase", "storage, buffer 0", "storage, buffer 1", "ranks, buffer 0",
    "ranks, buffer 1"};

static uint64_t clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const char *wanted(void)
{
    const char *path = getenv("CAPSTAN_TRACE");

    return path != NULL && *path != '\0' ? path : NULL;
}

struct coll_trace *coll_trace_create(MPI_Comm comm)
{
    struct coll_trace *trace;
    uint64_t start = wanted() != NULL ? clock_now() : 0;

    PMPI_Bcast(&start, 1, MPI_UINT64_T, 0, comm);
    if (start == 0)
        return NULL;
    trace = mem_calloc(1, sizeof(*trace));
    if (trace != NULL)
        trace->start = start;
    return trace;
}

uint64_t coll_trace_now(const struct coll_trace *trace)
{
    return trace == NULL ? 0 : clock_now();
}

static bool has_room(struct coll_trace *trace)
{
    size_t room = trace->room > 0 ? trace->room * 2 : ROOM_MIN;
    void *events;

    if (trace->n < trace->room)
        return true;
    if (room > TRACE_EVENTS_MAX)
        return false;
    events = mem_grow(trace->events, room, sizeof(*trace->events));
    if (events == NULL)
        return false;
    trace->events = events;
    trace->room = room;
    return true;
}

void coll_trace_span(struct coll_trace *trace, int track, enum trace_name name,
                     uint64_t number, uint64_t since)
{
    if (trace == NULL)
        return;
    if (!has_room(trace)) {
        trace->ndropped++;
        return;
    }
    trace->events[trace->n++] = (struct event){
        .since = since,
        .until = coll_trace_now(trace),
        .number = number,
        .track = (uint32_t)track,
        .name = name,
    };
}

/* Behind the last object of the array, which is begun when it is not there. */
static FILE *open_array(const char *path)
{
    FILE *file = fopen(path, "r+");
    bool is_new = file == NULL;

    if (is_new)
        file = fopen(path, "w");
    if (file == NULL) {
        log_warn("trace %s: %m", path);
        return NULL;
    }
    if (is_new)
        fprintf(file, "[");
    else if (fseek(file, -3, SEEK_END) != 0) /* "\n]\n" */
        rewind(file);
    else
        fprintf(file, ",");
    return file;
}

static void print_names(FILE *file, int rank, const char *display,
                        uint64_t start)
{
    fprintf(file,
            "\n{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\","
            "\"args\":{\"name\":\"rank %d\"}}",
            rank, rank);
    for (int i = 0; i < TRACE_TRACKS; i++)
        fprintf(file,
                ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":%d,"
                "\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}}",
                rank, i, tracks[i]);
    if (rank == 0 && start > 0) {
        fprintf(file,
                ",\n{\"ph\":\"i\",\"pid\":0,\"tid\":0,\"ts\":%" PRIu64 ","
                "\"s\":\"g\",\"name\":\"open ",
                start / 1000);
        for (; *display != '\0'; display++)
            if (*display != '"' && *display != '\\' && *display >= ' ')
                fputc(*display, file);
        fprintf(file, "\"}");
    }
}

static void print_event(FILE *file, int rank, const struct event *event)
{
    bool is_numbered = event->track != TRACE_TRACK_PHASE;

    fprintf(file,
            ",\n{\"ph\":\"X\",\"pid\":%d,\"tid\":%" PRIu32 ",\"name\":\"%s",
            rank, event->track, words[event->name]);
    if (is_numbered)
        fprintf(file, " %" PRIu64, event->number);
    fprintf(file,
            "\",\"ts\":%" PRIu64 ".%03" PRIu64 ",\"dur\":%" PRIu64 ".%03" PRIu64
            "}",
            event->since / 1000, event->since % 1000,
            (event->until - event->since) / 1000,
            (event->until - event->since) % 1000);
}

static void print_rank(FILE *file, int rank, const char *display,
                       const struct event *events, size_t n)
{
    if (file == NULL)
        return;
    if (rank > 0)
        fprintf(file, ",");
    print_names(file, rank, display, n > 0 ? events[0].since : 0);
    for (size_t i = 0; i < n; i++)
        print_event(file, rank, &events[i]);
}

/* Rank 0: take a rank's events and print them. */
static void take_from(FILE *file, int rank, MPI_Comm comm, const char *display)
{
    struct event *events;
    MPI_Message message;
    MPI_Status status;
    int bytes;

    PMPI_Send(NULL, 0, MPI_BYTE, rank, TAG_TRACE, comm);
    PMPI_Mprobe(rank, TAG_TRACE, comm, &message, &status);
    PMPI_Get_count(&status, MPI_BYTE, &bytes);
    events = mem_calloc((size_t)bytes + 1, 1);
    if (events == NULL) {
        log_warn("trace: no memory for rank %d", rank);
        PMPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
        bytes = 0;
    }
    PMPI_Mrecv(events, bytes, MPI_BYTE, &message, &status);
    print_rank(file, rank, display, events, (size_t)bytes / sizeof(*events));
    free(events);
}

static void give(const struct coll_trace *trace, MPI_Comm comm)
{
    PMPI_Recv(NULL, 0, MPI_BYTE, 0, TAG_TRACE, comm, MPI_STATUS_IGNORE);
    if (trace == NULL)
        PMPI_Send(NULL, 0, MPI_BYTE, 0, TAG_TRACE, comm);
    else
        PMPI_Send(trace->events, (int)(trace->n * sizeof(*trace->events)),
                  MPI_BYTE, 0, TAG_TRACE, comm);
}

static void write_all(const struct coll_trace *trace, MPI_Comm comm,
                      const char *display)
{
    const char *path = wanted();
    FILE *file = path != NULL ? open_array(path) : NULL;
    int size;

    PMPI_Comm_size(comm, &size);
    print_rank(file, 0, display, trace != NULL ? trace->events : NULL,
               trace != NULL ? trace->n : 0);
    for (int rank = 1; rank < size; rank++)
        take_from(file, rank, comm, display);
    if (file == NULL)
        return;
    fprintf(file, "\n]\n");
    if (fclose(file) != 0)
        log_warn("trace %s: %m", path);
}

void coll_trace_finish(struct coll_trace **trace_p, MPI_Comm comm,
                       const char *display)
{
    struct coll_trace *trace = *trace_p;
    int rank, is_wanted = trace != NULL;

    *trace_p = NULL;
    PMPI_Comm_rank(comm, &rank);
    PMPI_Bcast(&is_wanted, 1, MPI_INT, 0, comm);
    if (is_wanted && rank == 0)
        write_all(trace, comm, display);
    else if (is_wanted)
        give(trace, comm);
    if (trace == NULL)
        return;
    if (trace->ndropped > 0)
        log_warn("trace: %" PRIu64 " events of rank %d dropped",
                 trace->ndropped, rank);
    free(trace->events);
    free(trace);
}
