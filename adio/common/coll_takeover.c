/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takeover: when an aggregator of two-phase has failed, another rank moves what
 * is left of its realm, once. The happy path:
 *
 *   1. AGREE has told all ranks that some aggregator failed;
 *   2. of a read each rank knows what it was not sent. Of a write only the
 *      aggregator knows what did not get to storage: an Allreduce of a few
 *      owners at a time tells from which offset on, so that memory does not
 *      grow with owners; what was counted beyond it is counted back;
 *   3. each rank's parts are cut to what is left, and REQUEST and MOVE go again
 *      with the next owner's rank in place of the failed one's.
 *
 * Possible failure modes: a second failure, or one that was not an
 * aggregator's: counts are made true all the same, then TEXT ends the
 * operation. No memory for what is left: this rank asks for nothing at the
 * second try and says so when all agree again.
 */
#include "adio/common/coll_agg.h"

#include "base/mem.h"

#include <errno.h>

int coll_substitute_rank(const struct coll_op *op, uint32_t owner)
{
    const struct coll_nodes *nodes = &op->kept->nodes;
    uint32_t owners = op->realm.owners;

    if (owners > 1)
        return coll_nodes_rank(nodes, (owner + 1) % owners, owners);
    return (coll_nodes_rank(nodes, 0, 1) + 1) % op->file->size;
}

int coll_owner_rank(const struct coll_op *op, uint32_t owner)
{
    if (op->is_second_try)
        return coll_substitute_rank(op, owner);
    return coll_nodes_rank(&op->kept->nodes, owner, op->realm.owners);
}

/* Drop what lies below `from`. On failure the list is empty. */
static int keep_from(struct coll_list *list, uint64_t from)
{
    struct coll_list rest = {0};
    size_t first = 0;
    int rc = 0;

    if (from != UINT64_MAX)
        rc =
            coll_clip_all(list->runs, list->n, &first, from, UINT64_MAX, &rest);
    if (rc != 0)
        coll_list_fini(&rest);
    coll_list_fini(list);
    *list = rest;
    return rc;
}

/* Of part i bytes from `from` on are to be moved again. */
static void cut_part(struct coll_op *op, size_t i, uint64_t from)
{
    struct coll_list *list = &op->exchange->parts.parts[i].list;
    uint64_t reached = coll_client_reached(op->client, i);
    uint64_t left;

    if (keep_from(list, from) != 0)
        coll_fail_memory(op, "asking another aggregator");
    if (op->verb == COLL_READ)
        return;
    /* Counted were all below `reached`; a rank without memory counts none. */
    for (size_t k = 0; k < list->n; k++) {
        struct coll_list below = {0};

        if (coll_clip(&list->runs[k], 0, reached, &below) == 0) {
            left = runs_bytes(below.runs, below.n);
            op->bytes -= left < op->bytes ? left : op->bytes;
        }
        coll_list_fini(&below);
    }
}

static void cut_parts_of_read(struct coll_op *op)
{
    for (size_t i = 0; i < op->exchange->parts.n; i++)
        cut_part(op, i, coll_client_owed_from(op->client, i));
}

static void start_reach(struct coll_op *op)
{
    struct coll_reach *reach = &op->reach;
    uint32_t i, owner;

    for (i = 0; i < COLL_REACH_CHUNK; i++) {
        owner = reach->first + i;
        reach->local[i] = op->failed.code != 0 && owner < op->realm.owners &&
                                  coll_owner_rank(op, owner) == op->file->rank
                              ? op->agg->lost_from
                              : UINT64_MAX;
    }
    PMPI_Iallreduce(reach->local, reach->all, COLL_REACH_CHUNK, MPI_UINT64_T,
                    MPI_MIN, op->kept->comm, &op->request);
}

static void cut_parts_in_reach(struct coll_op *op)
{
    const struct coll_reach *reach = &op->reach;

    for (size_t i = 0; i < op->exchange->parts.n; i++) {
        uint32_t owner = op->exchange->parts.parts[i].owner;

        if (owner >= reach->first && owner < reach->first + COLL_REACH_CHUNK)
            cut_part(op, i, reach->all[owner - reach->first]);
    }
}

/* @return true when it is known to all what is left. */
static bool find_rest(struct coll_op *op)
{
    if (op->verb == COLL_READ) {
        cut_parts_of_read(op);
        return true;
    }
    if (!op->is_entered)
        op->reach.first = 0;
    for (;;) {
        if (!op->is_entered)
            start_reach(op);
        op->is_entered = true;
        if (!coll_request_done(op))
            return false;
        cut_parts_in_reach(op);
        op->reach.first += COLL_REACH_CHUNK;
        if (op->reach.first >= op->realm.owners)
            return true;
        op->is_entered = false;
    }
}

/* Parts of which nothing is left go. */
static void drop_empty_parts(struct coll_parts *parts)
{
    size_t i, n = 0;

    for (i = 0; i < parts->n; i++)
        if (parts->parts[i].list.n > 0)
            parts->parts[n++] = parts->parts[i];
        else
            coll_list_fini(&parts->parts[i].list);
    parts->n = n;
}

static void begin_again(struct coll_op *op)
{
    op->is_second_try = true;
    op->is_asked = false;
    op->failed = (struct adio_error){0};
    drop_empty_parts(&op->exchange->parts);
    coll_exchange_reset(op->exchange);
    coll_client_reset(op->client);
    coll_agg_reset(op->agg);
}

enum coll_state coll_takeover_step(struct coll_op *op)
{
    int64_t failing = op->agree_all[0] > op->agree_all[2] ? op->agree_all[0]
                                                          : op->agree_all[2];

    if (!find_rest(op))
        return COLL_TAKEOVER;
    if (op->agree_all[0] == 0 && !op->is_second_try && op->file->size > 1) {
        begin_again(op);
        return COLL_REQUEST;
    }
    op->failing = op->file->size - (int)failing;
    if (op->error.code == 0)
        op->error = op->failed;
    return COLL_TEXT;
}
