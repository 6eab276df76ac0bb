/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collectives in which something fails, on any MPI-IO engine:
 *
 *     fault_probe PATH (read|write blocking|nonblocking FAULT WHO EXPECT)...
 *
 * - FAULT is eio, badsum (EBADMSG), nospace, short (half of each transfer
 *   moves), end (the file seems to end), cut (the file has lost its second
 *   half), argument (an offset below zero), kept (the file as it is: what fails
 *   is elsewhere) or none; with make there is no collective: the file is made
 *   ready for kept;
 * - WHO is the rank that it strikes, or "all";
 * - EXPECT is ok, error, short (success, counts below what was asked) or any.
 *
 * Each rank prints what it got as soon as it has it, for others may hang. Then
 * rank 0 judges: do all have the same class and text, does no rank count a byte
 * that did not arrive, and is it what was expected. After each, what was armed
 * is disarmed and the file must be readable.
 *
 * Threads  one.
 * Failure  exit status 1 with a line that says what; a hang is the caller's.
 */
#include "tests/mpi/fault_preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 1000
#define BLOCKS 300
#define BYTES (BLOCK * BLOCKS)
#define OLD 0x11 /* what a file holds before it is written */
#define UNTOUCHED 0xa5

struct outcome {
    int class;
    int count;
    int arrived; /* bytes that are really there */
    char text[MPI_MAX_ERROR_STRING];
};

static int rank, size;
static const char *path;
static bool is_write, is_nonblocking;

static unsigned char byte_of(int who, int i)
{
    unsigned char byte = (unsigned char)(i * 7 + i / 251 + who);

    return byte == UNTOUCHED || byte == OLD ? 0x5a : byte;
}

static MPI_File open_file(MPI_Comm comm, int mode)
{
    MPI_File file;

    if (MPI_File_open(comm, path, mode, MPI_INFO_NULL, &file) != MPI_SUCCESS) {
        fprintf(stderr, "fault_probe: cannot open %s\n", path);
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    return file;
}

/* Blocks dealt out to the ranks in turn. */
static void set_view(MPI_File file)
{
    MPI_Datatype type;

    MPI_Type_vector(BLOCKS, BLOCK, BLOCK * size, MPI_BYTE, &type);
    MPI_Type_commit(&type);
    MPI_File_set_view(file, (MPI_Offset)rank * BLOCK, MPI_BYTE, type, "native",
                      MPI_INFO_NULL);
    MPI_Type_free(&type);
}

/* Rank 0 alone, so that no engine's collectives are needed for it. */
static void make_file(void)
{
    unsigned char *all = malloc((size_t)BYTES * (size_t)size);
    MPI_File file;

    for (int i = 0; i < BYTES; i++)
        for (int who = 0; who < size; who++)
            all[(i / BLOCK * size + who) * BLOCK + i % BLOCK] =
                is_write ? OLD : byte_of(who, i);
    if (rank == 0) {
        file = open_file(MPI_COMM_SELF, MPI_MODE_CREATE | MPI_MODE_RDWR);
        MPI_File_write_at(file, 0, all, BYTES * size, MPI_BYTE,
                          MPI_STATUS_IGNORE);
        MPI_File_close(&file);
    }
    free(all);
    MPI_Barrier(MPI_COMM_WORLD);
}

/* The file ends in its middle. */
static void cut_file(void)
{
    MPI_File file;

    if (rank == 0) {
        file = open_file(MPI_COMM_SELF, MPI_MODE_RDWR);
        MPI_File_set_size(file, (MPI_Offset)BYTES * size / 2);
        MPI_File_close(&file);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

static int move(MPI_File file, unsigned char *buffer, MPI_Offset at,
                MPI_Status *status)
{
    MPI_Request request;
    int rc;

    if (is_write && !is_nonblocking)
        return MPI_File_write_at_all(file, at, buffer, BYTES, MPI_BYTE, status);
    if (!is_nonblocking)
        return MPI_File_read_at_all(file, at, buffer, BYTES, MPI_BYTE, status);
    rc = is_write ? MPI_File_iwrite_at_all(file, at, buffer, BYTES, MPI_BYTE,
                                           &request)
                  : MPI_File_iread_at_all(file, at, buffer, BYTES, MPI_BYTE,
                                          &request);
    return rc != MPI_SUCCESS ? rc : MPI_Wait(&request, status);
}

/* Of a read: bytes of memory that are right. */
static int arrived_here(const unsigned char *buffer)
{
    int n = 0;

    for (int i = 0; i < BYTES; i++)
        n += buffer[i] == byte_of(rank, i);
    return n;
}

/* Of a write: this rank's bytes that are in the file. */
static int arrived_in_file(void)
{
    unsigned char *all = malloc((size_t)BYTES * (size_t)size);
    MPI_File file = open_file(MPI_COMM_SELF, MPI_MODE_RDONLY);
    int n = 0;

    MPI_File_read_at(file, 0, all, BYTES * size, MPI_BYTE, MPI_STATUS_IGNORE);
    MPI_File_close(&file);
    for (int i = 0; i < BYTES; i++)
        n += all[(i / BLOCK * size + rank) * BLOCK + i % BLOCK] ==
             byte_of(rank, i);
    free(all);
    return n;
}

static int how_of(const char *fault)
{
    static const struct {
        const char *word;
        int how;
    } faults[] = {{"eio", EIO},
                  {"badsum", EBADMSG},
                  {"nospace", ENOSPC},
                  {"short", FAULT_SHORT},
                  {"end", FAULT_END}};

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        if (strcmp(faults[i].word, fault) == 0)
            return faults[i].how;
    return 0;
}

static void arm(int how)
{
    fault_arm_fn *arm_it = (fault_arm_fn *)dlsym(RTLD_DEFAULT, "fault_arm");

    if (arm_it != NULL)
        arm_it(path, how);
    else if (how != 0)
        MPI_Abort(MPI_COMM_WORLD, 2);
}

static void probe(const char *fault, bool is_struck, struct outcome *out)
{
    unsigned char *buffer = malloc(BYTES);
    MPI_File file = open_file(MPI_COMM_WORLD, MPI_MODE_RDWR);
    bool is_bad = is_struck && strcmp(fault, "argument") == 0;
    MPI_Status status;
    int rc, length;

    set_view(file);
    for (int i = 0; i < BYTES; i++)
        buffer[i] = is_write ? byte_of(rank, i) : UNTOUCHED;
    MPI_Status_set_elements(&status, MPI_BYTE, 0);
    if (is_struck)
        arm(how_of(fault));
    MPI_Barrier(MPI_COMM_WORLD);
    rc = move(file, buffer, is_bad ? -BLOCK : 0, &status);
    arm(0);
    *out = (struct outcome){0};
    MPI_Get_count(&status, MPI_BYTE, &out->count);
    MPI_Error_class(rc, &out->class);
    if (rc != MPI_SUCCESS)
        MPI_Error_string(rc, out->text, &length);
    printf("rank %d: class %d, count %d of %d%s%s\n", rank, out->class,
           out->count, BYTES, rc != MPI_SUCCESS ? ", " : "", out->text);
    fflush(stdout);
    MPI_Barrier(MPI_COMM_WORLD);
    out->arrived = is_write ? arrived_in_file() : arrived_here(buffer);
    MPI_File_close(&file);
    free(buffer);
}

static const char *verdict(const struct outcome *all, const char *expect)
{
    bool is_short = false;

    for (int i = 0; i < size; i++) {
        if (all[i].class != all[0].class ||
            strcmp(all[i].text, all[0].text) != 0)
            return "ranks differ";
        if (all[i].count < 0 || all[i].count > all[i].arrived)
            return "a count is not true";
        is_short |= all[i].count < BYTES;
    }
    if (strcmp(expect, "any") == 0)
        return "as expected";
    if ((strcmp(expect, "error") == 0) != (all[0].class != MPI_SUCCESS))
        return all[0].class != MPI_SUCCESS ? "an error" : "no error";
    if (strcmp(expect, "ok") == 0 && is_short)
        return "short";
    if (strcmp(expect, "short") == 0 && !is_short)
        return "not short";
    return "as expected";
}

/* Once more, with nothing armed. */
static bool works_again(void)
{
    struct outcome out;

    is_write = is_nonblocking = false;
    make_file();
    probe("none", false, &out);
    return out.class == MPI_SUCCESS && out.count == BYTES &&
           out.arrived == BYTES;
}

/* @return whether a case, five words, went as it should. */
static bool run_case(char **words)
{
    bool is_struck = strcmp(words[3], "all") == 0 || atoi(words[3]) == rank;
    bool is_kept = strcmp(words[2], "kept") == 0;
    struct outcome mine, *all = calloc((size_t)size, sizeof(*all));
    const char *word = "";
    int is_good = 1;

    is_write = strcmp(words[0], "write") == 0;
    is_nonblocking = strcmp(words[1], "nonblocking") == 0;
    if (!is_kept)
        make_file();
    if (strcmp(words[2], "make") == 0)
        return true;
    if (strcmp(words[2], "cut") == 0)
        cut_file();
    probe(words[2], is_struck, &mine);
    MPI_Gather(&mine, sizeof(mine), MPI_BYTE, all, sizeof(mine), MPI_BYTE, 0,
               MPI_COMM_WORLD);
    if (rank == 0) {
        word = verdict(all, words[4]);
        is_good = strcmp(word, "as expected") == 0;
        printf("%s %s %s on %s: %s\n", words[1], words[0], words[2], words[3],
               word);
        fflush(stdout);
    }
    free(all);
    MPI_Bcast(&is_good, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return is_good && (is_kept || works_again());
}

int main(int argc, char **argv)
{
    bool is_good = true;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc < 7 || argc % 5 != 2)
        MPI_Abort(MPI_COMM_WORLD, 2);
    path = argv[1];
    for (int i = 2; i < argc; i += 5)
        is_good &= run_case(&argv[i]);
    MPI_Finalize();
    return !is_good;
}
