/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads and writes under way.
 *
 * An operation (struct capstan_request) is cut into parts (struct io_part):
 * one part is one message to one target and what it moves. A bounded number of
 * parts are in use at once; all are allocated when the operation starts.
 *
 * The promise about memory: when an operation has ended, however it ended, its
 * registrations are gone, so that a server that answers late can never write
 * into memory which the caller has back.
 *
 * Units    bytes, nanoseconds.
 * Threads  the session's owner. Callbacks of calls only note what came; all
 *          else happens in cli_requests_pump().
 * Failure  the first failure is kept with its text; nothing more is started
 *          then. A part that gets no answer in time ends all others at once.
 */
#ifndef CAPSTAN_CLIENT_IO_H
#define CAPSTAN_CLIENT_IO_H

#include "client/cli.h"
#include "client/io_mem.h"
#include "client/io_pack.h"
#include "client/io_split.h"

#define IO_PART_BYTES (8u << 20) /* of data in one part, about */
#define IO_PARTS_MAX 128u        /* in use at once by one operation */
#define IO_RUN_BYTES 64u         /* no encoded run is longer */

enum io_part_state {
    IO_PART_FREE,
    IO_PART_OPEN,  /* takes runs */
    IO_PART_SENT,  /* the call is under way */
    IO_PART_ENDED, /* its answer is noted */
    IO_PART_SHORT, /* bytes were missing: waits for the file's size */
};

struct io_part {
    struct capstan_request *request;
    enum io_part_state state;
    uint16_t column;
    struct io_span *span;
    struct proto_runs encoder;
    uint8_t *runs; /* encoded; room is the request's runs_room */
    size_t runs_len;
    uint64_t base; /* to which memory in them is relative */
    struct io_bounce *bounce; /* through which its pieces travel, or NULL */
    struct net_mr *bounce_mr;
    struct proto_runs packed_encoder;
    uint8_t *packed_runs; /* as above, with memory as it lies in the bounce */
    size_t packed_len;
    uint64_t packed; /* bytes of the bounce that runs have taken */
    uint8_t *sums;      /* of its fragments; room is the request's nsums_room */
    uint64_t nsums_most; /* it may have, by its runs */
    uint8_t *data;  /* write: room for inline data */
    uint64_t bytes; /* on this column, or more (split_bytes) */
    uint64_t end;   /* of the farthest run, in the file */
    bool is_repeated; /* its bytes did not fit their sums: once more */
    int rc;
    uint64_t moved;
    uint64_t object_size; /* read: at that time */
    union {
        struct proto_req_read read;
        struct proto_req_write write;
    } req;
    struct rpc_call call;
};

enum io_state {
    IO_STRIPE, /* asks the owner to mark the file striped */
    IO_RUN,    /* parts go out and come back */
    IO_SIZE,   /* bytes were missing: asks for record and size */
    IO_DONE,
};

struct capstan_request {
    struct capstan_session *session;
    struct capstan_request *prev, *next; /* of the session; until IO_DONE */
    struct capstan_file *file;           /* until IO_DONE */
    enum io_state state;
    bool is_write;
    bool is_ready;  /* something happened since the last pump */
    bool is_spread; /* bytes may lie on every column */
    int rc;
    uint64_t guard_ns; /* everything started so far ends before this */

    struct run *runs; /* a copy, without empty ones; mem is an address */
    size_t nruns;
    uint64_t total;
    struct io_memory memory;
    struct split_map map;

    struct split_cursor cursor;
    struct run portion;       /* the one being given to parts */
    uint64_t portion_columns; /* which have not had it */
    bool is_all_given;        /* the cursor is at its end */

    struct io_part *parts;
    unsigned nparts;
    unsigned nsent;
    uint8_t *slab; /* the parts' runs and data */
    size_t runs_room;
    bool is_packed; /* parts take bounces while there are some */
    size_t nsums_room; /* 0: none are wanted */
    struct io_part *open[LAYOUT_WIDTH_MAX]; /* by column */

    uint64_t moved;
    bool is_short; /* the size is needed */
    bool has_eof;  /* and known */
    uint64_t eof;
    struct cli_size *size;   /* IO_SIZE */
    struct cli_call *stripe; /* IO_STRIPE */
    char text[CAPSTAN_ERROR_TEXT_MAX];
};

/** Move every request on whose calls brought something. @return how many. */
int cli_requests_pump(struct capstan_session *session);

/** Move the deadline of every request: the program was elsewhere so long. */
void cli_requests_extend(struct capstan_session *session, uint64_t ns);

/** End and free every request: the session ends. */
void cli_requests_abandon(struct capstan_session *session);

/** Keep the first failure and its text. */
void io_request_fail(struct capstan_request *request, int rc, const char *said,
                     const char *what, ...)
    __attribute__((format(printf, 4, 5)));

/** Make a free part an open, empty one for a column. */
void io_part_open(struct io_part *part, uint16_t column);

/** Its answer was dealt with, or comes no more: no server reaches its bounce. */
void io_part_let_go(struct io_part *part);

/** Its answer is not waited for any more: what comes late reaches nothing. */
void io_part_stop(struct io_part *part);

/** Add a run. @return false: this part is full; an empty one is not. */
bool io_part_append(struct io_part *part, const struct run *run);

/** Send an open part. @return 0 or why its memory could not be registered. */
int io_part_send(struct io_part *part);

/** An ended read: did bytes of its runs lie beyond the object's end? */
bool io_part_is_short(const struct io_part *part);

/** Zero what was missing and lies below the end of the file. */
void io_part_fill(const struct io_part *part, uint64_t eof);

/** The first byte of a part, for texts. */
uint64_t io_part_offset(const struct io_part *part);

#endif
