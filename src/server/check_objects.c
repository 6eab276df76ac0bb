/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CHECK of objects, which are not in the name store: which there are, and
 * whether the header of their sums is one that this server knows.
 *
 * The happy path: a page is what a listing of a shard directory tells at once,
 * of the first one that has any. Then the header of each is read from the
 * device, one after the other, and the page is answered. Before the first
 * object comes the list of boots, which is told only if it is wrong.
 *
 * Possible failure modes are: a header that is damaged, of another format or
 * not to be read (the record says so); a directory that cannot be listed.
 */
#include "base/err.h"
#include "server/check_page.h"
#include "store/sums.h"

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <string.h>

#define PLACE_LEN 12u
#define BOOTS_INO 0 /* whose sums are the list of boots */

static void place_encode(const struct check_place *place, uint8_t *at)
{
    uint32_t shard = htole32(place->shard);
    uint64_t ino = htole64(place->ino);

    memcpy(at, &shard, 4);
    memcpy(at + 4, &ino, 8);
}

static int place_decode(const struct proto_bytes *key,
                        struct check_place *place)
{
    uint32_t shard;
    uint64_t ino;

    *place = (struct check_place){0, 0};
    if (key->len == 0)
        return 0;
    if (key->len != PLACE_LEN)
        return -EINVAL;
    memcpy(&shard, key->data, 4);
    memcpy(&ino, key->data + 4, 8);
    *place = (struct check_place){le32toh(shard), le64toh(ino)};
    return place->shard < OBJ_SHARDS ? 0 : -EINVAL;
}

static void add_object(struct check_page *page, uint64_t ino, uint8_t state)
{
    uint8_t key[PLACE_LEN];
    const struct check_place place = {page->place.shard, ino};
    const struct proto_check record = {.kind = PROTO_CHECK_OBJECT,
                                       .state = state,
                                       .a = ino,
                                       .key = {key, PLACE_LEN}};

    place_encode(&place, key);
    if (proto_check_encode(&record, &page->at,
                           page->bytes + sizeof(page->bytes)) == 0)
        page->count++;
}

static_assert(PROTO_ENTRIES_MAX >= (CHECK_INOS_MAX + 1) * 64,
              "a page holds a listing");

static void answer(struct check_page *page, int rc)
{
    union proto_rep rep = {0};

    page->is_busy = false;
    rep.check.is_end = page->place.shard == OBJ_SHARDS;
    rep.check.count = page->count;
    rep.check.records.data = page->bytes;
    rep.check.records.len = (uint32_t)(page->at - page->bytes);
    rpc_reply(page->request, rc, &rep, NULL);
}

/* The first shard from the place on that has objects; OBJ_SHARDS if none has.
 */
static int list(struct check_page *page)
{
    struct check_place *place = &page->place;
    int rc;

    page->ninos = page->next = 0;
    for (; place->shard < OBJ_SHARDS; place->shard++) {
        rc = obj_list(page->target->objects, place->shard, place->ino,
                      page->inos, CHECK_INOS_MAX, &page->ninos);
        if (rc != 0 || page->ninos > 0)
            return rc;
        place->ino = 0;
    }
    return 0;
}

static bool is_zero(const char *at, size_t len)
{
    return len == 0 || (at[0] == 0 && memcmp(at, at + 1, len - 1) == 0);
}

/* No header is none that is wrong: the object is new, or was never clean. */
static uint8_t state_of(const struct check_page *page)
{
    size_t got = page->io.result < 0 ? 0 : (size_t)page->io.result;
    struct sums_header header;
    struct sums_boots boots;
    int rc;

    if (page->io.result < 0)
        return PROTO_CHECK_SUMS;
    if (is_zero(page->header, got))
        return 0;
    rc = page->io.ino == BOOTS_INO
             ? sums_boots_decode(page->header, got, &boots)
             : sums_header_decode(page->header, got, page->io.ino, &header);
    if (rc == -ENOTSUP)
        return PROTO_CHECK_FORMAT;
    return rc == 0 ? 0 : PROTO_CHECK_SUMS;
}

static void header_read(struct obj_io *io);

static void read_header(struct check_page *page, uint64_t ino)
{
    page->io = (struct obj_io){.verb = OBJ_READ,
                               .part = 1,
                               .ino = ino,
                               .length = SUMS_HEADER_SIZE,
                               .memory = page->header,
                               .done = header_read};
    obj_submit(sums_below(page->target->checked), &page->io);
}

static void read_next(struct check_page *page)
{
    if (page->next < page->ninos)
        read_header(page, page->inos[page->next++]);
    else
        answer(page, 0);
}

static void header_read(struct obj_io *io)
{
    struct check_page *page =
        (struct check_page *)((char *)io - offsetof(struct check_page, io));
    uint8_t state = state_of(page);

    if (page->target->is_closing)
        return;
    if (io->ino != BOOTS_INO || state != 0)
        add_object(page, io->ino, state);
    read_next(page);
}

void check_objects_start(struct srv_target *target, struct rpc_request *request)
{
    struct check_page *page = target->check_page;
    const struct proto_bytes *after = &request->body.check.after;
    int rc = place_decode(after, &page->place);

    page->request = request;
    page->at = page->bytes;
    page->count = 0;
    if (rc == 0)
        rc = list(page);
    page->is_busy = true;
    if (rc != 0)
        answer(page, rc);
    else if (after->len == 0)
        read_header(page, BOOTS_INO);
    else
        read_next(page);
}
