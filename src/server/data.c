/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Jobs, their lines, and the buffers.
 *
 * The happy path:
 *
 * 1. A handler takes a job, fills it and puts it in its client's line.
 *
 * 2. data_poll() takes the job at the head of the line whose turn it is, gives it
 *    a slot, gathers pieces into it and starts the slot's first step; a job that
 *    has more pieces and may hold more slots goes to the end of its line. Then it
 *    is the next client's turn, as it is when a client holds its share.
 *
 * 3. Each slot goes through the steps of its job (read: extents, moves; write:
 *    moves, extents) on its own and is free again; its job may get in line.
 *
 * 4. When no piece is left and no slot is held, the request is answered; or
 *    before, when the last move is posted and the fabric keeps a reply behind
 *    the moves. A job outlives an early answer by the slots that it holds,
 *    which is why there are more jobs than requests.
 *
 * Possible failure modes are:
 *
 * - The fabric's queue is full: the slot is put off and goes on at the next
 *   turn with the move that was refused; not beyond the job's deadline.
 *
 * - Runs without end (a block of one byte, repeated 2^60 times) or a server
 *   that is overwhelmed: beyond its deadline a job takes no more buffers, and
 *   the client, if it is still there, asks again.
 *
 * - A device or RMA error, or a run that is not well-formed: job_fail(). The
 *   slots under way end as they would, then the error is the answer.
 *
 * - The connection breaks: its moves end with an error, as above. If the client
 *   is gone, so is the answer. If it lives, it is told "busy, later" and asks
 *   again: reading twice, or writing the same bytes twice, harms nobody.
 */
#include "server/data.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/server.h"

#include <assert.h>
#include <stdio.h>

#define CORRUPT_LOGGED_MAX 100 /* of a target; all are counted */

static int make_slots(struct data *data)
{
    struct slot *slot;
    size_t per_slot, i, n = data->pool.nbuffers;

    data->slots_all = mem_calloc(n, sizeof(*data->slots_all));
    data->shares = mem_calloc(n, sizeof(*data->shares));
    if (data->slots_all == NULL || data->shares == NULL)
        return -ENOMEM;
    per_slot = data->pool.buffer_size / PROTO_FRAGMENT + 2 * SLOT_EXTENTS_MAX;
    data->slot_sums = mem_calloc(n * per_slot, sizeof(*data->slot_sums));
    if (data->slot_sums == NULL)
        return -ENOMEM;
    for (i = 0; i < n; i++) {
        slot = &data->slots_all[i];
        slot->sums = data->slot_sums + i * per_slot;
        slot->memory = pool_get(&data->pool);
        slot->next = data->slots_free;
        data->slots_free = slot;
    }
    data->nslots_free = (unsigned)n;
    return 0;
}

static int make_jobs(struct data *data, size_t n)
{
    size_t i;

    data->jobs_all = mem_calloc(n, sizeof(*data->jobs_all));
    data->lines_all = mem_calloc(n, sizeof(*data->lines_all));
    data->job_sums = mem_calloc(n * PROTO_SUMS_MAX, sizeof(*data->job_sums));
    if (data->jobs_all == NULL || data->lines_all == NULL ||
        data->job_sums == NULL)
        return -ENOMEM;
    for (i = 0; i < n; i++) {
        data->jobs_all[i].next = data->jobs_free;
        data->jobs_free = &data->jobs_all[i];
        data->lines_all[i].next = data->lines_free;
        data->lines_free = &data->lines_all[i];
    }
    return 0;
}

int data_init(struct data *data, unsigned requests_max, unsigned buffers,
              size_t buffer_size)
{
    int rc;

    *data = (struct data){0};
    data->lines_end = &data->lines;
    data->put_off_end = &data->put_off;
    if (buffer_size % 4096 != 0 || buffer_size <= PROTO_INLINE_MAX + 4096 ||
        buffer_size > UINT32_MAX)
        return -EINVAL;
    rc = pool_init(&data->pool, buffers, buffer_size);
    if (rc != 0)
        return rc;
    rc = make_slots(data);
    if (rc == 0)
        rc = make_jobs(data, (size_t)requests_max + buffers);
    if (rc != 0)
        data_fini(data);
    return rc;
}

void data_fini(struct data *data)
{
    free(data->job_sums);
    free(data->lines_all);
    free(data->jobs_all);
    free(data->slot_sums);
    free(data->shares);
    free(data->slots_all);
    pool_fini(&data->pool);
    *data = (struct data){0};
}

struct job *job_take(struct srv_target *target, struct rpc_request *request)
{
    struct data *data = &target->data;
    struct job *job = data->jobs_free;

    assert(job != NULL);
    data->jobs_free = job->next;
    data->njobs++;
    *job = (struct job){
        .target = target,
        .request = request,
        .client = request->client,
        .deadline_ns = clock_now(target->clock) + JOB_TIMEOUT_NS,
        .sums = data->job_sums +
                (size_t)(job - data->jobs_all) * PROTO_SUMS_MAX,
    };
    return job;
}

static void job_put(struct job *job)
{
    struct data *data = &job->target->data;

    assert(job->nslots == 0 && !job->is_in_line);
    job->next = data->jobs_free;
    data->jobs_free = job;
    data->njobs--;
}

void job_fail(struct job *job, int rc, const char *text)
{
    if (job->rc == 0) {
        job->rc = rc;
        job->text = text;
    }
    job->is_over = true;
}

static uint64_t file_offset(const struct pieces_config *config,
                            uint64_t object_offset)
{
    uint64_t row = object_offset / config->stripe_size;

    return (row * config->columns + config->column) * config->stripe_size +
           object_offset % config->stripe_size;
}

void job_fail_corrupt(struct job *job, uint64_t object_offset,
                      const char *where)
{
    struct srv_target *target = job->target;

    snprintf(job->said, sizeof(job->said),
             "%s: inode %016llx, offset %llu, target %u", where,
             (unsigned long long)job->ino,
             (unsigned long long)file_offset(&job->pieces.config,
                                             object_offset),
             target->config.target);
    if (target->ncorrupt_logged < CORRUPT_LOGGED_MAX) {
        target->ncorrupt_logged++;
        log_error("checksum mismatch %s", job->said);
    }
    job_fail(job, -ERR_CORRUPT, job->said);
}

/* Which of the latency counters: the first that fits, or the last. */
static void count_latency(const struct job *job)
{
    static const uint64_t within_ns[] = COUNTERS_LATENCY_NS;
    const size_t n = sizeof(within_ns) / sizeof(within_ns[0]);
    uint64_t started_ns = job->deadline_ns - JOB_TIMEOUT_NS;
    uint64_t took_ns = clock_now(job->target->clock) - started_ns;
    unsigned which = 0;

    while (which < n && took_ns > within_ns[which])
        which++;
    srv_count(job->target,
              (job->verb == OBJ_READ ? COUNTER_reads_within_64us
                                     : COUNTER_writes_within_64us) + which, 1);
}

static void answer(struct job *job)
{
    if (job->request != NULL)
        count_latency(job);
    if (job->rc == -ERR_LINK)
        job->rc = -ERR_BUSY;
    if (job->request != NULL && !job->target->is_closing)
        job->answer(job);
    job->request = NULL;
}

void job_settle(struct job *job)
{
    if (!job->is_over || job->is_in_line)
        return;
    if (job->is_early && job->rc == 0 && job->nunposted == 0)
        answer(job);
    if (job->nslots > 0)
        return;
    answer(job);
    job_put(job);
}

/*
 * Lines.
 */

static void append_line(struct data *data, struct line *line)
{
    line->next = NULL;
    *data->lines_end = line;
    data->lines_end = &line->next;
    data->nlines++;
}

/* Take the line whose turn it is. */
static struct line *take_line(struct data *data)
{
    struct line *line = data->lines;

    data->lines = line->next;
    if (data->lines == NULL)
        data->lines_end = &data->lines;
    data->nlines--;
    return line;
}

/* A client's line; one that has none yet has the last turn. */
static struct line *line_of(struct data *data, uint64_t client)
{
    struct line *line = data->lines;

    while (line != NULL && line->client != client)
        line = line->next;
    if (line != NULL)
        return line;
    line = data->lines_free;
    assert(line != NULL);
    data->lines_free = line->next;
    line->client = client;
    line->head = NULL;
    line->end = &line->head;
    append_line(data, line);
    return line;
}

void job_want_slot(struct job *job)
{
    struct line *line;

    if (job->is_in_line)
        return;
    line = line_of(&job->target->data, job->client);
    job->is_in_line = true;
    job->next = NULL;
    *line->end = job;
    line->end = &job->next;
}

/* Take the first job of the line whose turn it is; the next has its turn then. */
static struct job *take_job(struct data *data)
{
    struct line *line = take_line(data);
    struct job *job = line->head;

    line->head = job->next;
    if (line->head == NULL) {
        line->next = data->lines_free;
        data->lines_free = line;
    } else {
        append_line(data, line);
    }
    job->is_in_line = false;
    return job;
}

/* A client's entry, or one that is free. */
static struct share *share_of(struct data *data, uint64_t client)
{
    struct share *share, *empty = NULL;
    size_t i;

    for (i = 0; i < data->pool.nbuffers; i++) {
        share = &data->shares[i];
        if (share->nslots > 0 && share->client == client)
            return share;
        if (share->nslots == 0 && empty == NULL)
            empty = share;
    }
    assert(empty != NULL);
    return empty;
}

static struct slot *slot_get(struct data *data, struct job *job,
                             struct share *share)
{
    struct slot *slot = data->slots_free;

    data->slots_free = slot->next;
    data->nslots_free--;
    share->client = job->client;
    share->nslots++;
    slot->share = share;
    slot->job = job;
    slot->start = slot->fill = slot->bytes = 0;
    slot->nextents = slot->nmoves = slot->posted = slot->waiting = 0;
    slot->is_put_off = slot->is_lent = slot->is_refused = false;
    slot->is_whole = true;
    slot->step = job->steps;
    job->nslots++;
    job->nunposted++;
    return slot;
}

/* Back to the free list; its job may want it again, or end. */
void slot_put(struct slot *slot)
{
    struct job *job = slot->job;
    struct data *data = &job->target->data;

    assert(slot->waiting == 0);
    if (slot->posted < slot->nmoves || slot->nmoves == 0)
        job->nunposted--;
    slot->next = data->slots_free;
    data->slots_free = slot;
    data->nslots_free++;
    slot->share->nslots--;
    job->nslots--;
    if (!job->is_over)
        job_want_slot(job);
    job_settle(job);
}

/* Does the client whose turn it is hold its share? Such a one lets the next go
 * first, unless its job is over and wants no more than to be ended. */
static bool has_share(struct data *data)
{
    const struct job *job = data->lines->head;

    return !job->is_over &&
           clock_now(job->target->clock) < job->deadline_ns &&
           share_of(data, job->client)->nslots >= data->nslots_free;
}

static void serve(struct data *data, struct job *job)
{
    struct slot *slot;

    if (clock_now(job->target->clock) >= job->deadline_ns)
        job_fail(job, -ERR_BUSY, NULL);
    if (job->is_over) {
        job_settle(job);
        return;
    }
    slot = slot_get(data, job, share_of(data, job->client));
    if (!slot_gather(slot)) {
        slot_put(slot); /* the job is over, and ends with its last slot */
        return;
    }
    if (!job->is_over && !job->is_inline && job->nslots < JOB_SLOTS_MAX)
        job_want_slot(job);
    (*slot->step)(slot);
}

/* Until every buffer is held, or nobody in line may have one. @return how many
 * were served. */
static int serve_lines(struct data *data)
{
    unsigned nrefused = 0;
    int n = 0;

    while (data->slots_free != NULL && nrefused < data->nlines) {
        if (has_share(data)) {
            append_line(data, take_line(data));
            nrefused++;
        } else {
            serve(data, take_job(data));
            nrefused = 0;
            n++;
        }
    }
    return n;
}

void slot_go_on(struct slot *slot)
{
    slot->step++;
    if (slot->job->rc != 0 || *slot->step == NULL ||
        slot->job->target->is_closing)
        slot_put(slot);
    else
        (*slot->step)(slot);
}

void slot_put_off(struct slot *slot)
{
    struct data *data = &slot->job->target->data;

    slot->is_put_off = true;
    slot->next = NULL;
    *data->put_off_end = slot;
    data->put_off_end = &slot->next;
}

/* Each slot that was put off so far tries again, once. */
static int repeat_put_off(struct data *data)
{
    struct slot *slot = data->put_off, *next;
    int n = 0;

    data->put_off = NULL;
    data->put_off_end = &data->put_off;
    for (; slot != NULL; slot = next) {
        next = slot->next;
        slot->is_put_off = false;
        (*slot->step)(slot);
        n += slot->is_put_off ? 0 : 1;
    }
    return n;
}

int data_poll(struct srv_target *target)
{
    struct data *data = &target->data;
    int n = 0;

    if (data->put_off != NULL)
        n += repeat_put_off(data);
    return n + serve_lines(data);
}
