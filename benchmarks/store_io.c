/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The object store by itself, without fabric or names: one object, one pattern,
 * a fixed number of operations under way; for benchmarks/store, which compares
 * it with fio.
 *
 *     store_io DIRECTORY PATTERN [options]      PATTERN: write, read, randread
 *
 * Prints one line: bytes a second, operations a second, microseconds of
 * processor an operation. The object is inode 1: its file is what
 * `store_io DIRECTORY path` prints.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "store/obj.h"
#include "store/sums.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define INO 1
#define DEPTH_MAX 1024

struct bench {
    const char *directory;
    enum obj_verb verb;
    bool is_random;
    bool is_direct;
    bool has_no_sums;
    uint64_t size;
    size_t block;
    unsigned depth;
    double seconds;
    struct obj_store *store;
    struct rng rng;
    uint64_t at;       /* sequential: the next block */
    uint64_t until_ns; /* nothing starts after; 0: one pass */
    uint64_t done;
    unsigned under_way;
    int rc;
};

struct slot {
    struct obj_io io; /* first */
    struct bench *bench;
};

static void start(struct slot *slot);

static void ended(struct obj_io *io)
{
    struct bench *bench = ((struct slot *)io)->bench;

    bench->under_way--;
    if (io->result != (int64_t)bench->block)
        bench->rc = io->result < 0 ? (int)io->result : -EIO;
    bench->done++;
    start((struct slot *)io);
}

static bool is_over(const struct bench *bench)
{
    uint64_t blocks = bench->size / bench->block;

    if (bench->rc != 0)
        return true;
    if (bench->until_ns == 0)
        return bench->at >= blocks;
    return clock_now(clock_real()) >= bench->until_ns;
}

static void start(struct slot *slot)
{
    struct bench *bench = slot->bench;
    uint64_t blocks = bench->size / bench->block;
    uint64_t block;

    if (is_over(bench))
        return;
    block = bench->is_random ? rng_below(&bench->rng, blocks)
                             : bench->at++ % blocks;
    slot->io.verb = bench->verb;
    slot->io.ino = INO;
    slot->io.offset = block * bench->block;
    slot->io.length = bench->block;
    slot->io.done = ended;
    bench->under_way++;
    obj_submit(bench->store, &slot->io);
}

static void run(struct bench *bench, struct slot *slots)
{
    struct pollfd wait = {.fd = obj_wait_fd(bench->store), .events = POLLIN};

    for (unsigned i = 0; i < bench->depth; i++)
        start(&slots[i]);
    while (bench->under_way > 0)
        if (obj_poll(bench->store) == 0)
            poll(&wait, 1, 100);
}

static double processor_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int open_store(struct bench *bench, void *pool, size_t pool_size)
{
    struct obj_config config = {.directory = bench->directory,
                                .queue_depth = bench->depth,
                                .is_direct = bench->is_direct,
                                .pool = pool,
                                .pool_size = pool_size};
    /* The same boot and machine each time: sums are trusted. */
    struct sums_config sums = {.clock = clock_real(), .boot = 1, .machine = 1};
    struct obj_store *below;
    int rc = obj_open(&obj_uring, &config, &below);

    if (rc != 0 || bench->has_no_sums) {
        bench->store = below;
        return rc;
    }
    return sums_create(below, &sums, &bench->store);
}

static void close_store(struct bench *bench)
{
    if (!bench->has_no_sums) {
        sums_flush(bench->store);
        while (obj_pending(bench->store) > 0)
            obj_poll(bench->store);
    }
    obj_close(bench->store);
}

static int measure(struct bench *bench)
{
    static struct slot slots[DEPTH_MAX];
    size_t pool_size = bench->block * bench->depth;
    char *pool = mem_pages(pool_size);
    double cpu, seconds;
    uint64_t begin;

    if (pool == NULL || open_store(bench, pool, pool_size) != 0)
        return 1;
    rng_init(&bench->rng, 1);
    for (unsigned i = 0; i < bench->depth; i++) {
        slots[i].bench = bench;
        slots[i].io.memory = pool + i * bench->block;
        memset(slots[i].io.memory, (int)i + 1, bench->block);
    }
    begin = clock_now(clock_real());
    cpu = processor_us();
    if (bench->seconds > 0)
        bench->until_ns = begin + (uint64_t)(bench->seconds * 1e9);
    run(bench, slots);
    seconds = (double)(clock_now(clock_real()) - begin) / 1e9;
    cpu = processor_us() - cpu;
    close_store(bench);
    free(pool);
    if (bench->rc != 0) {
        fprintf(stderr, "store_io: error %d\n", bench->rc);
        return 1;
    }
    printf("%.0f %.0f %.3f\n", (double)(bench->done * bench->block) / seconds,
           (double)bench->done / seconds, cpu / (double)bench->done);
    return 0;
}

static int usage(void)
{
    fputs("usage: store_io DIRECTORY write|read|randread|path [--size BYTES]\n"
          "       [--block BYTES] [--depth N] [--seconds S] [--direct]\n"
          "       [--no-sums]\n",
          stderr);
    return 2;
}

static int parse(struct bench *bench, int argc, char **argv)
{
    static const struct option known[] = {
        {"size", required_argument, NULL, 's'},
        {"block", required_argument, NULL, 'b'},
        {"depth", required_argument, NULL, 'd'},
        {"seconds", required_argument, NULL, 't'},
        {"direct", no_argument, NULL, 'D'},
        {"no-sums", no_argument, NULL, 'N'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 's':
            bench->size = strtoull(optarg, NULL, 0);
            break;
        case 'b':
            bench->block = strtoull(optarg, NULL, 0);
            break;
        case 'd':
            bench->depth = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 't':
            bench->seconds = strtod(optarg, NULL);
            break;
        case 'D':
            bench->is_direct = true;
            break;
        case 'N':
            bench->has_no_sums = true;
            break;
        default:
            return usage();
        }
    }
    if (optind != argc - 2 || bench->depth == 0 || bench->depth > DEPTH_MAX ||
        bench->block == 0 || bench->size < bench->block)
        return usage();
    return 0;
}

int main(int argc, char **argv)
{
    struct bench bench = {.size = 1u << 30, .block = 256u << 10, .depth = 32};
    const char *pattern;

    if (parse(&bench, argc, argv) != 0)
        return 2;
    bench.directory = argv[optind];
    pattern = argv[optind + 1];
    if (strcmp(pattern, "path") == 0) {
        printf("%s/objects/%02x/%016x\n", bench.directory,
               (unsigned)(hash_ino(INO) & 0xff), INO);
        return 0;
    }
    bench.verb = strcmp(pattern, "write") == 0 ? OBJ_WRITE : OBJ_READ;
    bench.is_random = strcmp(pattern, "randread") == 0;
    if (bench.verb == OBJ_READ && !bench.is_random &&
        strcmp(pattern, "read") != 0)
        return usage();
    return measure(&bench);
}
