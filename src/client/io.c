/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a read or write.
 *
 * The happy path: IO_RUN cuts the runs into portions, gives each to the open
 * part of every column it touches, sends parts when full or when nothing else
 * comes, and uses them again when answered, until all was given and answered.
 *
 * A write beyond the first stripe of a stuffed file begins with IO_STRIPE. A
 * read that finds bytes missing, or that wants bytes a stuffed file does not
 * have, lets what is under way end and asks for record and size (IO_SIZE). If
 * the file turns out to be striped now, it reads all again from all columns;
 * else what is missing below the size is a hole, and is zeroed. The end of the
 * file is what that one question told, for the whole operation.
 *
 * Offsets are always mapped over the layout's full width. Of a stuffed file
 * only column 0 is asked, whose first stripe is the same in both states, so a
 * file that becomes striped under a read never gives it wrong bytes.
 *
 * Possible failure modes are: a part fails (nothing more is sent, what is under
 * way is waited for); a part gets no answer in time (what is under way is
 * cancelled); the file was removed (-ESTALE). In each case the registrations go
 * before the operation ends.
 */
#include "client/io.h"

#include "base/mem.h"
#include "client/call.h"
#include "client/file.h"
#include "client/size.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

void io_request_fail(struct capstan_request *request, int rc, const char *said,
                     const char *what, ...)
{
    size_t room = sizeof(request->text);
    va_list args;
    int used;

    if (request->rc != 0)
        return;
    request->rc = rc;
    used = snprintf(request->text, room,
                    "%s %s: ", request->is_write ? "write" : "read",
                    request->file->path);
    if (used < 0 || (size_t)used >= room)
        return;
    va_start(args, what);
    used += vsnprintf(request->text + used, room - (size_t)used, what, args);
    va_end(args);
    if ((size_t)used < room)
        snprintf(request->text + used, room - (size_t)used, ": %s%s%s",
                 err_text(rc), said[0] != '\0' ? ": " : "", said);
}

static void fail_part(struct capstan_request *request,
                      const struct io_part *part, int rc)
{
    uint16_t id = request->file->inode.layout.targets[part->column];
    char target[CLI_TARGET_TEXT_MAX];

    io_request_fail(request, rc, part->call.text, "offset %llu on %s",
                    (unsigned long long)io_part_offset(part),
                    cli_target_text(request->session, id, target));
}

/* Another question of the operation, not about data, failed. */
static void fail_call(struct capstan_request *request, int rc,
                      const struct cli_call *call)
{
    char target[CLI_TARGET_TEXT_MAX];

    if (rc == -ENOENT)
        rc = -ESTALE;
    if (call == NULL)
        io_request_fail(request, rc, "", "size");
    else
        io_request_fail(
            request, rc, call->rpc.text, "%s",
            cli_target_text(request->session, call->target, target));
}

/* Nothing of this operation reaches a server any more, nor its memory. */
static void stop_all(struct capstan_request *request)
{
    struct capstan_session *session = request->session;
    unsigned i;

    for (i = 0; i < request->nparts; i++)
        io_part_stop(&request->parts[i]);
    request->nsent = 0;
    if (request->size != NULL)
        cli_size_stop(session, request->size);
    if (request->stripe != NULL)
        cli_call_stop(session, request->stripe);
}

static void release(struct capstan_request *request)
{
    io_memory_fini(request->session->net, &request->memory);
    free(request->size);
    free(request->stripe);
    free(request->parts);
    free(request->slab);
    request->size = NULL;
    request->stripe = NULL;
    request->parts = NULL;
    request->nparts = 0;
    request->slab = NULL;
}

static enum io_state finish(struct capstan_request *request)
{
    stop_all(request);
    release(request);
    if (request->is_write && request->nruns > 0)
        request->file->is_dirty = true;
    request->file->active--;
    request->file = NULL;
    DL_DELETE(request->session->requests, request);
    return IO_DONE;
}

static struct io_part *free_part(struct capstan_request *request)
{
    unsigned i;

    for (i = 0; i < request->nparts; i++)
        if (request->parts[i].state == IO_PART_FREE)
            return &request->parts[i];
    return NULL;
}

static void send_column(struct capstan_request *request, unsigned column)
{
    struct io_part *part = request->open[column];
    int rc;

    request->open[column] = NULL;
    rc = io_part_send(part);
    if (rc == 0) {
        request->nsent++;
        return;
    }
    part->state = IO_PART_FREE;
    io_part_let_go(part);
    io_request_fail(request, rc, "", "registering %llu bytes of memory",
                    (unsigned long long)(part->span->high - part->span->low));
}

static void send_open(struct capstan_request *request)
{
    unsigned i;

    for (i = 0; i < request->map.columns && request->rc == 0; i++)
        if (request->open[i] != NULL)
            send_column(request, i);
}

/* A stuffed file has its bytes in stripe 0 of column 0, and no others. */
static void keep_stuffed(struct capstan_request *request)
{
    bool is_beyond = run_end(&request->portion) > request->map.stripe_size;

    if (is_beyond && !request->is_write)
        request->is_short = true;
    request->portion_columns =
        request->portion.offset < request->map.stripe_size;
}

/* A packed run takes room for all columns at each of them. */
static uint64_t portion_limit(const struct capstan_request *request)
{
    uint64_t limit = IO_BOUNCE_BYTES / request->map.columns;

    if (!request->is_packed)
        return IO_PART_BYTES;
    limit -= limit % STRIPE_SIZE_MIN;
    return limit < IO_PACK_LENGTH_MAX ? IO_PACK_LENGTH_MAX : limit;
}

/* @return false when there is none. */
static bool next_portion(struct capstan_request *request)
{
    while (split_next(&request->map, &request->cursor, portion_limit(request),
                      &request->portion)) {
        if (request->has_eof && request->portion.offset >= request->eof)
            continue;
        request->portion_columns =
            split_columns(&request->map, &request->portion);
        if (!request->is_spread)
            keep_stuffed(request);
        if (request->portion_columns != 0)
            return true;
    }
    request->is_all_given = true;
    return false;
}

/* Give the portion to one more column. @return false: no part is free. */
static bool give(struct capstan_request *request, unsigned column)
{
    struct io_part *part = request->open[column];

    if (part != NULL && !io_part_append(part, &request->portion)) {
        send_column(request, column);
        part = NULL;
    }
    if (part == NULL) {
        part = free_part(request);
        if (part == NULL)
            return false;
        io_part_open(part, (uint16_t)column);
        request->open[column] = part;
        io_part_append(part, &request->portion);
    }
    request->portion_columns &= ~(1ull << column);
    return true;
}

/* Give portions out until all are, or no part is free. Open parts wait then for
 * more runs while others are under way, so that messages stay full. */
static void generate(struct capstan_request *request)
{
    while (request->rc == 0 && !request->is_all_given) {
        if (request->portion_columns == 0 && !next_portion(request))
            return;
        if (!give(request, (unsigned)__builtin_ctzll(request->portion_columns)))
            return;
    }
}

static void collect_part(struct capstan_request *request, struct io_part *part)
{
    part->state = IO_PART_FREE;
    io_part_let_go(part);
    request->nsent--;
    request->moved += part->moved;
    if (part->rc != 0) {
        fail_part(request, part, part->rc);
    } else if (request->is_write) {
        request->session->bytes_written += part->moved;
    } else {
        request->session->bytes_read += part->moved;
        if (!io_part_is_short(part))
            return;
        if (request->has_eof) {
            io_part_fill(part, request->eof);
        } else {
            part->state = IO_PART_SHORT;
            request->is_short = true;
        }
    }
}

static void collect(struct capstan_request *request)
{
    unsigned i;

    for (i = 0; i < request->nparts; i++)
        if (request->parts[i].state == IO_PART_ENDED)
            collect_part(request, &request->parts[i]);
}

/* Every answer is in. A total that does not fit means that client and server
 * do not mean the same by the runs: never a success. */
static enum io_state conclude(struct capstan_request *request)
{
    if (request->rc == 0 && !request->has_eof &&
        request->moved != request->total)
        io_request_fail(request, -ERR_PROTOCOL, "",
                        "servers moved %llu of %llu bytes",
                        (unsigned long long)request->moved,
                        (unsigned long long)request->total);
    return finish(request);
}

static enum io_state step_run(struct capstan_request *request)
{
    bool wants_size;

    collect(request);
    if (request->rc == -ETIMEDOUT)
        return finish(request);
    wants_size = request->is_short && !request->has_eof;
    if (request->rc == 0 && !wants_size) {
        generate(request);
        if (request->is_all_given || request->nsent == 0)
            send_open(request);
        wants_size = request->is_short && !request->has_eof;
    }
    if (request->nsent > 0)
        return IO_RUN;
    if (request->rc == 0 && wants_size)
        return IO_SIZE;
    return conclude(request);
}

/* Forget every part and begin at the first run. */
static void restart(struct capstan_request *request)
{
    unsigned i;

    for (i = 0; i < request->nparts; i++) {
        io_part_let_go(&request->parts[i]);
        request->parts[i].state = IO_PART_FREE;
    }
    memset(request->open, 0, sizeof(request->open));
    request->cursor.at = 0;
    request->cursor.block = 0;
    request->cursor.within = 0;
    request->portion_columns = 0;
    request->is_all_given = false;
}

static void fill_short(struct capstan_request *request)
{
    struct io_part *part;
    unsigned i;

    for (i = 0; i < request->nparts; i++) {
        part = &request->parts[i];
        if (part->state != IO_PART_SHORT)
            continue;
        io_part_fill(part, request->eof);
        part->state = IO_PART_FREE;
    }
}

static enum io_state take_size(struct capstan_request *request)
{
    struct cli_size *size = request->size;

    if (size->rc != 0) {
        fail_call(request, size->rc, size->failed);
        return finish(request);
    }
    request->has_eof = true;
    request->eof = size->size;
    if (!request->is_spread && size->inode.layout.is_striped) {
        request->file->inode = size->inode;
        request->is_spread = true;
        restart(request);
    } else {
        fill_short(request);
    }
    cli_size_stop(request->session, size);
    free(size);
    request->size = NULL;
    return IO_RUN;
}

static enum io_state step_size(struct capstan_request *request)
{
    struct cli_size *size = request->size;

    if (size == NULL) {
        size = request->size = mem_calloc(1, sizeof(*size));
        if (size == NULL) {
            fail_call(request, -ENOMEM, NULL);
            return finish(request);
        }
        size->ino = request->file->inode.ino;
        request->guard_ns = cli_deadline(request->session);
        cli_size_start(request->session, size, request->guard_ns);
    }
    return cli_size_step(request->session, size) ? take_size(request) : IO_SIZE;
}

static enum io_state step_stripe(struct capstan_request *request)
{
    struct cli_call *call = request->stripe;

    if (call == NULL) {
        call = request->stripe = mem_calloc(1, sizeof(*call));
        if (call == NULL) {
            fail_call(request, -ENOMEM, NULL);
            return finish(request);
        }
        cli_set_striped_init(request->file, call);
        request->guard_ns = cli_deadline(request->session);
        cli_call_start(request->session, call, request->guard_ns);
    }
    if (!call->is_done)
        return IO_STRIPE;
    if (call->rc != 0) {
        fail_call(request, call->rc, call);
        return finish(request);
    }
    request->file->inode.layout.is_striped = true;
    request->is_spread = true;
    return IO_RUN;
}

/* Go on as far as possible without another answer. */
static void pump(struct capstan_request *request)
{
    static enum io_state (*const step[])(struct capstan_request *) = {
        [IO_STRIPE] = step_stripe,
        [IO_RUN] = step_run,
        [IO_SIZE] = step_size,
    };
    enum io_state before;

    request->is_ready = false;
    do {
        before = request->state;
        request->state = step[before](request);
    } while (request->state != before && request->state != IO_DONE);
}

/* Calls end by their deadlines; this is for a bug in that. */
static bool is_overdue(const struct capstan_request *request, uint64_t now)
{
    return now > request->guard_ns + NS_PER_SEC;
}

int cli_requests_pump(struct capstan_session *session)
{
    struct capstan_request *request, *next;
    uint64_t now;
    int moved = 0;

    if (session->requests == NULL)
        return 0;
    now = clock_now(session->clock);
    DL_FOREACH_SAFE(session->requests, request, next)
    {
        if (is_overdue(request, now)) {
            io_request_fail(request, -ETIMEDOUT, "", "no answer");
            request->state = finish(request);
        } else if (request->is_ready || request->state != IO_RUN) {
            moved += request->is_ready;
            pump(request);
        } else {
            continue;
        }
        moved += request->state == IO_DONE;
    }
    return moved;
}

void cli_requests_extend(struct capstan_session *session, uint64_t ns)
{
    struct capstan_request *request;

    DL_FOREACH(session->requests, request)
    {
        request->guard_ns += ns;
        if (request->size != NULL)
            request->size->deadline_ns += ns;
    }
}

void cli_requests_abandon(struct capstan_session *session)
{
    struct capstan_request *request, *next;
    bool is_ours = cli_is_ours(session);

    DL_FOREACH_SAFE(session->requests, request, next)
    {
        if (is_ours)
            finish(request);
        free(request->runs);
        free(request);
    }
    session->requests = NULL;
}
