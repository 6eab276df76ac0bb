/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SCRUB: read some objects, as far as the budget goes, and say which blocks do
 * not fit their sums. The caller keeps the place: shard directory, object,
 * offset; it comes back with the answer, and decides when to go on.
 *
 * The happy path: the objects of a shard are listed, some at a time, in order;
 * each is read from its start to its end, one extent at a time, into a buffer
 * of our own, so that clients keep theirs. A block that does not fit, or cannot
 * be read, is noted, and reading goes on behind it.
 *
 * Listing a shard is a system call or a few that this thread waits for; a shard
 * has a 256th of a target's objects.
 *
 * Possible failure modes are: another scrub is under way (busy); a directory
 * that cannot be read (the answer says so).
 */
#include "base/err.h"
#include "base/mem.h"
#include "server/server.h"

#include <endian.h>
#include <string.h>

#define INOS_MAX 256
#define BAD_MAX (PROTO_SCRUB_BAD_MAX / 16)
#define BUFFER_SIZE ((size_t)256 << 10)
#define BLOCK 4096u

struct scrub {
    struct obj_io io; /* first */
    struct srv_target *target;
    struct rpc_request *request; /* NULL: none is under way */
    uint64_t left;               /* of the budget */
    uint32_t shard;
    uint64_t ino;    /* the one that is read, or the last that was */
    uint64_t offset; /* in it; 0 between two */
    uint64_t size;
    uint64_t objects, bytes;
    uint64_t inos[INOS_MAX]; /* of the shard, ascending */
    unsigned ninos, at;
    uint64_t bad[2 * BAD_MAX]; /* as they go out */
    unsigned nbad;
    char *buffer;
};

int scrub_create(struct srv_target *target)
{
    struct scrub *scrub = mem_calloc(1, sizeof(*scrub));

    if (scrub == NULL)
        return -ENOMEM;
    scrub->buffer = mem_pages(BUFFER_SIZE);
    if (scrub->buffer == NULL) {
        free(scrub);
        return -ENOMEM;
    }
    scrub->target = target;
    target->scrub = scrub;
    return 0;
}

void scrub_destroy(struct srv_target *target)
{
    if (target->scrub == NULL)
        return;
    free(target->scrub->buffer);
    free(target->scrub);
    target->scrub = NULL;
}

static void answer(struct scrub *scrub, int rc)
{
    struct rpc_request *request = scrub->request;
    union proto_rep rep = {0};

    scrub->request = NULL;
    if (scrub->target->is_closing)
        return;
    rep.scrub.is_end = scrub->shard == OBJ_SHARDS;
    rep.scrub.shard = scrub->shard;
    rep.scrub.ino = scrub->ino;
    rep.scrub.offset = scrub->offset;
    rep.scrub.objects = scrub->objects;
    rep.scrub.bytes = scrub->bytes;
    rep.scrub.bad.data = (const uint8_t *)scrub->bad;
    rep.scrub.bad.len = scrub->nbad * 16;
    rpc_reply(request, rc, &rep, NULL);
}

static void read_on(struct scrub *scrub);
static void next_object(struct scrub *scrub);

static void note_bad(struct scrub *scrub, uint64_t offset)
{
    scrub->bad[2 * scrub->nbad] = htole64(scrub->ino);
    scrub->bad[2 * scrub->nbad + 1] = htole64(offset);
    scrub->nbad++;
}

static void spend(struct scrub *scrub, uint64_t bytes)
{
    scrub->left -= bytes < scrub->left ? bytes : scrub->left;
}

static void read_done(struct obj_io *io)
{
    struct scrub *scrub = (struct scrub *)io;
    uint64_t next = io->offset + io->length;

    spend(scrub, io->length);
    if (io->result == -ERR_CORRUPT) {
        note_bad(scrub, io->bad_offset);
        next = io->bad_offset + BLOCK;
    } else if (io->result < 0) {
        note_bad(scrub, io->offset);
    }
    scrub->bytes += next - io->offset;
    scrub->offset = next;
    read_on(scrub);
}

static void read_on(struct scrub *scrub)
{
    uint64_t rest;

    if (scrub->target->is_closing) {
        answer(scrub, -ERR_BUSY);
        return;
    }
    if (scrub->offset >= scrub->size) {
        scrub->objects++;
        scrub->offset = 0;
        next_object(scrub);
        return;
    }
    if (scrub->left == 0 || scrub->nbad == BAD_MAX) {
        answer(scrub, 0);
        return;
    }
    rest = scrub->size - scrub->offset;
    scrub->io = (struct obj_io){
        .verb = OBJ_READ,
        .ino = scrub->ino,
        .offset = scrub->offset,
        .length = rest < BUFFER_SIZE ? rest : BUFFER_SIZE,
        .memory = scrub->buffer,
        .done = read_done,
    };
    /* The device itself, not what lies in memory. */
    obj_submit(scrub->target->checked, &scrub->io);
}

static void stat_done(struct obj_io *io)
{
    struct scrub *scrub = (struct scrub *)io;

    scrub->size = io->result < 0 ? 0 : io->size_out;
    if (io->result < 0)
        note_bad(scrub, 0);
    spend(scrub, BLOCK); /* an object costs something, however small */
    read_on(scrub);
}

static void start_object(struct scrub *scrub, uint64_t ino)
{
    scrub->ino = ino;
    scrub->io =
        (struct obj_io){.verb = OBJ_STAT, .ino = ino, .done = stat_done};
    obj_submit(scrub->target->checked, &scrub->io);
}

static int list_more(struct scrub *scrub)
{
    scrub->at = 0;
    return obj_list(scrub->target->checked, scrub->shard, scrub->ino,
                    scrub->inos, INOS_MAX, &scrub->ninos);
}

static void next_object(struct scrub *scrub)
{
    int rc;

    while (scrub->shard < OBJ_SHARDS && scrub->at == scrub->ninos) {
        rc = list_more(scrub);
        if (rc != 0) {
            answer(scrub, rc);
            return;
        }
        if (scrub->ninos > 0)
            break;
        scrub->shard++;
        scrub->ino = 0;
    }
    if (scrub->shard == OBJ_SHARDS || scrub->left == 0 ||
        scrub->nbad == BAD_MAX)
        answer(scrub, 0);
    else
        start_object(scrub, scrub->inos[scrub->at++]);
}

void op_scrub(struct srv_target *target, struct rpc_request *request)
{
    const struct proto_req_scrub *req = &request->body.scrub;
    struct scrub *scrub = target->scrub;

    if (scrub->request != NULL) {
        rpc_reply(request, -ERR_BUSY, NULL, NULL);
        return;
    }
    if (req->shard > OBJ_SHARDS || req->budget > PROTO_SCRUB_BUDGET_MAX) {
        rpc_reply(request, -EINVAL, NULL, "place or budget out of range");
        return;
    }
    scrub->request = request;
    scrub->left = req->budget;
    scrub->shard = req->shard;
    scrub->ino = req->ino;
    scrub->offset = req->offset;
    scrub->objects = scrub->bytes = 0;
    scrub->ninos = scrub->at = scrub->nbad = 0;
    if (req->offset > 0)
        start_object(scrub, req->ino); /* where the last answer ended */
    else
        next_object(scrub);
}
