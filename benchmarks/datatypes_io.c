/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What views of many pieces cost: the program of benchmarks/datatypes.
 *
 *     mpirun -n 2 datatypes_io PATH [MOST]
 *
 * The ranks' pieces of 4 bytes interleave. Two patterns, with 10,000 pieces a
 * rank and ten times more, up to MOST: a vector, whose pieces are equally far
 * apart, and an indexed type, whose pieces are at random places. For each: set
 * the view, read through it alone and collectively, by rank 0's clock after a
 * barrier. One line of JSON a pattern and number, from rank 0:
 *
 *   view_ns, view_bytes       MPI_File_set_view: time, and growth of the heap
 *   alone_ns                  MPI_File_read of all pieces
 *   all_ns, all_bytes         MPI_File_read_all, and what it allocated (most)
 *   messages, exchanged       sent from rank to rank by that
 *   requests                  read requests that servers took for the read
 * alone, all ranks; -1 where there are no servers
 *
 * Each byte of the file tells its place; what was read is compared.
 */
#include <capstan/cluster.h>
#include <capstan/session.h>

#include <malloc.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 4
#define ROOM                                                                   \
    16 /* bytes of file for a piece of each rank: PIECE of them data           \
        */

struct figures {
    double view_ns, alone_ns, all_ns;
    int64_t view_bytes, all_bytes, messages, exchanged, requests;
};

static int rank, nranks;
static struct capstan_session *session; /* of rank 0; NULL: no servers */

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "datatypes_io: %s failed\n", what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static char byte_at(uint64_t offset)
{
    return (char)(offset * 2654435761u >> 13);
}

static uint64_t file_bytes(size_t npieces)
{
    return (uint64_t)npieces * ROOM * (uint64_t)nranks;
}

/* Rank's own room, and for the random pattern some place in it. */
static MPI_Aint place_of(size_t i, bool is_random)
{
    uint64_t hash = ((uint64_t)i * 131 + (uint64_t)rank) * 0x9e3779b97f4a7c15u;
    uint64_t within = is_random ? hash >> 61 : 0;

    return ((MPI_Aint)i * nranks + rank) * ROOM + (MPI_Aint)within;
}

static MPI_Datatype random_type(size_t npieces)
{
    MPI_Aint *places = malloc(npieces * sizeof(*places));
    MPI_Datatype type;

    must(places != NULL, "memory");
    for (size_t i = 0; i < npieces; i++)
        places[i] = place_of(i, true);
    MPI_Type_create_hindexed_block((int)npieces, PIECE, places, MPI_BYTE,
                                   &type);
    free(places);
    return type;
}

static MPI_Datatype make_type(size_t npieces, bool is_random)
{
    MPI_Datatype type;

    if (is_random)
        type = random_type(npieces);
    else
        MPI_Type_create_hvector((int)npieces, PIECE, (MPI_Aint)ROOM * nranks,
                                MPI_BYTE, &type);
    MPI_Type_commit(&type);
    return type;
}

static void fill(MPI_File fh, size_t npieces)
{
    const size_t chunk = 1 << 22;
    char *memory = malloc(chunk);
    size_t length;

    must(memory != NULL, "memory");
    for (uint64_t at = 0; rank == 0 && at < file_bytes(npieces); at += length) {
        length = file_bytes(npieces) - at < chunk
                     ? (size_t)(file_bytes(npieces) - at)
                     : chunk;
        for (size_t i = 0; i < length; i++)
            memory[i] = byte_at(at + i);
        must(MPI_File_write_at(fh, (MPI_Offset)at, memory, (int)length,
                               MPI_BYTE, MPI_STATUS_IGNORE) == MPI_SUCCESS,
             "write");
    }
    free(memory);
    MPI_File_sync(fh);
    MPI_Barrier(MPI_COMM_WORLD);
}

static void check(const char *memory, size_t npieces, bool is_random)
{
    uint64_t place;

    for (size_t i = 0; i < npieces; i++) {
        place = (uint64_t)place_of(i, is_random);
        for (size_t k = 0; k < PIECE; k++)
            must(memory[i * PIECE + k] == byte_at(place + k), "comparison");
    }
}

static int64_t heap(void)
{
    struct mallinfo2 info = mallinfo2();

    return (int64_t)(info.uordblks + info.hblkhd);
}

static double start(void)
{
    MPI_Barrier(MPI_COMM_WORLD);
    return MPI_Wtime();
}

static double ns_since(double start)
{
    MPI_Barrier(MPI_COMM_WORLD);
    return (MPI_Wtime() - start) * 1e9;
}

static int64_t counter_of(uint16_t target, const char *name)
{
    struct capstan_counter counters[CAPSTAN_COUNTERS_MAX];
    size_t n;

    must(capstan_target_counters(session, target, counters,
                                 CAPSTAN_COUNTERS_MAX, &n) == 0,
         "counters");
    for (size_t i = 0; i < n; i++)
        if (strcmp(counters[i].name, name) == 0)
            return (int64_t)counters[i].value;
    return 0;
}

/* Read requests that all servers took so far; rank 0. */
static int64_t requests(void)
{
    struct capstan_target target;
    int64_t sum = 0;

    for (size_t i = 0; session != NULL && i < capstan_target_count(session);
         i++) {
        capstan_target_info(session, i, &target);
        sum += counter_of(target.id, "reads");
    }
    return sum;
}

static int64_t told(MPI_File fh, const char *key, MPI_Op op)
{
    char value[64] = "0";
    int64_t mine, all;
    MPI_Info info;
    int flag;

    MPI_File_get_info(fh, &info);
    MPI_Info_get(info, key, sizeof(value) - 1, value, &flag);
    MPI_Info_free(&info);
    mine = flag ? strtoll(value, NULL, 10) : 0;
    MPI_Allreduce(&mine, &all, 1, MPI_INT64_T, op, MPI_COMM_WORLD);
    return all;
}

static void read_twice(MPI_File fh, char *memory, size_t npieces,
                       bool is_random, struct figures *figures)
{
    int bytes = (int)(npieces * PIECE);
    double began;

    memset(memory, 0, npieces * PIECE);
    figures->requests = -requests();
    began = start();
    must(MPI_File_read(fh, memory, bytes, MPI_BYTE, MPI_STATUS_IGNORE) ==
             MPI_SUCCESS,
         "read");
    figures->alone_ns = ns_since(began);
    figures->requests = session == NULL ? -1 : figures->requests + requests();
    check(memory, npieces, is_random);
    memset(memory, 0, npieces * PIECE);
    MPI_File_seek(fh, 0, MPI_SEEK_SET);
    began = start();
    must(MPI_File_read_all(fh, memory, bytes, MPI_BYTE, MPI_STATUS_IGNORE) ==
             MPI_SUCCESS,
         "read_all");
    figures->all_ns = ns_since(began);
    check(memory, npieces, is_random);
    figures->all_bytes = told(fh, "capstan_last_memory", MPI_MAX);
    figures->messages = told(fh, "capstan_last_messages", MPI_SUM);
    figures->exchanged = told(fh, "capstan_last_bytes_exchanged", MPI_SUM);
}

static void run(MPI_File fh, size_t npieces, bool is_random)
{
    MPI_Datatype type = make_type(npieces, is_random);
    char *memory = malloc(npieces * PIECE);
    struct figures f;
    double began;

    must(memory != NULL, "memory");
    fill(fh, npieces);
    f.view_bytes = -heap();
    began = start();
    must(MPI_File_set_view(fh, is_random ? 0 : rank * ROOM, MPI_BYTE, type,
                           "native", MPI_INFO_NULL) == MPI_SUCCESS,
         "set_view");
    f.view_ns = ns_since(began);
    f.view_bytes += heap();
    read_twice(fh, memory, npieces, is_random, &f);
    MPI_File_set_view(fh, 0, MPI_BYTE, MPI_BYTE, "native", MPI_INFO_NULL);
    MPI_Type_free(&type);
    free(memory);
    if (rank == 0)
        printf("{\"pattern\": \"%s\", \"pieces\": %zu, \"view_ns\": %.0f, "
               "\"view_bytes\": %lld, \"alone_ns\": %.0f, \"all_ns\": %.0f, "
               "\"all_bytes\": %lld, \"messages\": %lld, "
               "\"exchanged\": %lld, \"requests\": %lld}\n",
               is_random ? "indexed" : "vector", npieces, f.view_ns,
               (long long)f.view_bytes, f.alone_ns, f.all_ns,
               (long long)f.all_bytes, (long long)f.messages,
               (long long)f.exchanged, (long long)f.requests);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct capstan_options options = CAPSTAN_OPTIONS_INIT;
    size_t most = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;
    MPI_File fh;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &nranks);
    must(argc > 1, "PATH [MOST]");
    if (rank == 0 && strncmp(argv[1], "capstan:", 8) == 0)
        must(capstan_session_open(&options, &session) == 0, "session");
    must(MPI_File_open(MPI_COMM_WORLD, argv[1],
                       MPI_MODE_CREATE | MPI_MODE_RDWR |
                           MPI_MODE_DELETE_ON_CLOSE,
                       MPI_INFO_NULL, &fh) == MPI_SUCCESS,
         "open");
    for (int is_random = 0; is_random < 2; is_random++)
        for (size_t n = 10000; n <= most; n *= 10)
            run(fh, n, is_random);
    MPI_File_close(&fh);
    capstan_session_close(&session);
    MPI_Finalize();
    return 0;
}
