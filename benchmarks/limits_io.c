/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The same transfers through each layer above the fabric, for
 * benchmarks/limits: memcpy (no storage at all), calls made by hand
 * (limits_rpc.c), the client library, the ADIO driver (limits_adio.c), MPI_File.
 * Started by mpirun; every rank works on its own part of one file, and a figure
 * is what all ranks did together, by the clock of the slowest.
 *
 * The happy path: rank 0 makes the file, all ranks write their part and read it
 * back by every layer; what is read is compared with what was written, outside
 * the time that is measured. Each figure is one line of JSON on rank 0.
 *
 *     mpirun -n 2 limits_io PATH SECONDS [SERVER-PID...]
 *
 * Server pids: the processor time of those processes is read around each
 * figure, so that a figure can be told for one core of the server.
 *
 * For a profile: LIMITS_ONLY="LAYER FIGURE SIZE", or the begin of such, in the
 * environment leaves out all else.
 */
#include "benchmarks/limits_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "limits_io: %s failed\n", what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

uint64_t part_start(const struct bench *bench)
{
    return (uint64_t)bench->rank * PART;
}

/* The byte that belongs at an offset of the file. */
static char byte_at(uint64_t offset)
{
    return (char)(offset * 2654435761u >> 13);
}

static void fill(struct bench *bench)
{
    for (uint64_t i = 0; i < PART; i++)
        bench->memory[i] = byte_at(part_start(bench) + i);
}

static void check(const struct bench *bench, uint64_t at, const char *memory,
                  size_t size)
{
    for (size_t i = 0; i < size; i++)
        must(memory[i] == byte_at(part_start(bench) + at + i), "comparison");
}

uint64_t random_block(struct bench *bench)
{
    bench->random = bench->random * 6364136223846793005u + 1442695040888963407u;
    return (bench->random >> 33) % (PART / SMALL) * SMALL;
}

/* --- memcpy: what memory alone would give --- */

static char *elsewhere;

static void copy_open(struct bench *bench)
{
    (void)bench;
    elsewhere = malloc(PART);
    must(elsewhere != NULL, "memory");
    memcpy(elsewhere, bench->memory, PART);
}

static void copy_close(struct bench *bench)
{
    (void)bench;
    free(elsewhere);
}

static void copy_move(struct bench *bench, bool is_write, uint64_t at,
                      size_t size)
{
    if (is_write)
        memcpy(elsewhere + at, bench->memory + at, size);
    else
        memcpy(bench->memory + at, elsewhere + at, size);
    __asm__ volatile("" ::: "memory");
}

static void copy_deep(struct bench *bench, unsigned depth)
{
    while (depth-- > 0)
        copy_move(bench, false, random_block(bench), SMALL);
}

static void copy_list(struct bench *bench)
{
    copy_deep(bench, LIST);
}

/* --- The client library --- */

static void client_open(struct bench *bench)
{
    struct capstan_options options = CAPSTAN_OPTIONS_INIT;
    const char *name = strchr(bench->path, ':');

    must(name != NULL, "path (capstan:/...)");
    must(capstan_session_open(&options, &bench->session) == 0, "session");
    must(capstan_file_open(bench->session, name + 1,
                           CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE, NULL,
                           &bench->file) == 0,
         capstan_session_error(bench->session));
}

static void client_close(struct bench *bench)
{
    capstan_file_close(&bench->file);
    capstan_session_close(&bench->session);
}

static void client_move(struct bench *bench, bool is_write, uint64_t at,
                        size_t size)
{
    uint64_t offset = part_start(bench) + at;
    size_t done;
    int rc;

    if (is_write)
        rc = capstan_file_write(bench->file, offset, bench->memory + at, size,
                                &done);
    else
        rc = capstan_file_read(bench->file, offset, bench->memory + at, size,
                               &done);
    must(rc == 0 && done == size, is_write ? "write" : "read");
}

static struct capstan_run block_run(struct bench *bench)
{
    uint64_t at = random_block(bench);
    struct capstan_run run = {.offset = part_start(bench) + at,
                              .length = SMALL,
                              .count = 1,
                              .memory = bench->memory + at};

    return run;
}

static void client_deep(struct bench *bench, unsigned depth)
{
    struct capstan_request *requests[DEPTH_MAX];
    struct capstan_run run;
    uint64_t bytes;

    for (unsigned i = 0; i < depth; i++) {
        run = block_run(bench);
        must(capstan_file_readv_start(bench->file, &run, 1, &requests[i]) == 0,
             "start");
    }
    for (unsigned i = 0; i < depth; i++)
        must(capstan_request_wait(&requests[i], &bytes) == 0 && bytes == SMALL,
             "read");
}

static void client_list(struct bench *bench)
{
    static struct capstan_run runs[LIST];
    uint64_t bytes;

    for (unsigned i = 0; i < LIST; i++)
        runs[i] = block_run(bench);
    must(capstan_file_readv(bench->file, runs, LIST, &bytes) == 0 &&
             bytes == (uint64_t)LIST * SMALL,
         "list");
}

/* --- MPI_File --- */

static void mpi_open(struct bench *bench)
{
    must(MPI_File_open(MPI_COMM_WORLD, bench->path, MPI_MODE_RDWR,
                       MPI_INFO_NULL, &bench->handle) == MPI_SUCCESS,
         "MPI_File_open");
}

static void mpi_close(struct bench *bench)
{
    MPI_File_close(&bench->handle);
}

static void mpi_move(struct bench *bench, bool is_write, uint64_t at,
                     size_t size)
{
    MPI_Offset offset = (MPI_Offset)(part_start(bench) + at);
    int rc;

    if (is_write)
        rc = MPI_File_write_at(bench->handle, offset, bench->memory + at,
                               (int)size, MPI_BYTE, MPI_STATUS_IGNORE);
    else
        rc = MPI_File_read_at(bench->handle, offset, bench->memory + at,
                              (int)size, MPI_BYTE, MPI_STATUS_IGNORE);
    must(rc == MPI_SUCCESS, is_write ? "write_at" : "read_at");
}

static void mpi_deep(struct bench *bench, unsigned depth)
{
    MPI_Request requests[DEPTH_MAX];
    uint64_t at;

    for (unsigned i = 0; i < depth; i++) {
        at = random_block(bench);
        must(MPI_File_iread_at(bench->handle,
                               (MPI_Offset)(part_start(bench) + at),
                               bench->memory + at, SMALL, MPI_BYTE,
                               &requests[i]) == MPI_SUCCESS,
             "iread_at");
    }
    must(MPI_Waitall((int)depth, requests, MPI_STATUSES_IGNORE) == MPI_SUCCESS,
         "waitall");
}

/* A filetype must not go back: every second block, from a random start. */
static void mpi_list(struct bench *bench)
{
    const unsigned n = LIST < PART / SMALL / 2 ? LIST : PART / SMALL / 2;
    MPI_Datatype type;

    MPI_Type_vector((int)n, SMALL, 2 * SMALL, MPI_BYTE, &type);
    MPI_Type_commit(&type);
    must(MPI_File_set_view(bench->handle, (MPI_Offset)part_start(bench),
                           MPI_BYTE, type, "native",
                           MPI_INFO_NULL) == MPI_SUCCESS,
         "set_view");
    must(MPI_File_read_at_all(bench->handle, 0, bench->memory, 1, type,
                              MPI_STATUS_IGNORE) == MPI_SUCCESS,
         "read_at_all");
    MPI_File_set_view(bench->handle, 0, MPI_BYTE, MPI_BYTE, "native",
                      MPI_INFO_NULL);
    MPI_Type_free(&type);
}

static const struct layer layer_copy = {"memcpy",  copy_open, copy_close,
                                        copy_move, copy_deep, copy_list};
static const struct layer layer_client = {"client",     client_open,
                                          client_close, client_move,
                                          client_deep,  client_list};
static const struct layer layer_mpi = {"MPI_File", mpi_open, mpi_close,
                                       mpi_move,   mpi_deep, mpi_list};

static const struct layer *const layers[] = {
    &layer_copy, &layer_rpc, &layer_client, &layer_adio, &layer_mpi};

/* --- Figures --- */

/* Processor time of the servers so far, in seconds (proc(5), stat). */
static double server_seconds(const struct bench *bench)
{
    unsigned long user, system;
    double sum = 0;
    char name[64];
    FILE *file;

    for (char **pid = bench->pids; *pid != NULL; pid++) {
        snprintf(name, sizeof(name), "/proc/%.20s/stat", *pid);
        file = fopen(name, "r");
        must(file != NULL, name);
        if (fscanf(file,
                   "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
                   "%lu %lu",
                   &user, &system) == 2)
            sum += (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
        fclose(file);
    }
    return sum;
}

struct figure {
    const char *name;
    bool is_write;
    size_t size;    /* of a block */
    unsigned depth; /* 0: move; LIST: one list; else that many at once */
};

static void once(struct bench *bench, const struct layer *layer,
                 const struct figure *figure, uint64_t *at)
{
    if (figure->depth == LIST) {
        layer->list(bench);
    } else if (figure->depth > 0) {
        layer->deep(bench, figure->depth);
    } else {
        layer->move(bench, figure->is_write, *at, figure->size);
        *at = (*at + figure->size) % PART;
    }
}

/* All ranks do the same number of turns, for lists are collective. */
static void measure(struct bench *bench, const struct layer *layer,
                    const struct figure *figure)
{
    uint64_t at = 0, turns = 0, blocks;
    double start, took, cpu;
    int goes_on = 1;

    once(bench, layer, figure, &at);
    MPI_Barrier(MPI_COMM_WORLD);
    cpu = server_seconds(bench);
    start = MPI_Wtime();
    while (goes_on) {
        for (unsigned i = 0; i < (figure->depth == LIST ? 1 : 16); i++, turns++)
            once(bench, layer, figure, &at);
        goes_on = MPI_Wtime() - start < bench->seconds;
        MPI_Bcast(&goes_on, 1, MPI_INT, 0, MPI_COMM_WORLD);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    took = MPI_Wtime() - start;
    cpu = server_seconds(bench) - cpu;
    blocks = turns * (figure->depth > 0 ? figure->depth : 1) *
             (uint64_t)bench->nranks;
    if (bench->rank == 0)
        printf("{\"layer\": \"%s\", \"figure\": \"%s\", \"size\": %zu, "
               "\"mb_per_s\": %.3f, \"per_s\": %.1f, \"us\": %.3f, "
               "\"per_server_core\": %.1f}\n",
               layer->name, figure->name, figure->size,
               (double)blocks * (double)figure->size / took / 1e6,
               (double)blocks / took,
               took / (double)blocks * (double)bench->nranks * 1e6,
               cpu > 0 ? (double)blocks / cpu : 0);
    fflush(stdout);
}

static const struct figure figures[] = {
    {"write", true, SMALL, 0},
    {"write", true, 1 << 16, 0},
    {"write", true, 1 << 20, 0},
    {"write", true, 4 << 20, 0},
    {"read", false, SMALL, 0},
    {"read", false, 1 << 16, 0},
    {"read", false, 1 << 20, 0},
    {"read", false, 4 << 20, 0},
    {"random read, depth 1", false, SMALL, 1},
    {"random read, depth 8", false, SMALL, 8},
    {"random read, depth 32", false, SMALL, 32},
    {"random read, list", false, SMALL, LIST},
};

static bool is_wanted(const struct layer *layer, const struct figure *figure)
{
    const char *only = getenv("LIMITS_ONLY");
    char name[128];

    snprintf(name, sizeof(name), "%s %s %zu", layer->name, figure->name,
             figure->size);
    return only == NULL || strncmp(name, only, strlen(only)) == 0;
}

static void run_layer(struct bench *bench, const struct layer *layer)
{
    layer->open(bench);
    fill(bench);
    for (uint64_t at = 0; at < PART; at += 1 << 20)
        layer->move(bench, true, at, 1 << 20);
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        if (is_wanted(layer, &figures[i]))
            measure(bench, layer, &figures[i]);
    memset(bench->memory, 0, PART);
    for (uint64_t at = 0; at < PART; at += 1 << 20)
        layer->move(bench, false, at, 1 << 20);
    check(bench, 0, bench->memory, PART);
    layer->close(bench);
    MPI_Barrier(MPI_COMM_WORLD);
}

static void make_file(const struct bench *bench)
{
    MPI_File file;

    must(MPI_File_open(MPI_COMM_WORLD, bench->path,
                       MPI_MODE_CREATE | MPI_MODE_RDWR, MPI_INFO_NULL,
                       &file) == MPI_SUCCESS,
         "create the file");
    MPI_File_close(&file);
}

int main(int argc, char **argv)
{
    struct bench bench = {.random = 88172645463325252u};

    MPI_Init(&argc, &argv);
    must(argc >= 3, "usage: limits_io PATH SECONDS [SERVER-PID...]");
    bench.path = argv[1];
    bench.seconds = atof(argv[2]);
    bench.pids = argv + 3;
    MPI_Comm_rank(MPI_COMM_WORLD, &bench.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &bench.nranks);
    bench.memory = malloc(PART);
    must(bench.memory != NULL, "memory");
    fill(&bench);
    make_file(&bench);
    for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++)
        run_layer(&bench, layers[i]);
    if (bench.rank == 0)
        MPI_File_delete(bench.path, MPI_INFO_NULL);
    free(bench.memory);
    MPI_Finalize();
    return 0;
}
