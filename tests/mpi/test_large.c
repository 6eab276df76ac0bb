/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Beyond 2 and 4 GiB: displacements in memory, places in the file, pointers,
 * and the bytes that one call asks for and reports.
 *
 *   test_large PREFIX [BLOCKS]
 *
 * BLOCKS: so many MiB are really moved by one call, from and to a memory of one
 * MiB: 4400 needs that much room for the file. Without it a few; files are
 * sparse, and memory is reserved, not used.
 */
#include "mpi_test.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

struct mpi_test test;

#define GIB (1ll << 30)
#define MIB (1 << 20)
#define PIECE 3000

static MPI_File open_file(const char *name, const char *strategy)
{
    MPI_Info info;
    MPI_File file;

    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "capstan_strategy", strategy));
    OK(MPI_File_open(MPI_COMM_WORLD, test_path(name),
                     MPI_MODE_RDWR | MPI_MODE_CREATE | MPI_MODE_DELETE_ON_CLOSE,
                     info, &file));
    OK(MPI_Info_free(&info));
    test_is_ours(file);
    return file;
}

/* Memory that is there when it is touched. */
static char *reserve(int64_t size)
{
    void *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    CHECK(memory != MAP_FAILED);
    return memory;
}

static MPI_Datatype far_apart(int n, const MPI_Aint *places, MPI_Aint extent)
{
    MPI_Datatype blocks, type;

    OK(MPI_Type_create_hindexed_block(n, PIECE, places, MPI_BYTE, &blocks));
    OK(MPI_Type_create_resized(blocks, 0, extent, &type));
    OK(MPI_Type_commit(&type));
    OK(MPI_Type_free(&blocks));
    return type;
}

static void check_elements(MPI_Status *status, int64_t want)
{
    MPI_Count bytes = -1;

    OK(MPI_Get_elements_x(status, MPI_BYTE, &bytes));
    if (bytes != want) {
        fprintf(stderr, "%lld bytes, not %lld\n", (long long)bytes,
                (long long)want);
        test_fail(__FILE__, __LINE__, "count");
    }
}

/* Three blocks in memory and in each tile of the view, gibibytes apart. The
 * second tile begins behind 6 GiB, the ranks' pieces are side by side. */
static void test_types_span_gibibytes(const char *strategy)
{
    const MPI_Aint places[] = {0, 5 * GIB / 2, 5 * GIB};
    MPI_Datatype memory_type = far_apart(3, places, 6 * GIB);
    MPI_Datatype file_type = far_apart(2, places, 6 * GIB);
    char *memory = reserve(6 * GIB);
    MPI_File file = open_file("spans", strategy);
    MPI_Offset place = -1, size = -1, disp = 5 * GIB + 12345;
    MPI_Status status;

    disp += (MPI_Offset)test.rank * PIECE;
    OK(MPI_File_set_view(file, disp, MPI_BYTE, file_type, "native",
                         MPI_INFO_NULL));
    for (int i = 0; i < 3; i++)
        memset(memory + places[i], 10 * i + test.rank + 1, PIECE);
    OK(MPI_File_write_at_all(file, 0, memory, 1, memory_type, &status));
    check_elements(&status, 3 * PIECE);
    OK(MPI_File_get_byte_offset(file, 2 * PIECE, &place));
    CHECK(place == disp + 6 * GIB);
    MPI_Barrier(MPI_COMM_WORLD);
    OK(MPI_File_get_size(file, &size));
    CHECK(size == 11 * GIB + 12345 + (MPI_Offset)test.size * PIECE);
    for (int i = 0; i < 3; i++)
        memset(memory + places[i], 0, PIECE);
    OK(MPI_File_read_at_all(file, 0, memory, 1, memory_type, &status));
    check_elements(&status, 3 * PIECE);
    for (int i = 0; i < 3; i++)
        CHECK(memory[places[i]] == 10 * i + test.rank + 1 &&
              memory[places[i] + PIECE - 1] == memory[places[i]]);
    munmap(memory, 6 * GIB);
    OK(MPI_Type_free(&memory_type));
    OK(MPI_Type_free(&file_type));
    OK(MPI_File_close(&file));
}

/* Pointers move by more than an int holds, and back. */
static void test_pointers_beyond_an_int(void)
{
    MPI_File file = open_file("pointers", "automatic");
    MPI_Offset place = -1;
    char byte = 'x', back = 0;

    OK(MPI_File_seek(file, 1000 * GIB + test.rank, MPI_SEEK_SET));
    OK(MPI_File_write(file, &byte, 1, MPI_BYTE, MPI_STATUS_IGNORE));
    OK(MPI_File_get_position(file, &place));
    CHECK(place == 1000 * GIB + test.rank + 1);
    MPI_Barrier(MPI_COMM_WORLD);
    OK(MPI_File_get_size(file, &place));
    CHECK(place == 1000 * GIB + test.size);
    OK(MPI_File_seek(file, -test.size, MPI_SEEK_END));
    OK(MPI_File_seek(file, -5 * GIB, MPI_SEEK_CUR));
    OK(MPI_File_get_position(file, &place));
    CHECK(place == 995 * GIB);
    OK(MPI_File_seek_shared(file, 1000 * GIB, MPI_SEEK_SET));
    OK(MPI_File_read_ordered(file, &back, 1, MPI_BYTE, MPI_STATUS_IGNORE));
    CHECK(back == 'x');
    OK(MPI_File_get_position_shared(file, &place));
    CHECK(place == 1000 * GIB + test.size);
    OK(MPI_File_close(&file));
}

/* 5 GiB asked for by one call, of a file that has less; a read that is short
 * touches no more memory than it fills. */
static void test_short_reads_of_gibibytes(const char *strategy)
{
    MPI_File file = open_file("short", strategy);
    char *memory = reserve(5 * GIB), data[PIECE];
    MPI_Datatype gib;
    MPI_Status status;

    memset(data, 'd', PIECE);
    OK(MPI_File_write_at_all(file, 0, data, PIECE, MPI_BYTE, &status));
    OK(MPI_Type_contiguous(1 << 30, MPI_BYTE, &gib));
    OK(MPI_Type_commit(&gib));
    OK(MPI_File_read_at(file, 0, memory, 5, gib, &status));
    check_elements(&status, PIECE);
    CHECK(memory[0] == 'd' && memory[PIECE - 1] == 'd' && memory[PIECE] == 0);
    memset(memory, 0, PIECE);
    OK(MPI_File_read_at_all(file, 0, memory, 5, gib, &status));
    check_elements(&status, PIECE);
    CHECK(memory[0] == 'd' && memory[PIECE - 1] == 'd' && memory[PIECE] == 0);
    munmap(memory, 5 * GIB);
    OK(MPI_Type_free(&gib));
    OK(MPI_File_close(&file));
}

static char byte_at(int64_t at)
{
    return (char)(at * 7 % 251);
}

/* The same MiB again and again: what one call writes is in the file once for
 * each block, and pieces of it are read back. */
static void test_one_call_moves_many_blocks(int nblocks, const char *strategy)
{
    MPI_File file = open_file("blocks", strategy);
    char *block = malloc(MIB), *back = malloc(MIB);
    MPI_Offset start = (MPI_Offset)test.rank * nblocks * MIB;
    MPI_Datatype mib, same;
    MPI_Status status;
    int count = -1;

    CHECK(block != NULL && back != NULL);
    for (int64_t i = 0; i < MIB; i++)
        block[i] = byte_at(i);
    OK(MPI_Type_contiguous(MIB, MPI_BYTE, &mib));
    OK(MPI_Type_create_resized(mib, 0, 0, &same));
    OK(MPI_Type_commit(&same));
    OK(MPI_File_write_at_all(file, start, block, nblocks, same, &status));
    check_elements(&status, (int64_t)nblocks * MIB);
    MPI_Get_count(&status, same, &count);
    CHECK(count == nblocks);
    for (int i = 0; i < nblocks; i += i < nblocks - 20 ? 17 : 1) {
        memset(back, 0, MIB);
        OK(MPI_File_read_at(file, start + (MPI_Offset)i * MIB, back, MIB,
                            MPI_BYTE, &status));
        CHECK(memcmp(back, block, MIB) == 0);
    }
    OK(MPI_Type_free(&mib));
    OK(MPI_Type_free(&same));
    free(block);
    free(back);
    OK(MPI_File_close(&file));
}

int main(int argc, char **argv)
{
    static const char *const strategies[] = {"automatic", "two_phase",
                                             "independent"};
    int nblocks;

    test_start(&argc, &argv);
    nblocks = argc > 2 ? atoi(argv[2]) : 3;
    for (int i = 0; i < 3; i++) {
        test_types_span_gibibytes(strategies[i]);
        test_one_call_moves_many_blocks(nblocks, strategies[i]);
    }
    test_short_reads_of_gibibytes("automatic");
    test_pointers_beyond_an_int();
    MPI_Finalize();
    return 0;
}
