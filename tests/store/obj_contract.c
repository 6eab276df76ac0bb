/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/store/obj_contract.h"

#include "base/mem.h"
#include "base/rng.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define WAIT_MS 20000
#define INO 0x00010000000002cdull

struct obj_store *fixture_open(void)
{
    struct obj_store *store;
    int rc = obj_open(obj_fixture.driver, &obj_fixture.config, &store);

    if (rc != 0) {
        fprintf(stderr, "obj_open: %s\n", strerror(-rc));
        exit(EXIT_FAILURE);
    }
    return store;
}

void drain_to(struct obj_store *store, unsigned n)
{
    struct pollfd wait = {.fd = obj_wait_fd(store), .events = POLLIN};

    while (obj_pending(store) > n) {
        if (obj_poll(store) > 0 || obj_pending(store) <= n)
            continue;
        if (poll(&wait, 1, WAIT_MS) != 1) {
            fprintf(stderr, "an operation did not end\n");
            abort();
        }
    }
}

static void note_end(struct obj_io *io)
{
}

int64_t do_io(struct obj_store *store, enum obj_verb verb, uint64_t ino,
              uint64_t offset, void *memory, size_t length)
{
    struct obj_io io = {.verb = verb,
                        .ino = ino,
                        .offset = offset,
                        .memory = memory,
                        .length = length,
                        .done = note_end,
                        .result = -1234};

    obj_submit(store, &io);
    CU_ASSERT_EQUAL(io.result, -1234); /* nothing happens before poll */
    drain_to(store, 0);
    return io.result;
}

uint64_t size_of(struct obj_store *store, uint64_t ino)
{
    struct obj_io io = {.verb = OBJ_STAT, .ino = ino, .done = note_end};

    obj_submit(store, &io);
    drain_to(store, 0);
    CU_ASSERT_EQUAL(io.result, 0);
    CU_ASSERT_EQUAL(io.size_out != 0, io.mtime_ns_out != 0);
    return io.size_out;
}

static bool is_zero(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

void test_what_was_written_is_read(void)
{
    struct obj_store *store = fixture_open();
    char in[10000], out[10000];

    memset(in, 'x', sizeof(in));
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 123, in, sizeof(in)), 10000);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 123, out, sizeof(out)), 10000);
    CU_ASSERT_EQUAL(memcmp(in, out, sizeof(in)), 0);
    CU_ASSERT_EQUAL(size_of(store, INO), 10123);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

void test_absent_object_is_empty(void)
{
    struct obj_store *store = fixture_open();
    char byte;

    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, &byte, 1), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_SYNC, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 7, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(size_of(store, INO), 0);
    obj_close(store);
}

void test_hole_reads_as_zeros(void)
{
    struct obj_store *store = fixture_open();
    uint64_t far = (uint64_t)1 << 40;
    char bytes[9000];

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, far, "end", 3), 3);
    memset(bytes, 'x', sizeof(bytes));
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 5, bytes, 9000), 9000);
    CU_ASSERT(is_zero(bytes, sizeof(bytes)));
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, far - 2, bytes, 9000), 5);
    CU_ASSERT_EQUAL(memcmp(bytes, "\0\0end", 5), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

void test_read_is_short_at_the_end_only(void)
{
    struct obj_store *store = fixture_open();
    char bytes[8];

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abcdef", 6), 6);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, bytes, 6), 6);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 4, bytes, 8), 2);
    CU_ASSERT_EQUAL(memcmp(bytes, "ef", 2), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 6, bytes, 8), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 600, bytes, 8), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

void test_truncate_shortens_and_lengthens(void)
{
    struct obj_store *store = fixture_open();
    char bytes[100];

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abcdef", 6), 6);
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO, 3, NULL, 0), 0);
    CU_ASSERT_EQUAL(size_of(store, INO), 3);
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO, 100, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, bytes, 100), 100);
    CU_ASSERT_EQUAL(memcmp(bytes, "abc", 3), 0);
    CU_ASSERT(is_zero(bytes + 3, 97));
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO + 1, 100, NULL, 0), 0);
    CU_ASSERT_EQUAL(size_of(store, INO + 1), 100);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO + 1, 0, NULL, 0), 0);
    obj_close(store);
}

void test_destroy_frees_and_repeats(void)
{
    struct obj_store *store = fixture_open();
    char byte;

    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "a", 1), 1);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_SYNC, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, &byte, 1), 0);
    CU_ASSERT_EQUAL(size_of(store, INO), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

void test_allocation_keeps_size_and_bytes(void)
{
    struct obj_store *store = fixture_open();
    char bytes[6];

    CU_ASSERT_EQUAL(do_io(store, OBJ_ALLOCATE, INO, 0, NULL, 0), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_ALLOCATE, INO, 0, NULL, 70000), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, bytes, 6), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "abcdef", 6), 6);
    CU_ASSERT_EQUAL(do_io(store, OBJ_ALLOCATE, INO, 5000, NULL, 90000), 0);
    CU_ASSERT_EQUAL(size_of(store, INO), 6);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 0, bytes, 6), 6);
    CU_ASSERT_EQUAL(memcmp(bytes, "abcdef", 6), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

void test_allocation_beyond_the_device_is_refused(void)
{
    struct obj_store *store = fixture_open();

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 0, "a", 1), 1);
    CU_ASSERT_EQUAL(do_io(store, OBJ_ALLOCATE, INO, 1, NULL, INT64_MAX),
                    -EFBIG);
    CU_ASSERT_EQUAL(do_io(store, OBJ_ALLOCATE, INO, 0, NULL, INT64_MAX),
                    -ENOSPC);
    CU_ASSERT_EQUAL(size_of(store, INO), 1);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

void test_offset_beyond_any_file_is_refused(void)
{
    struct obj_store *store = fixture_open();
    char byte = 'a';

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, INT64_MAX, &byte, 1), -EFBIG);
    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, UINT64_MAX, &byte, 1), -EFBIG);
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, UINT64_MAX, &byte, 1), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_TRUNCATE, INO, UINT64_MAX, NULL, 0),
                    -EFBIG);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* All submitted at once; each verb must see what came before it. */
void test_order_within_an_object(void)
{
    struct obj_store *store = fixture_open();
    char zeros[4096] = {0};
    struct obj_io ios[] = {
        {.verb = OBJ_WRITE, .memory = zeros, .length = 4096, .offset = 4096},
        {.verb = OBJ_SYNC},
        {.verb = OBJ_WRITE, .memory = zeros, .length = 4096},
        {.verb = OBJ_TRUNCATE, .offset = 100},
        {.verb = OBJ_SYNC},
        {.verb = OBJ_DESTROY},
        {.verb = OBJ_STAT},
        {.verb = OBJ_TRUNCATE, .offset = 50},
        {.verb = OBJ_DESTROY},
        {.verb = OBJ_WRITE, .memory = zeros, .length = 10},
        {.verb = OBJ_SYNC},
    };
    size_t n = sizeof(ios) / sizeof(ios[0]);

    for (size_t i = 0; i < n; i++) {
        ios[i].ino = INO;
        ios[i].done = note_end;
        obj_submit(store, &ios[i]);
    }
    CU_ASSERT_EQUAL(obj_pending(store), n);
    drain_to(store, 0);
    for (size_t i = 0; i < n; i++)
        CU_ASSERT_EQUAL(ios[i].result, (int64_t)ios[i].length);
    CU_ASSERT_EQUAL(ios[6].size_out, 0);
    CU_ASSERT_EQUAL(size_of(store, INO), 10);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

/* A chain of writes, each submitted by the end of the one before. */
struct chain {
    struct obj_io io; /* first */
    struct obj_store *store;
    int left;
};

static void submit_again(struct obj_io *io)
{
    struct chain *chain = (struct chain *)io;

    CU_ASSERT_EQUAL(io->result, 1);
    io->offset++;
    if (--chain->left > 0)
        obj_submit(chain->store, io);
}

void test_callback_may_submit(void)
{
    struct obj_store *store = fixture_open();
    char byte = 'a';
    struct chain chain = {.io = {.verb = OBJ_WRITE,
                                 .ino = INO,
                                 .memory = &byte,
                                 .length = 1,
                                 .done = submit_again},
                          .store = store,
                          .left = 100};

    obj_submit(store, &chain.io);
    drain_to(store, 0);
    CU_ASSERT_EQUAL(size_of(store, INO), 100);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

void test_close_ends_what_is_queued(void)
{
    enum { N = 300 };
    static struct obj_io ios[N];
    struct obj_store *store = fixture_open();
    char byte = 'a';

    for (unsigned i = 0; i < N; i++) {
        ios[i] = (struct obj_io){.verb = OBJ_WRITE,
                                 .ino = INO + i % 7,
                                 .offset = i,
                                 .memory = &byte,
                                 .length = 1,
                                 .done = note_end};
        obj_submit(store, &ios[i]);
    }
    obj_close(store);
    for (unsigned i = 0; i < N; i++)
        CU_ASSERT_EQUAL(ios[i].result, 1);
    store = fixture_open();
    for (unsigned i = 0; i < 7; i++) {
        CU_ASSERT(size_of(store, INO + i) > N - 8);
        CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO + i, 0, NULL, 0), 0);
    }
    obj_close(store);
}

void test_reopened_store_holds_its_objects(void)
{
    struct obj_store *store = fixture_open();
    char bytes[3];

    CU_ASSERT_EQUAL(do_io(store, OBJ_WRITE, INO, 10, "abc", 3), 3);
    CU_ASSERT_EQUAL(do_io(store, OBJ_SYNC, INO, 0, NULL, 0), 0);
    obj_close(store);
    store = fixture_open();
    CU_ASSERT_EQUAL(do_io(store, OBJ_READ, INO, 10, bytes, 3), 3);
    CU_ASSERT_EQUAL(memcmp(bytes, "abc", 3), 0);
    CU_ASSERT_EQUAL(do_io(store, OBJ_DESTROY, INO, 0, NULL, 0), 0);
    obj_close(store);
}

void test_space_is_told(void)
{
    struct obj_store *store = fixture_open();
    uint64_t total = 0, free_bytes = 0;

    CU_ASSERT_EQUAL(obj_space(store, &total, &free_bytes), 0);
    CU_ASSERT(total > 0);
    CU_ASSERT(free_bytes <= total);
    obj_close(store);
}

/*
 * Random operations against a model: NOBJECTS buffers and their sizes. Each
 * round submits a batch of operations on distinct objects, then judges all.
 */

#define NOBJECTS 24
#define OBJECT_MAX 40000

struct model {
    char bytes[OBJECT_MAX];
    uint64_t size;
};

struct step {
    struct obj_io io;
    char bytes[OBJECT_MAX];
};

static struct model models[NOBJECTS];
static struct step steps[NOBJECTS];

static void plan(struct rng *rng, unsigned object)
{
    static const enum obj_verb verbs[] = {
        OBJ_READ,  OBJ_READ, OBJ_READ, OBJ_WRITE,    OBJ_WRITE,
        OBJ_WRITE, OBJ_STAT, OBJ_SYNC, OBJ_TRUNCATE, OBJ_DESTROY};
    struct step *step = &steps[object];
    struct obj_io *io = &step->io;

    memset(io, 0, sizeof(*io));
    io->verb = verbs[rng_below(rng, sizeof(verbs) / sizeof(verbs[0]))];
    io->ino = INO + object;
    io->offset = rng_below(rng, OBJECT_MAX);
    io->memory = step->bytes;
    io->done = note_end;
    if (io->verb == OBJ_READ || io->verb == OBJ_WRITE)
        io->length = rng_below(rng, OBJECT_MAX - io->offset);
    memset(step->bytes, (int)rng_below(rng, 256), io->length);
}

static void judge_read(const struct model *model, const struct obj_io *io)
{
    uint64_t wanted = 0;

    if (io->offset < model->size)
        wanted = model->size - io->offset;
    if (wanted > io->length)
        wanted = io->length;
    CU_ASSERT_EQUAL(io->result, (int64_t)wanted);
    CU_ASSERT_EQUAL(memcmp(io->memory, model->bytes + io->offset, wanted), 0);
}

static void apply_write(struct model *model, const struct obj_io *io)
{
    CU_ASSERT_EQUAL(io->result, (int64_t)io->length);
    memcpy(model->bytes + io->offset, io->memory, io->length);
    if (io->length > 0 && model->size < io->offset + io->length)
        model->size = io->offset + io->length;
}

static void set_size(struct model *model, const struct obj_io *io,
                     uint64_t size)
{
    CU_ASSERT_EQUAL(io->result, 0);
    if (size < model->size)
        memset(model->bytes + size, 0, model->size - size);
    model->size = size;
}

static void judge(unsigned object)
{
    struct model *model = &models[object];
    const struct obj_io *io = &steps[object].io;

    switch (io->verb) {
    case OBJ_READ:
        judge_read(model, io);
        break;
    case OBJ_WRITE:
        apply_write(model, io);
        break;
    case OBJ_STAT:
        CU_ASSERT_EQUAL(io->result, 0);
        CU_ASSERT_EQUAL(io->size_out, model->size);
        break;
    case OBJ_TRUNCATE:
        set_size(model, io, io->offset);
        break;
    case OBJ_SYNC:
    case OBJ_ALLOCATE:
        CU_ASSERT_EQUAL(io->result, 0);
        break;
    case OBJ_DESTROY:
        set_size(model, io, 0);
        break;
    }
}

void test_random_operations_match_a_model(void)
{
    struct obj_store *store = fixture_open();
    struct rng rng;

    memset(models, 0, sizeof(models));
    rng_init(&rng, unit_seed());
    for (unsigned round = 0; round < obj_fixture.rounds; round++) {
        for (unsigned i = 0; i < NOBJECTS; i++) {
            plan(&rng, i);
            obj_submit(store, &steps[i].io);
        }
        drain_to(store, 0);
        for (unsigned i = 0; i < NOBJECTS; i++)
            judge(i);
        if (rng_chance(&rng, 2)) {
            obj_close(store);
            store = fixture_open();
        }
    }
    for (unsigned i = 0; i < NOBJECTS; i++)
        do_io(store, OBJ_DESTROY, INO + i, 0, NULL, 0);
    obj_close(store);
}

void test_open_survives_failing_allocations(void)
{
    struct obj_store *store = NULL;
    int rc = -ENOMEM;

    for (int n = 0; rc != 0 && n < 100; n++) {
        mem_fault_set(n);
        rc = obj_open(obj_fixture.driver, &obj_fixture.config, &store);
        mem_fault_set(-1);
        if (rc == 0)
            break;
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_PTR_NULL(store);
    }
    CU_ASSERT_EQUAL_FATAL(rc, 0);
    obj_close(store);
}
