/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * READDIR: one page of the entries of a directory that this target holds.
 *
 * The happy path: run_page() on the names thread encodes entries into the
 * listing's page until it is full; the reactor then walks the page and asks the
 * object store for the size of each file whose first column is here, some at a
 * time, and writes it into the entry, whose length does not change by that.
 *
 * Possible failure modes are: a directory whose entries are elsewhere
 * (-ESTALE); every listing in use (busy, later); an object whose size cannot
 * be told (size 0: the entry is there all the same).
 */
#include "base/err.h"
#include "base/mem.h"
#include "server/server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STATS_MAX 16 /* asked at once */

struct listing_stat {
    struct obj_io io; /* first */
    struct listing *listing;
    uint8_t *at; /* the entry */
};

struct listing {
    struct names_op op; /* first */
    struct srv_target *target;
    struct rpc_request *request;
    uint8_t *fill; /* end of the entries in the page */
    uint8_t *at;   /* the next entry to look at */
    uint32_t count;
    bool is_end;
    unsigned waiting;
    struct listing *next;
    struct listing_stat stats[STATS_MAX];
    struct listing_stat *stats_free[STATS_MAX];
    unsigned nstats_free;
    uint8_t page[PROTO_ENTRIES_MAX];
};

int listings_init(struct srv_target *target)
{
    unsigned i, n = target->config.limits.listings_max;

    target->listings_all = mem_calloc(n, sizeof(*target->listings_all));
    if (target->listings_all == NULL)
        return -ENOMEM;
    for (i = 0; i < n; i++) {
        target->listings_all[i].target = target;
        target->listings_all[i].next = target->listings_free;
        target->listings_free = &target->listings_all[i];
    }
    return 0;
}

void listings_fini(struct srv_target *target)
{
    free(target->listings_all);
}

static bool add_entry(void *ctx, const char *text, size_t len,
                      const struct inode *inode)
{
    struct listing *listing = ctx;
    struct proto_entry entry = {
        .text = {(const uint8_t *)text, (uint32_t)len},
        .is_away = !is_home(listing->target, inode->ino),
        .inode = *inode,
    };

    if (proto_entry_encode(&entry, &listing->fill,
                           listing->page + sizeof(listing->page)) != 0)
        return false;
    listing->count++;
    return true;
}

static void run_page(struct names_op *op, struct names *names)
{
    struct listing *listing = (struct listing *)op;
    const struct proto_req_readdir *req = &listing->request->body.readdir;

    op->rc = names_readdir(names, req->dir, req->after, add_entry, listing,
                           &listing->is_end);
}

static void finish(struct listing *listing, int rc)
{
    struct srv_target *target = listing->target;
    union proto_rep rep = {0};

    rep.readdir.is_end = listing->is_end;
    rep.readdir.count = listing->count;
    rep.readdir.entries.data = listing->page;
    rep.readdir.entries.len = (uint32_t)(listing->fill - listing->page);
    if (!target->is_closing)
        rpc_reply(listing->request, rc, &rep, NULL);
    listing->next = target->listings_free;
    target->listings_free = listing;
}

/* Write size and time into an entry of the page; its text stays where it is. */
static void set_size(struct listing *listing, uint8_t *at,
                     const struct obj_io *io)
{
    const uint8_t *next = at;
    uint8_t text[NAME_LEN_MAX];
    struct proto_entry entry;
    int rc;

    rc = proto_entry_decode(&next, listing->fill, &entry);
    assert(rc == 0);
    memcpy(text, entry.text.data, entry.text.len);
    entry.text.data = text;
    entry.object_size = io->size_out;
    entry.object_mtime_ns = io->mtime_ns_out;
    rc = proto_entry_encode(&entry, &at, next);
    assert(rc == 0);
}

static void ask_sizes(struct listing *listing);

static void size_done(struct obj_io *io)
{
    struct listing_stat *stat = (struct listing_stat *)io;
    struct listing *listing = stat->listing;

    if (io->result >= 0)
        set_size(listing, stat->at, io);
    listing->stats_free[listing->nstats_free++] = stat;
    listing->waiting--;
    ask_sizes(listing);
}

static void ask_size(struct listing *listing, uint8_t *at, uint64_t ino)
{
    struct listing_stat *stat = listing->stats_free[--listing->nstats_free];

    stat->listing = listing;
    stat->at = at;
    stat->io =
        (struct obj_io){.verb = OBJ_STAT, .ino = ino, .done = size_done};
    listing->waiting++;
    obj_submit(listing->target->objects, &stat->io);
}

/* Go on through the page as far as STATS_MAX allows; end behind its end. */
static void ask_sizes(struct listing *listing)
{
    struct proto_entry entry;
    const uint8_t *next;
    uint8_t *at;

    while (listing->nstats_free > 0 && listing->at < listing->fill &&
           !listing->target->is_closing) {
        at = listing->at;
        next = at;
        if (proto_entry_decode(&next, listing->fill, &entry) != 0)
            break;
        listing->at += next - at;
        if (entry.inode.type == INODE_FILE && !entry.is_away &&
            entry.inode.layout.targets[0] == listing->target->config.target)
            ask_size(listing, at, entry.inode.ino);
    }
    if (listing->waiting == 0)
        finish(listing, 0);
}

static void page_done(struct names_op *op)
{
    struct listing *listing = (struct listing *)op;

    if (op->rc != 0)
        finish(listing, op->rc);
    else
        ask_sizes(listing);
}

void op_readdir(struct srv_target *target, struct rpc_request *request)
{
    struct listing *listing = target->listings_free;
    unsigned i;

    if (!owns_directory(target, request->body.readdir.dir)) {
        rpc_reply(request, -ESTALE, NULL, NULL);
        return;
    }
    if (listing == NULL) {
        rpc_reply(request, -ERR_BUSY, NULL, NULL);
        return;
    }
    target->listings_free = listing->next;
    srv_count(target, COUNTER_names_ops, 1);
    listing->request = request;
    listing->fill = listing->at = listing->page;
    listing->count = 0;
    listing->is_end = false;
    listing->waiting = 0;
    for (i = 0; i < STATS_MAX; i++)
        listing->stats_free[i] = &listing->stats[i];
    listing->nstats_free = STATS_MAX;
    listing->op.run = run_page;
    listing->op.done = page_done;
    listing->op.is_write = false;
    listing->op.wants_sync = false;
    names_exec_submit(target->exec, &listing->op);
}
