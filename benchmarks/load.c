/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Load a packed dataset as training does: ranks read shuffled batches of
 * samples, epoch after epoch, and check every byte.
 *
 *   1. All ranks read the index together and open every shard.
 *   2. All shuffle alike from one seed (plan.h): nothing is exchanged.
 *   3. A step: each rank takes its part of the batch, sorts it by shard and
 *      offset, and reads it, either sample by sample (MPI_File_read_at) or
 *      together with the others, one MPI_File_read_all a shard.
 *   4. Each sample's CRC32C is compared with its source file's, which the
 *      packer wrote into the index.
 *   5. Rank 0 prints the figures as one line of JSON (load_report.c).
 *
 * The time runs from a barrier before the first step to a barrier behind the
 * last, and includes the checking. Opening is not in it.
 *
 * Possible failures: whatever goes wrong on a rank (a file is missing, a read
 * fails or is short, a sample differs) is printed with the rank and the cause,
 * and all ranks end with a status that is not 0.
 */
#include "benchmarks/load.h"

#include "base/mem.h"
#include "benchmarks/plan.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_DEFAULT 256
#define BATCH_MAX 1000000
#define EPOCHS_MAX 1000000

static int by_place(const void *left, const void *right)
{
    const struct sample *a = *(const struct sample *const *)left;
    const struct sample *b = *(const struct sample *const *)right;

    if (a->shard != b->shard)
        return a->shard < b->shard ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static void batch_init(struct load_batch *batch, uint64_t room)
{
    batch->count = 0;
    batch->memory = NULL;
    batch->memory_size = 0;
    batch->samples = mem_calloc(room, sizeof(*batch->samples));
    if (batch->samples == NULL)
        load_die("out of memory for a batch");
}

static void batch_fini(struct load_batch *batch)
{
    free(batch->samples);
    free(batch->memory);
}

/* Name the samples of a slice, by place, and have memory for them. */
static void batch_set(struct load_batch *batch, const struct plan *plan,
                      struct plan_slice slice, const struct load_data *data)
{
    size_t need = 0;
    uint64_t i;

    for (i = 0; i < slice.count; i++) {
        batch->samples[i] = &data->samples[plan->order[slice.first + i]];
        need += batch->samples[i]->length;
    }
    batch->count = slice.count;
    qsort(batch->samples, batch->count, sizeof(*batch->samples), by_place);
    if (need <= batch->memory_size)
        return;
    free(batch->memory);
    batch->memory = mem_pages(need);
    batch->memory_size = need;
    if (batch->memory == NULL)
        load_die("out of memory for a batch of %zu bytes", need);
}

/* Which shards anyone reads from in a step: alike on all ranks. */
static void mark_touched(unsigned char *touched, const struct plan *plan,
                         uint64_t step, const struct load_data *data)
{
    struct plan_slice all = plan_step(plan, step);
    uint64_t i;

    memset(touched, 0, data->index.nfiles);
    for (i = 0; i < all.count; i++)
        touched[data->samples[plan->order[all.first + i]].shard] = 1;
}

static void run_epoch(const struct load_options *options,
                      struct load_data *data, const struct plan *plan,
                      struct load_result *result)
{
    unsigned char *touched = mem_calloc(data->index.nfiles, 1);
    struct load_batch batch;
    uint64_t step;
    int rank;

    if (touched == NULL)
        load_die("out of memory");
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    batch_init(&batch, options->batch);
    for (step = 0; step < plan_steps(plan); step++) {
        batch_set(&batch, plan, plan_rank_step(plan, step, (uint32_t)rank),
                  data);
        if (options->mode == LOAD_COLLECTIVE) {
            mark_touched(touched, plan, step, data);
            load_read_collective(data, &batch, touched);
        } else {
            load_read_independent(data, &batch);
        }
        load_verify(&batch);
        result->samples += batch.count;
    }
    batch_fini(&batch);
    free(touched);
}

static void run_epochs(const struct load_options *options,
                       struct load_data *data, struct load_result *result)
{
    struct plan_shape shape = {.samples = data->index.nrows,
                               .batch = options->batch,
                               .seed = options->seed,
                               .group = options->group};
    struct plan plan;
    uint64_t epoch;
    int ranks;

    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    shape.ranks = (uint32_t)ranks;
    if (plan_init(&plan, &shape) != 0)
        load_die("no plan for %d ranks in groups of %u", ranks, shape.group);
    MPI_Barrier(MPI_COMM_WORLD);
    result->seconds = MPI_Wtime();
    for (epoch = 0; epoch < options->epochs; epoch++) {
        plan_shuffle(&plan, epoch);
        run_epoch(options, data, &plan, result);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    result->seconds = MPI_Wtime() - result->seconds;
    plan_fini(&plan);
}

static void usage(void)
{
    fputs("usage: mpirun ... load [options] DATASET\n"
          "Read a packed dataset in shuffled batches and check every sample.\n"
          "DATASET is what MPI_File_open takes, without the /index.\n"
          "  --mode independent|collective  (default collective)\n"
          "  --batch N   samples a step over all ranks (default 256)\n"
          "  --epochs N  (default 1)\n"
          "  --group N   groups of N ranks want the same samples (default 1)\n"
          "  --seed N    of the shuffle (default 1)\n",
          stderr);
}

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' ||
        value < min || value > max)
        load_die("%s is not a number from %llu to %llu", text,
                 (unsigned long long)min, (unsigned long long)max);
    return value;
}

static enum load_mode mode_of(const char *text)
{
    if (strcmp(text, "independent") == 0)
        return LOAD_INDEPENDENT;
    if (strcmp(text, "collective") != 0)
        load_die("%s is not a mode: independent or collective", text);
    return LOAD_COLLECTIVE;
}

static int parse(int argc, char **argv, struct load_options *options)
{
    static const struct option longs[] = {
        {"mode", required_argument, NULL, 'm'},
        {"batch", required_argument, NULL, 'b'},
        {"epochs", required_argument, NULL, 'e'},
        {"group", required_argument, NULL, 'g'},
        {"seed", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'm':
            options->mode = mode_of(optarg);
            break;
        case 'b':
            options->batch = number(optarg, 1, BATCH_MAX);
            break;
        case 'e':
            options->epochs = number(optarg, 1, EPOCHS_MAX);
            break;
        case 'g':
            options->group = (uint32_t)number(optarg, 1, 1000000);
            break;
        case 's':
            options->seed = number(optarg, 0, UINT64_MAX);
            break;
        default:
            return -1;
        }
    }
    options->dataset = argv[optind];
    return argc - optind == 1 ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct load_options options = {.mode = LOAD_COLLECTIVE,
                                   .batch = BATCH_DEFAULT,
                                   .epochs = 1,
                                   .seed = 1,
                                   .group = 1};
    struct load_result result = {0};
    struct load_data data = {0};

    MPI_Init(&argc, &argv);
    if (parse(argc, argv, &options) != 0) {
        usage();
        MPI_Finalize();
        return 2;
    }
    load_data_open(&data, options.dataset);
    run_epochs(&options, &data, &result);
    result.bytes = data.bytes;
    result.reads = data.reads;
    load_report(&options, &data, &result);
    load_data_close(&data);
    MPI_Finalize();
    return 0;
}
