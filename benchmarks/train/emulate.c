/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Emulated accelerators, as the MLPerf Storage benchmark has them: each rank
 * takes its batch, sleeps for the time that the accelerator would compute, and
 * meets the others, as the all-reduction of gradients makes them.
 *
 * Utilisation is the time of computing over all time, from the first batch that
 * is asked for to the end of the last step. Rank 0 prints one line of JSON.
 */
#include "benchmarks/train/emulate.h"

#include <capstan/loader.h>

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct emulate_source {
    struct capstan_loader *loader;
    struct posix_reader *posix;
};

void emulate_die(const char *format, ...)
{
    va_list args;

    fputs("emulate: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    MPI_Abort(MPI_COMM_WORLD, 1);
    abort();
}

struct emulate_source *emulate_open(const struct emulate_options *wish)
{
    struct capstan_loader_options options = CAPSTAN_LOADER_OPTIONS_INIT;
    struct emulate_source *source = calloc(1, sizeof(*source));

    if (source == NULL)
        emulate_die("out of memory");
    if (strcmp(wish->loader, "posix") == 0) {
        source->posix = posix_open(wish);
        return source;
    }
    options.batch = wish->batch;
    options.epochs = wish->epochs;
    options.depth = wish->depth;
    options.plan = wish->plan;
    options.seed = 1;
    options.is_independent = strcmp(wish->loader, "independent") == 0;
    if (capstan_loader_open(MPI_COMM_WORLD, wish->dataset, &options,
                            &source->loader) != 0)
        emulate_die("%s", capstan_loader_error(source->loader));
    return source;
}

struct emulate_batch emulate_next(struct emulate_source *source)
{
    struct emulate_batch result = {.is_over = 1};
    struct capstan_batch batch;
    int rc;

    if (source->posix != NULL)
        return posix_next(source->posix);
    rc = capstan_loader_next(source->loader, &batch);
    if (rc == -ENODATA)
        return result;
    if (rc != 0)
        emulate_die("%s", capstan_loader_error(source->loader));
    result.is_over = 0;
    result.samples = batch.count;
    for (size_t i = 0; i < batch.count; i++)
        result.bytes += batch.samples[i].length;
    return result;
}

void emulate_close(struct emulate_source *source)
{
    if (source->posix != NULL)
        posix_close(source->posix);
    capstan_loader_close(&source->loader);
    free(source);
}

/* The accelerator computes: it keeps no core. */
static void compute(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds};

    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    nanosleep(&time, NULL);
}

static void report(const struct emulate_options *options, uint64_t steps,
                   const uint64_t *own, double seconds)
{
    uint64_t sums[2];
    int rank, ranks;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Reduce(own, sums, 2, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank != 0)
        return;
    printf("{\"loader\": \"%s\", \"ranks\": %d, \"steps\": %llu, "
           "\"samples\": %llu, \"bytes\": %llu, \"compute\": %.6f, "
           "\"seconds\": %.6f, \"utilisation\": %.4f}\n",
           options->loader, ranks, (unsigned long long)steps,
           (unsigned long long)sums[0], (unsigned long long)sums[1],
           options->compute, seconds,
           (double)steps * options->compute / seconds);
}

static void run(const struct emulate_options *options)
{
    struct emulate_source *source = emulate_open(options);
    struct emulate_batch batch;
    uint64_t steps = 0, own[2] = {0, 0};
    double begin;

    MPI_Barrier(MPI_COMM_WORLD);
    begin = MPI_Wtime();
    while (batch = emulate_next(source), !batch.is_over) {
        own[0] += batch.samples;
        own[1] += batch.bytes;
        compute(options->compute);
        MPI_Barrier(MPI_COMM_WORLD);
        steps++;
    }
    if (steps == 0)
        emulate_die("no step: the dataset is smaller than a batch");
    report(options, steps, own, MPI_Wtime() - begin);
    emulate_close(source);
}

static void usage(void)
{
    fputs("usage: mpirun ... emulate [options] DATASET\n"
          "  --loader collective|independent|posix  (collective)\n"
          "  --batch N         samples a step over all ranks\n"
          "  --epochs N        (1)\n"
          "  --depth N         batches read ahead (2)\n"
          "  --plan N          batches that servers are told of before (0)\n"
          "  --compute SECONDS of an accelerator's step\n",
          stderr);
}

static double number(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || value < 0)
        emulate_die("%s is not a number", text);
    return value;
}

static int parse(int argc, char **argv, struct emulate_options *options)
{
    static const struct option longs[] = {
        {"loader", required_argument, NULL, 'l'},
        {"batch", required_argument, NULL, 'b'},
        {"epochs", required_argument, NULL, 'e'},
        {"depth", required_argument, NULL, 'd'},
        {"plan", required_argument, NULL, 'p'},
        {"compute", required_argument, NULL, 'c'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'l')
            options->loader = optarg;
        else if (c == 'b')
            options->batch = (uint64_t)number(optarg);
        else if (c == 'e')
            options->epochs = (uint64_t)number(optarg);
        else if (c == 'd')
            options->depth = (uint32_t)number(optarg);
        else if (c == 'p')
            options->plan = (uint32_t)number(optarg);
        else if (c == 'c')
            options->compute = number(optarg);
        else
            return -1;
    }
    options->dataset = argv[optind];
    return argc - optind == 1 && options->batch > 0 && options->epochs > 0 ? 0
                                                                           : -1;
}

int main(int argc, char **argv)
{
    struct emulate_options options = {
        .loader = "collective", .epochs = 1, .depth = 2};
    int provided;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    if (parse(argc, argv, &options) != 0) {
        usage();
        MPI_Finalize();
        return 2;
    }
    run(&options);
    MPI_Finalize();
    return 0;
}
