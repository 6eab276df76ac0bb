/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: submit() asks the orders of the moment. An operation that is
 * to fail is called back by the next poll(); one that is to be slow waits in a
 * line until its time has come, which it keeps in its result meanwhile; any
 * other goes to the store below at once.
 *
 * All wait equally long, so the order of operations stays. The owner sleeps on
 * the descriptor of the store below, which knows nothing of the line: it must
 * look again by itself, as the server's reactor does ten times a second.
 */
#include "tests/store/obj_fault.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/obj_line.h"
#include "store/obj_over.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define VERBS 7

struct fault_store {
    struct obj_over over; /* first */
    char path[512];
    struct timespec read_at; /* the orders' time of change */
    ino_t read_ino;
    int code[VERBS];
    uint64_t slow_ns;
    struct obj_line delayed;
    struct obj_line failed;
};

static struct fault_store *store_of(const struct obj_store *base)
{
    return (struct fault_store *)base;
}

/*
 * Orders.
 */

static int verb_of(const char *word)
{
    static const char *const words[VERBS] = {
        [OBJ_READ] = "read", [OBJ_WRITE] = "write",
        [OBJ_STAT] = "stat", [OBJ_TRUNCATE] = "truncate",
        [OBJ_SYNC] = "sync", [OBJ_DESTROY] = "destroy",
        [OBJ_ALLOCATE] = "allocate"};

    for (int i = 0; i < VERBS; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    return -1;
}

static int code_of(const char *word)
{
    static const struct {
        const char *word;
        int code;
    } codes[] = {
        {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"EDQUOT", EDQUOT}};

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (strcmp(word, codes[i].word) == 0)
            return codes[i].code;
    return 0;
}

static void take_order(struct fault_store *store, const char *what,
                       const char *how)
{
    int verb = verb_of(what), code = code_of(how);

    if (strcmp(what, "slow") == 0) {
        store->slow_ns = strtoull(how, NULL, 10) * NS_PER_MS;
    } else if (verb >= 0 && code != 0) {
        store->code[verb] = code;
    } else {
        fprintf(stderr, "%s: no such order: %s %s\n", store->path, what, how);
        abort();
    }
}

static void read_orders(struct fault_store *store)
{
    FILE *file = fopen(store->path, "r");
    char what[32], how[32];

    memset(store->code, 0, sizeof(store->code));
    store->slow_ns = 0;
    if (file == NULL)
        return;
    while (fscanf(file, "%31s %31s", what, how) == 2)
        take_order(store, what, how);
    fclose(file);
}

static void look(struct fault_store *store)
{
    struct stat st;

    if (stat(store->path, &st) != 0)
        memset(&st, 0, sizeof(st));
    if (st.st_ino == store->read_ino &&
        memcmp(&st.st_mtim, &store->read_at, sizeof(st.st_mtim)) == 0)
        return;
    store->read_ino = st.st_ino;
    store->read_at = st.st_mtim;
    read_orders(store);
}

/*
 * The driver.
 */

static void fault_submit(struct obj_store *base, struct obj_io *io)
{
    struct fault_store *store = store_of(base);

    look(store);
    if (store->code[io->verb] != 0) {
        io->result = -store->code[io->verb];
        obj_line_add(&store->failed, io);
    } else if (store->slow_ns > 0 || store->delayed.n > 0) {
        io->result = (int64_t)(clock_now(clock_real()) + store->slow_ns);
        obj_line_add(&store->delayed, io);
    } else {
        obj_submit(store->over.below, io);
    }
}

static int fault_poll(struct obj_store *base)
{
    struct fault_store *store = store_of(base);
    int64_t now = (int64_t)clock_now(clock_real());
    int n = 0;

    look(store);
    while (store->delayed.n > 0 && store->delayed.head->result <= now) {
        obj_submit(store->over.below, obj_line_take(&store->delayed));
        n++;
    }
    n += obj_line_call(&store->failed);
    return n + obj_poll(store->over.below);
}

static unsigned fault_pending(const struct obj_store *base)
{
    const struct fault_store *store = store_of(base);

    return store->delayed.n + store->failed.n + obj_pending(store->over.below);
}

static int fault_open(const struct obj_config *config,
                      struct obj_store **store_out)
{
    struct fault_store *store = mem_calloc(1, sizeof(*store));
    int rc;

    if (store == NULL)
        return -ENOMEM;
    rc = obj_open(&obj_uring, config, &store->over.below);
    if (rc != 0) {
        free(store);
        return rc;
    }
    store->over.store.driver = &obj_fault;
    obj_line_init(&store->delayed);
    obj_line_init(&store->failed);
    snprintf(store->path, sizeof(store->path), "%s/faults", config->directory);
    look(store);
    *store_out = &store->over.store;
    return 0;
}

static void fault_close(struct obj_store *base)
{
    struct fault_store *store = store_of(base);

    while (store->delayed.n + store->failed.n > 0)
        fault_poll(base);
    obj_close(store->over.below);
    free(store);
}

const struct obj_driver obj_fault = {
    .name = "fault",
    .open = fault_open,
    .close = fault_close,
    .submit = fault_submit,
    .poll = fault_poll,
    .pending = fault_pending,
    .wait_fd = obj_over_wait_fd,
    .space = obj_over_space,
    .list = obj_over_list,
    .fresh = obj_over_fresh,
};
