/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collective reads and writes of a few patterns, timed, by whatever engine the
 * environment makes MPI choose: the program of benchmarks/collective.
 *
 *     collective_io PATH ITERATIONS MIB ROW...
 *
 * For each row it prints a line when it begins and one when it has ended, so
 * that the script knows which row a crash or a hang belongs to. A time runs
 * from the first rank's entry to the last rank's return, by the clock of the
 * machine that all ranks share; the time of the slowest rank's own call is
 * printed too. (With more ranks than cores the second leaves out that a rank
 * was kept waiting before it could even enter.) Bytes of storage are what the
 * processes really gave to or took from system calls (/proc/self/io), the same
 * count for every engine.
 *
 * Possible failure modes: an MPI error ends the row as "error"; wrong bytes end
 * it as "wrong".
 */
#include "benchmarks/collective_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ITERATIONS_MAX 64

struct bench bench;

struct result {
    double seconds[ITERATIONS_MAX]; /* first rank in to last rank out */
    double slowest[ITERATIONS_MAX]; /* rank, its own call */
    uint64_t storage;               /* bytes of the last iteration, all ranks */
    uint64_t messages;
    bool is_wrong;
    bool is_failed;
};

static uint64_t sum_of(uint64_t mine)
{
    uint64_t all;

    MPI_Allreduce(&mine, &all, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
    return all;
}

/* Bytes that this process gave to, or took from, system calls so far. */
static uint64_t moved_so_far(bool is_write)
{
    const char *key = is_write ? "wchar:" : "rchar:";
    char word[64];
    unsigned long long bytes = 0;
    FILE *file = fopen("/proc/self/io", "r");

    if (file == NULL)
        return 0;
    while (fscanf(file, "%63s %llu", word, &bytes) == 2)
        if (strcmp(word, key) == 0)
            break;
    fclose(file);
    return bytes;
}

/* Messages of the last collective; only our own engine tells. */
static uint64_t messages_of(MPI_File fh)
{
    char value[64] = "0";
    int flag = 0;
    MPI_Info info;

    if (MPI_File_get_info(fh, &info) != MPI_SUCCESS)
        return 0;
    MPI_Info_get(info, "capstan_last_messages", sizeof(value) - 1, value,
                 &flag);
    MPI_Info_free(&info);
    return flag ? strtoull(value, NULL, 10) : 0;
}

static int move(MPI_File fh, const struct row *row, char *buffer, int bytes)
{
    MPI_Request request;
    MPI_Status status;
    int rc;

    if (!row->is_nonblocking)
        return row->is_write ? MPI_File_write_at_all(fh, 0, buffer, bytes,
                                                     MPI_BYTE, &status)
                             : MPI_File_read_at_all(fh, 0, buffer, bytes,
                                                    MPI_BYTE, &status);
    rc = row->is_write
             ? MPI_File_iwrite_at_all(fh, 0, buffer, bytes, MPI_BYTE, &request)
             : MPI_File_iread_at_all(fh, 0, buffer, bytes, MPI_BYTE, &request);
    return rc != MPI_SUCCESS ? rc : MPI_Wait(&request, &status);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void time_one(MPI_File fh, const struct row *row,
                     const struct access *access, char *buffer, int i,
                     struct result *result)
{
    uint64_t before;
    double mine[3], most[3]; /* -start, end, between them */

    if (row->is_write)
        access_load(access, buffer, (uint64_t)i + 1);
    else
        memset(buffer, 0, access->bytes);
    before = moved_so_far(row->is_write);
    MPI_Barrier(MPI_COMM_WORLD);
    mine[0] = -now();
    if (move(fh, row, buffer, (int)access->bytes) != MPI_SUCCESS)
        result->is_failed = true;
    mine[1] = now();
    mine[2] = mine[1] + mine[0];
    MPI_Allreduce(mine, most, 3, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    result->seconds[i] = most[1] + most[0];
    result->slowest[i] = most[2];
    before = moved_so_far(row->is_write) - before;
    result->storage = sum_of(before);
    result->messages = sum_of(messages_of(fh));
    if (!row->is_write && !access_holds(access, buffer, 0))
        result->is_wrong = true;
}

static void run_row(const struct row *row, struct result *result)
{
    int mode = MPI_MODE_CREATE | MPI_MODE_RDWR;
    struct access access;
    MPI_File fh;
    char *buffer;

    access_make(&access, row->pattern);
    buffer = malloc(access.bytes);
    if (buffer == NULL)
        MPI_Abort(MPI_COMM_WORLD, 2);
    memset(buffer, 0, access.bytes);
    file_fill(access.file_bytes, row->is_write);
    if (MPI_File_open(MPI_COMM_WORLD, bench.path, mode, MPI_INFO_NULL, &fh) !=
        MPI_SUCCESS) {
        result->is_failed = true;
    } else {
        MPI_File_set_view(fh, 0, MPI_BYTE, access.filetype, "native",
                          MPI_INFO_NULL);
        for (int i = 0; i < bench.iterations; i++)
            time_one(fh, row, &access, buffer, i, result);
        MPI_File_close(&fh);
        if (row->is_write &&
            !file_holds(&access, buffer, (uint64_t)bench.iterations))
            result->is_wrong = true;
    }
    free(buffer);
    access_fini(&access);
}

static void report(int number, struct result *result)
{
    bool is_wrong = sum_of(result->is_wrong) > 0;
    bool is_failed = sum_of(result->is_failed) > 0;

    if (bench.rank != 0)
        return;
    printf("end %d %s storage %llu messages %llu seconds", number,
           is_failed  ? "error"
           : is_wrong ? "wrong"
                      : "ok",
           (unsigned long long)result->storage,
           (unsigned long long)result->messages);
    for (int i = 0; i < bench.iterations; i++)
        printf(" %.6f", result->seconds[i]);
    printf(" slowest");
    for (int i = 0; i < bench.iterations; i++)
        printf(" %.6f", result->slowest[i]);
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &bench.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &bench.size);
    if (argc < 5) {
        if (bench.rank == 0)
            rows_list();
        MPI_Finalize();
        return argc != 1;
    }
    bench.path = argv[1];
    bench.iterations = atoi(argv[2]);
    bench.mib = (uint64_t)atoi(argv[3]);
    if (bench.iterations < 1 || bench.iterations > ITERATIONS_MAX)
        MPI_Abort(MPI_COMM_WORLD, 2);
    for (int i = 4; i < argc; i++) {
        struct result result = {0};
        int number = atoi(argv[i]);
        struct row row;

        if (!row_of(number, &row))
            MPI_Abort(MPI_COMM_WORLD, 2);
        if (bench.rank == 0)
            printf("begin %d\n", number);
        fflush(stdout);
        run_row(&row, &result);
        report(number, &result);
    }
    MPI_Finalize();
    return 0;
}
