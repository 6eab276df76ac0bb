/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The figures of a load, as one line of JSON on rank 0's output:
 *
 *     {"mode": "collective", "ranks": 4, "group": 1, "batch": 256,
 *      "epochs": 2, "samples": N, "bytes": N, "reads": N, "seconds": S,
 *      "samples_per_s": R, "mib_per_s": R, "info": {"capstan_...": "..."}}
 *
 * samples, bytes and reads are sums over all ranks and epochs; seconds is the
 * slowest rank's. info holds the keys of the first shard's MPI_File_get_info
 * that begin with capstan_ or cb_: what was in force, and what the engine says
 * that it did.
 */
#include "benchmarks/load.h"

#include <stdio.h>
#include <string.h>

#define MIB 1048576.0

static void print_quoted(const char *text)
{
    const unsigned char *at;

    putchar('"');
    for (at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            printf("\\%c", *at);
        else if (*at < 0x20)
            printf("\\u%04x", *at);
        else
            putchar(*at);
    }
    putchar('"');
}

static int is_told(const char *key)
{
    return strncmp(key, "capstan_", 8) == 0 || strncmp(key, "cb_", 3) == 0;
}

static void print_info(MPI_Info info)
{
    char key[MPI_MAX_INFO_KEY + 1], value[MPI_MAX_INFO_VAL + 1];
    int i, count = 0, found, told = 0;

    MPI_Info_get_nkeys(info, &count);
    putchar('{');
    for (i = 0; i < count; i++) {
        MPI_Info_get_nthkey(info, i, key);
        if (!is_told(key))
            continue;
        MPI_Info_get(info, key, MPI_MAX_INFO_VAL, value, &found);
        if (!found)
            continue;
        if (told++ > 0)
            fputs(", ", stdout);
        print_quoted(key);
        fputs(": ", stdout);
        print_quoted(value);
    }
    putchar('}');
}

static void print_line(const struct load_options *options, const uint64_t *sums,
                       double seconds, MPI_Info info)
{
    double per = seconds > 0 ? 1 / seconds : 0;
    int ranks;

    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    printf("{\"mode\": \"%s\", \"ranks\": %d, \"group\": %u, \"batch\": %llu, "
           "\"epochs\": %llu, ",
           options->mode == LOAD_COLLECTIVE ? "collective" : "independent",
           ranks, options->group, (unsigned long long)options->batch,
           (unsigned long long)options->epochs);
    printf("\"samples\": %llu, \"bytes\": %llu, \"reads\": %llu, "
           "\"seconds\": %.6f, \"samples_per_s\": %.1f, \"mib_per_s\": %.1f, "
           "\"info\": ",
           (unsigned long long)sums[0], (unsigned long long)sums[1],
           (unsigned long long)sums[2], seconds, (double)sums[0] * per,
           (double)sums[1] / MIB * per);
    print_info(info);
    puts("}");
    fflush(stdout);
}

void load_report(const struct load_options *options,
                 const struct load_data *data, const struct load_result *result)
{
    uint64_t own[3] = {result->samples, result->bytes, result->reads};
    uint64_t sums[3] = {0};
    double seconds = 0;
    MPI_Info info;
    int rank;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Reduce(own, sums, 3, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
    MPI_Reduce(&result->seconds, &seconds, 1, MPI_DOUBLE, MPI_MAX, 0,
               MPI_COMM_WORLD);
    /* Collective here, though the standard lets it be local. */
    load_check(MPI_File_get_info(data->shards[0], &info), "ask",
               "a shard for its info");
    if (rank == 0)
        print_line(options, sums, seconds, info);
    MPI_Info_free(&info);
}
