/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Load a dataset and compare every sample with its source, and what all ranks
 * got with what the options promise. Run under mpirun:
 *
 *     check_load DATASET [KEY=VALUE]... [-- DATASET [KEY=VALUE]...]...
 *
 *   batch, epochs, epoch, step, seed, shuffle, tail, window, group, depth,
 *   files, plan, progress, independent     as the options of the loader
 *   weights=1     rank r has the weight r + 1
 *   list=FILE     sample i is the file in line i
 *   tree=DIR      samples are tar members, to be compared with DIR/NAME
 *   flat=FILE     sample i is record i of it, all of one length
 *   log=FILE      append "epoch step: numbers" of all ranks, in rank order
 *   stop=N        close after N steps
 *   compute=MS    sleep between steps, as a program that computes
 *   thread=0 or 1 the loader has none, or one, of its own
 *   fails=CODE    the run has to end with this negative code on all ranks
 *
 * With CHECK_LOAD_SINGLE in the environment, MPI has no MPI_THREAD_MULTIPLE.
 *
 * Threads  one, besides the loader's.
 * Failure  MPI_Abort.
 */
#include "mpi_test.h"

#include <capstan/loader.h>

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

struct mpi_test test;

static struct {
    struct capstan_loader_options options;
    const char *dataset;
    const char *list, *tree, *flat, *log;
    long stop, compute_ms, fails, has_weights, threads;
} wish;

static char **paths;   /* of list= */
static unsigned *seen; /* how often this rank got each sample, in this epoch */
static unsigned *padded;

static long number_of(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0')
        test_fail(__FILE__, __LINE__, text);
    return value;
}

static void take_option(const char *key, const char *value)
{
    struct capstan_loader_options *o = &wish.options;
    long n;

    if (strcmp(key, "list") == 0)
        wish.list = value;
    else if (strcmp(key, "tree") == 0)
        wish.tree = value;
    else if (strcmp(key, "flat") == 0)
        wish.flat = value;
    else if (strcmp(key, "log") == 0)
        wish.log = value;
    else if (n = number_of(value), strcmp(key, "batch") == 0)
        o->batch = (uint64_t)n;
    else if (strcmp(key, "epochs") == 0)
        o->epochs = (uint64_t)n;
    else if (strcmp(key, "epoch") == 0)
        o->epoch = (uint64_t)n;
    else if (strcmp(key, "step") == 0)
        o->step = (uint64_t)n;
    else if (strcmp(key, "seed") == 0)
        o->seed = (uint64_t)n;
    else if (strcmp(key, "shuffle") == 0)
        o->shuffle = (enum capstan_shuffle)n;
    else if (strcmp(key, "tail") == 0)
        o->tail = (enum capstan_tail)n;
    else if (strcmp(key, "window") == 0)
        o->window = (uint32_t)n;
    else if (strcmp(key, "group") == 0)
        o->group = (uint32_t)n;
    else if (strcmp(key, "depth") == 0)
        o->depth = (uint32_t)n;
    else if (strcmp(key, "files") == 0)
        o->files_max = (uint32_t)n;
    else if (strcmp(key, "plan") == 0)
        o->plan = (uint32_t)n;
    else if (strcmp(key, "memory") == 0)
        o->memory_max = (uint64_t)n;
    else if (strcmp(key, "progress") == 0)
        o->progress = (enum capstan_progress)n;
    else if (strcmp(key, "independent") == 0)
        o->is_independent = (int)n;
    else if (strcmp(key, "weights") == 0)
        wish.has_weights = n;
    else if (strcmp(key, "thread") == 0)
        wish.threads = n;
    else if (strcmp(key, "stop") == 0)
        wish.stop = n;
    else if (strcmp(key, "compute") == 0)
        wish.compute_ms = n;
    else if (strcmp(key, "fails") == 0)
        wish.fails = n;
    else
        test_fail(__FILE__, __LINE__, key);
}

/* One run's: up to a "--". @return where it ends. */
static int take_options(int argc, char **argv, int i)
{
    memset(&wish, 0, sizeof(wish));
    wish.options.info = MPI_INFO_NULL;
    wish.stop = wish.threads = -1;
    wish.dataset = argv[i++];
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        char *key = strdup(argv[i]), *value = strchr(key, '=');

        if (value == NULL)
            test_fail(__FILE__, __LINE__, argv[i]);
        *value++ = '\0';
        take_option(key, value);
    }
    return i;
}

static void read_list(uint64_t samples)
{
    FILE *file = fopen(wish.list, "r");
    size_t room = 0;

    CHECK(file != NULL);
    paths = calloc(samples, sizeof(*paths));
    for (uint64_t i = 0; i < samples; i++) {
        CHECK(getline(&paths[i], &room, file) > 0);
        paths[i][strcspn(paths[i], "\n")] = '\0';
        room = 0;
    }
    fclose(file);
}

/* Is it exactly these bytes of the file? length of the file if offset is 0. */
static void compare(const char *path, long offset, const void *data,
                    size_t length, int is_all)
{
    FILE *file = fopen(path, "r");
    char *bytes = malloc(length + 1);

    if (file == NULL)
        test_fail(__FILE__, __LINE__, path);
    CHECK(fseek(file, offset, SEEK_SET) == 0);
    CHECK(fread(bytes, 1, length + 1, file) == length || !is_all);
    if (memcmp(bytes, data, length) != 0)
        test_fail(__FILE__, __LINE__, path);
    free(bytes);
    fclose(file);
}

static void compare_members(const struct capstan_sample *sample)
{
    struct capstan_field field;
    char path[8192];
    size_t at = 0;
    int count = 0, rc;

    while ((rc = capstan_sample_field(sample, &at, &field)) == 0) {
        snprintf(path, sizeof(path), "%s/%.*s", wish.tree,
                 (int)field.name_length, field.name);
        compare(path, 0, field.data, field.length, 1);
        count++;
    }
    CHECK(rc == -ENODATA && count > 0);
}

static void check_sample(const struct capstan_sample *sample)
{
    CHECK((uintptr_t)sample->data % 64 == 0);
    if (wish.tree != NULL)
        compare_members(sample);
    else if (wish.list != NULL)
        compare(paths[sample->number], 0, sample->data, sample->length, 1);
    else if (wish.flat != NULL)
        compare(wish.flat, (long)(sample->number * sample->length),
                sample->data, sample->length, 0);
    seen[sample->number]++;
    padded[sample->number] += sample->is_padding != 0;
}

/* Rank after rank, to one file. */
static void log_batch(const struct capstan_batch *batch)
{
    for (int rank = 0; rank < test.size; rank++) {
        if (rank == test.rank) {
            FILE *log = fopen(wish.log, "a");

            CHECK(log != NULL);
            if (rank == 0)
                fprintf(log, "%s%llu %llu:", batch->step == 0 ? "\n" : "",
                        (unsigned long long)batch->epoch,
                        (unsigned long long)batch->step);
            for (size_t i = 0; i < batch->count; i++)
                fprintf(log, " %llu",
                        (unsigned long long)batch->samples[i].number);
            if (rank == test.size - 1)
                fputs("\n", log);
            fclose(log);
        }
        MPI_Barrier(MPI_COMM_WORLD);
    }
}

/* What all ranks together got in a whole epoch is what the tail's policy says.
 */
static void check_epoch(struct capstan_loader *loader)
{
    uint64_t samples = capstan_loader_samples(loader);
    uint64_t group = wish.options.group == 0 ? 1 : wish.options.group;
    uint64_t total = 0;

    MPI_Allreduce(MPI_IN_PLACE, seen, (int)samples, MPI_UNSIGNED, MPI_SUM,
                  MPI_COMM_WORLD);
    MPI_Allreduce(MPI_IN_PLACE, padded, (int)samples, MPI_UNSIGNED, MPI_SUM,
                  MPI_COMM_WORLD);
    for (uint64_t i = 0; i < samples; i++) {
        total += seen[i];
        if (wish.options.tail == CAPSTAN_TAIL_DROP)
            CHECK(seen[i] <= group && padded[i] == 0);
        else
            CHECK(seen[i] - padded[i] == group);
    }
    if (wish.options.tail == CAPSTAN_TAIL_SHORT)
        CHECK(total == samples * group);
    else
        CHECK(total ==
              capstan_loader_steps(loader) * wish.options.batch * group);
    memset(seen, 0, samples * sizeof(*seen));
    memset(padded, 0, samples * sizeof(*padded));
}

static void compute(void)
{
    struct timespec time = {.tv_sec = wish.compute_ms / 1000,
                            .tv_nsec = wish.compute_ms % 1000 * 1000000};

    if (wish.compute_ms > 0)
        nanosleep(&time, NULL);
}

/* Has this process a thread of a loader's? What such a thread starts has its name
 * too. */
static bool has_thread(void)
{
    char name[64], path[300];
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    bool has = false;

    CHECK(tasks != NULL);
    while ((entry = readdir(tasks)) != NULL) {
        FILE *file;

        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        file = fopen(path, "r");
        if (file == NULL)
            continue;
        if (fgets(name, sizeof(name), file) != NULL)
            has |= strcmp(name, "capstan-loader\n") == 0;
        fclose(file);
    }
    closedir(tasks);
    return has;
}

static int run(struct capstan_loader *loader)
{
    struct capstan_batch batch;
    uint64_t steps = 0;
    int rc;

    while (steps != (uint64_t)wish.stop &&
           (rc = capstan_loader_next(loader, &batch)) == 0) {
        if (steps == 0 && wish.threads >= 0)
            CHECK(has_thread() == wish.threads);
        for (size_t i = 0; i < batch.count; i++)
            check_sample(&batch.samples[i]);
        if (wish.log != NULL)
            log_batch(&batch);
        compute();
        /* A program's own collective, which must not meet the loader's. */
        MPI_Barrier(MPI_COMM_WORLD);
        steps++;
        if (steps == 1 && test.rank == 0) {
            printf("loading\n");
            fflush(stdout);
        }
        if (batch.step + 1 == batch.steps && wish.options.step == 0)
            check_epoch(loader);
    }
    return steps == (uint64_t)wish.stop ? 0 : rc;
}

/* All ranks have the same code and text. */
static void check_failure(struct capstan_loader *loader, int rc)
{
    const char *text = capstan_loader_error(loader);
    char first[1024];
    int code = rc;

    snprintf(first, sizeof(first), "%s", text);
    MPI_Bcast(first, sizeof(first), MPI_CHAR, 0, MPI_COMM_WORLD);
    MPI_Bcast(&code, 1, MPI_INT, 0, MPI_COMM_WORLD);
    if (test.rank == 0)
        printf("ended with %d: %s\n", rc, text);
    CHECK(code == rc && strcmp(text, first) == 0);
    CHECK(*text != '\0' || rc == -ENODATA || rc == 0);
}

static void say_stats(struct capstan_loader *loader)
{
    struct capstan_loader_stats stats;

    capstan_loader_stats(loader, &stats);
    if (test.rank == 0)
        printf("steps %llu samples %llu bytes %llu reads %llu opens %llu "
               "wait %.3f s\n",
               (unsigned long long)stats.steps,
               (unsigned long long)stats.samples,
               (unsigned long long)stats.bytes, (unsigned long long)stats.reads,
               (unsigned long long)stats.opens, stats.wait_seconds);
}

static void free_run(void)
{
    free(seen);
    free(padded);
    free(paths);
    seen = NULL;
    padded = NULL;
    paths = NULL;
}

static void check_run(void)
{
    struct capstan_loader *loader = NULL;
    int rc;

    if (wish.has_weights)
        wish.options.weight = (uint32_t)test.rank + 1;
    rc = capstan_loader_open(MPI_COMM_WORLD, wish.dataset, &wish.options,
                             &loader);
    if (rc == 0) {
        seen = calloc(capstan_loader_samples(loader), sizeof(*seen));
        padded = calloc(capstan_loader_samples(loader), sizeof(*padded));
        if (wish.list != NULL)
            read_list(capstan_loader_samples(loader));
        rc = run(loader);
    }
    check_failure(loader, rc);
    say_stats(loader);
    CHECK(rc == wish.fails ||
          (wish.fails == 0 && rc == (wish.stop < 0 ? -ENODATA : 0)));
    capstan_loader_close(&loader);
    CHECK(loader == NULL);
    free_run();
}

int main(int argc, char **argv)
{
    int provided, i = 1;

    MPI_Init_thread(&argc, &argv,
                    getenv("CHECK_LOAD_SINGLE") != NULL ? MPI_THREAD_SINGLE
                                                        : MPI_THREAD_MULTIPLE,
                    &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &test.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &test.size);
    while (i < argc) {
        i = take_options(argc, argv, i) + 1;
        check_run();
    }
    MPI_Finalize();
    return 0;
}
