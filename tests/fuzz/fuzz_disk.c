/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Damage on the device, decoded: values of the name store, and the files of
 * sums, each valid at first and then changed, cut or lengthened at random.
 * Decoders stay within their bytes (values lie in blocks of their exact size,
 * so that a sanitizer sees a step beyond) and refuse or return what is in
 * range; an object with damaged sums is read right or not at all.
 *
 *     fuzz_disk [SEED [ROUNDS]]
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"
#include "meta/names_record.h"
#include "store/obj.h"
#include "store/sums.h"
#include "store/sums_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VALUE_MAX 600
#define OBJECT 40000
#define INO 77
#define ROUNDS 3000

static struct rng rng;
static uint64_t seed;
static unsigned long nrefused, nright, naccepted;

static void require(bool is_so, const char *what)
{
    if (is_so)
        return;
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, what);
    abort();
}

static uint64_t any(uint64_t bound)
{
    return rng_below(&rng, bound);
}

/* Change some bytes, and now and then the length. */
static size_t damage(uint8_t *at, size_t len, size_t room)
{
    for (uint64_t n = any(4); n > 0 && len > 0; n--)
        at[any(len)] = (uint8_t)rng_next(&rng);
    if (any(4) == 0)
        len = any(room + 1);
    return len;
}

/*
 * The name store's values.
 */

static struct inode any_inode(void)
{
    struct inode inode;

    memset(&inode, 0, sizeof(inode));
    inode.ino = 1 + any(1000);
    inode.type = INODE_FILE;
    inode.mode = (uint32_t)any(010000);
    inode.layout.stripe_size = 4096u << any(8);
    inode.layout.width = (uint16_t)(1 + any(LAYOUT_WIDTH_MAX));
    inode.layout.replicas = 1;
    for (unsigned i = 0; i < inode.layout.width; i++)
        inode.layout.targets[i] = (uint16_t)(1 + any(65535));
    return inode;
}

static void check_layout(const struct layout *layout)
{
    require(layout->width <= LAYOUT_WIDTH_MAX, "a layout that is too wide");
}

static bool decode(unsigned what, const uint8_t *value, size_t len)
{
    struct names_dir_state dir;
    struct layout layout;
    struct inode inode;
    enum inode_type type;
    uint32_t version;
    uint16_t target;
    uint64_t number;

    switch (what) {
    case 0:
        if (names_record_decode(value, len, &inode) != 0)
            return false;
        check_layout(&inode.layout);
        return true;
    case 1:
        if (names_layout_decode(value, len, &layout) != 0)
            return false;
        check_layout(&layout);
        return true;
    case 2:
        return names_format_decode(value, len, &version, &target) == 0;
    case 3:
        return names_entry_decode(value, len, &number, &type) == 0;
    case 4:
        return names_dir_decode(value, len, &dir) == 0;
    default:
        return names_u64_decode(value, len, &number) == 0;
    }
}

static void fuzz_value(void)
{
    unsigned char value[VALUE_MAX] = {0};
    struct inode inode = any_inode();
    unsigned what = (unsigned)any(6);
    size_t len = any(VALUE_MAX);
    uint8_t *exact;

    if (what == 0)
        len = names_record_encode(&inode, value);
    else if (what == 1)
        len = names_layout_encode(&inode.layout, value);
    else
        for (size_t i = 0; i < len; i++)
            value[i] = (uint8_t)rng_next(&rng);
    len = damage(value, len, VALUE_MAX);
    exact = malloc(len > 0 ? len : 1);
    require(exact != NULL, "no memory");
    memcpy(exact, value, len);
    naccepted += decode(what, exact, len);
    free(exact);
}

/*
 * The files of sums.
 */

static struct clock_virtual now;
static struct obj_store *below;

static void ended(struct obj_io *io)
{
    io->size_out = 1;
}

static int64_t run(struct obj_store *store, enum obj_verb verb, uint8_t part,
                   uint64_t ino, uint64_t offset, void *memory, size_t len)
{
    struct obj_io io = {.verb = verb,
                        .part = part,
                        .ino = ino,
                        .offset = offset,
                        .memory = memory,
                        .length = len,
                        .done = ended};

    obj_submit(store, &io);
    while (io.size_out == 0)
        obj_poll(store);
    return io.result;
}

static struct obj_store *open_store(struct obj_mem_disk *disk, uint64_t boot)
{
    struct obj_config config = {.disk = disk};
    struct sums_config sums = {.clock = &now.clock,
                               .boot = boot,
                               .machine = 5,
                               .ops_max = 4,
                               .units_max = 4,
                               .objects_max = 4};
    struct obj_store *store;

    require(obj_open(&obj_mem, &config, &below) == 0, "open");
    require(sums_create(below, &sums, &store) == 0, "create");
    return store;
}

static void close_store(struct obj_store *store)
{
    sums_flush(store);
    while (obj_pending(store) > 0)
        obj_poll(store);
    obj_close(store);
}

/* Damage the second part of an object, or the list of boots (inode 0). */
static void damage_sums(uint64_t ino)
{
    uint8_t bytes[8192];
    size_t len;

    len = (size_t)run(below, OBJ_READ, 1, ino, 0, bytes, sizeof(bytes));
    len = damage(bytes, len, sizeof(bytes));
    run(below, OBJ_DESTROY, 1, ino, 0, NULL, 0);
    if (len > 0)
        run(below, OBJ_WRITE, 1, ino, 0, bytes, len);
}

static void fuzz_sums(void)
{
    static uint8_t bytes[OBJECT], out[OBJECT];
    struct obj_mem_disk *disk;
    struct obj_store *store;
    int64_t got;

    require(obj_mem_disk_create(1u << 30, &disk) == 0, "disk");
    for (unsigned i = 0; i < OBJECT; i++)
        bytes[i] = (uint8_t)rng_next(&rng);
    store = open_store(disk, 1);
    require(run(store, OBJ_WRITE, 0, INO, 0, bytes, OBJECT) == OBJECT, "write");
    close_store(store);
    store = open_store(disk, 2); /* before it looks at anything */
    damage_sums(INO);
    damage_sums(0);
    close_store(store);
    store = open_store(disk, 3);
    got = run(store, OBJ_READ, 0, INO, 0, out, OBJECT);
    require(got == OBJECT || got == -ERR_CORRUPT, "a read");
    require(got < 0 || memcmp(bytes, out, OBJECT) == 0, "wrong bytes");
    nright += got > 0;
    nrefused += got < 0;
    obj_close(store);
    obj_mem_disk_destroy(&disk);
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
    uint64_t rounds = argc > 2 ? strtoull(argv[2], NULL, 0) : ROUNDS;

    if (first == 0)
        first = (uint64_t)time(NULL) * 100000;
    setenv("CAPSTAN_LOG", "error", 0); /* each damaged header is warned of */
    clock_virtual_init(&now);
    printf("seeds %llu .. %llu\n", (unsigned long long)first,
           (unsigned long long)(first + rounds - 1));
    fflush(stdout);
    for (seed = first; seed < first + rounds; seed++) {
        rng_init(&rng, seed);
        for (unsigned i = 0; i < 100; i++)
            fuzz_value();
        fuzz_sums();
    }
    printf("values: %lu accepted; objects: %lu read right, %lu refused\n",
           naccepted, nright, nrefused);
    return nright == 0 || nrefused == 0;
}
