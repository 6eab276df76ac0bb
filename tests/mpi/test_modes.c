/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every combination of access modes, on a file that is there and on one that is
 * not: which ones open, with which class the others fail, and what each mode
 * then does (MPI-3.1, 13.2.1 and 13.2.2).
 */
#include "mpi_test.h"

struct mpi_test test;

#define BYTES 100 /* of the file that is there */

static const int modes[] = {
    MPI_MODE_RDONLY,          MPI_MODE_WRONLY,      MPI_MODE_RDWR,
    MPI_MODE_CREATE,          MPI_MODE_EXCL,        MPI_MODE_APPEND,
    MPI_MODE_DELETE_ON_CLOSE, MPI_MODE_UNIQUE_OPEN, MPI_MODE_SEQUENTIAL,
};

#define NMODES (sizeof(modes) / sizeof(modes[0]))

static int amode_of(unsigned combination)
{
    int amode = 0;

    for (size_t i = 0; i < NMODES; i++)
        if ((combination >> i & 1) != 0)
            amode |= modes[i];
    return amode;
}

static bool has(int amode, int mode)
{
    return (amode & mode) == mode;
}

/* The class that the standard gives to an open. */
static int class_of(int amode, bool is_there)
{
    int nways = has(amode, MPI_MODE_RDONLY) + has(amode, MPI_MODE_WRONLY) +
                has(amode, MPI_MODE_RDWR);

    if (nways != 1)
        return MPI_ERR_AMODE;
    if (has(amode, MPI_MODE_RDONLY) &&
        (has(amode, MPI_MODE_CREATE) || has(amode, MPI_MODE_EXCL)))
        return MPI_ERR_AMODE;
    if (has(amode, MPI_MODE_RDWR) && has(amode, MPI_MODE_SEQUENTIAL))
        return MPI_ERR_AMODE;
    if (!has(amode, MPI_MODE_CREATE))
        return is_there ? MPI_SUCCESS : MPI_ERR_NO_SUCH_FILE;
    return has(amode, MPI_MODE_EXCL) && is_there ? MPI_ERR_FILE_EXISTS
                                                 : MPI_SUCCESS;
}

static int try_open(int amode, MPI_File *file)
{
    return MPI_File_open(MPI_COMM_WORLD, test_path("modes"), amode,
                         MPI_INFO_NULL, file);
}

static bool is_there(void)
{
    MPI_File file;
    int rc = try_open(MPI_MODE_RDONLY, &file), class = MPI_SUCCESS;

    if (rc == MPI_SUCCESS) {
        OK(MPI_File_close(&file));
        return true;
    }
    MPI_Error_class(rc, &class);
    CHECK(class == MPI_ERR_NO_SUCH_FILE);
    return false;
}

/* There, of BYTES bytes, or not. */
static void make(bool wanted)
{
    MPI_File file;

    MPI_Barrier(MPI_COMM_WORLD);
    if (test.rank == 0)
        MPI_File_delete(test_path("modes"), MPI_INFO_NULL);
    MPI_Barrier(MPI_COMM_WORLD);
    if (!wanted)
        return;
    OK(try_open(MPI_MODE_RDWR | MPI_MODE_CREATE, &file));
    OK(MPI_File_set_size(file, BYTES));
    OK(MPI_File_close(&file));
}

/* Pointers begin at the start, or at the end of the file. */
static void check_pointers(MPI_File file, int amode, MPI_Offset end)
{
    MPI_Offset want = has(amode, MPI_MODE_APPEND) ? end : 0, at = -1;

    if (has(amode, MPI_MODE_SEQUENTIAL)) {
        FAILS(MPI_ERR_UNSUPPORTED_OPERATION,
              MPI_File_get_position_shared(file, &at));
        FAILS(MPI_ERR_UNSUPPORTED_OPERATION, MPI_File_get_position(file, &at));
        FAILS(MPI_ERR_UNSUPPORTED_OPERATION,
              MPI_File_seek(file, 0, MPI_SEEK_SET));
        FAILS(MPI_ERR_UNSUPPORTED_OPERATION,
              MPI_File_seek_shared(file, 0, MPI_SEEK_SET));
        return;
    }
    OK(MPI_File_get_position(file, &at));
    CHECK(at == want);
    OK(MPI_File_get_position_shared(file, &at));
    CHECK(at == want);
}

/* What may be read and written, by the shared pointer, which all modes have,
 * and by an offset, which SEQUENTIAL has not. */
static void check_accesses(MPI_File file, int amode, MPI_Offset end)
{
    MPI_Offset start = has(amode, MPI_MODE_APPEND) ? end : 0, size = -1;
    bool is_sequential = has(amode, MPI_MODE_SEQUENTIAL);
    int reads = has(amode, MPI_MODE_WRONLY) ? MPI_ERR_ACCESS : MPI_SUCCESS;
    int writes = has(amode, MPI_MODE_RDONLY) ? MPI_ERR_READ_ONLY : MPI_SUCCESS;
    int elsewhere = MPI_ERR_UNSUPPORTED_OPERATION;
    char byte = 'x';

    FAILS(reads,
          MPI_File_read_ordered(file, &byte, 1, MPI_BYTE, MPI_STATUS_IGNORE));
    if (reads == MPI_SUCCESS && !is_sequential)
        OK(MPI_File_seek_shared(file, start, MPI_SEEK_SET));
    FAILS(writes,
          MPI_File_write_ordered(file, &byte, 1, MPI_BYTE, MPI_STATUS_IGNORE));
    MPI_Barrier(MPI_COMM_WORLD);
    OK(MPI_File_get_size(file, &size));
    CHECK(size == (writes != MPI_SUCCESS || start + test.size < end
                       ? end
                       : start + test.size));
    MPI_Barrier(MPI_COMM_WORLD);
    FAILS(reads != MPI_SUCCESS ? reads
          : is_sequential      ? elsewhere
                               : MPI_SUCCESS,
          MPI_File_read_at(file, 0, &byte, 1, MPI_BYTE, MPI_STATUS_IGNORE));
    FAILS(writes != MPI_SUCCESS ? writes
          : is_sequential       ? elsewhere
                                : MPI_SUCCESS,
          MPI_File_write_at_all(file, test.rank, &byte, 1, MPI_BYTE,
                                MPI_STATUS_IGNORE));
}

static void check_opened(MPI_File file, int amode, bool was_there)
{
    MPI_Offset size = -1;
    int got = -1;

    OK(MPI_File_get_amode(file, &got));
    CHECK(got == amode);
    OK(MPI_File_get_size(file, &size));
    CHECK(size == (was_there ? BYTES : 0));
    check_pointers(file, amode, size);
    MPI_Barrier(MPI_COMM_WORLD);
    check_accesses(file, amode, size);
}

static void try_one(int amode, bool was_there)
{
    int class = class_of(amode, was_there);
    MPI_File file;

    make(was_there);
    if (class != MPI_SUCCESS) {
        FAILS(class, try_open(amode, &file));
        CHECK(is_there() == was_there);
        return;
    }
    OK(try_open(amode, &file));
    check_opened(file, amode, was_there);
    OK(MPI_File_close(&file));
    CHECK(is_there() == !has(amode, MPI_MODE_DELETE_ON_CLOSE));
}

int main(int argc, char **argv)
{
    test_start(&argc, &argv);
    for (unsigned combination = 0; combination < 1u << NMODES; combination++)
        for (int was_there = 0; was_there < 2; was_there++)
            if (class_of(amode_of(combination), was_there) != MPI_ERR_AMODE)
                try_one(amode_of(combination), was_there);
    /* These touch no file: one that is there is enough for all of them. */
    make(true);
    for (unsigned combination = 0; combination < 1u << NMODES; combination++) {
        MPI_File file;

        if (class_of(amode_of(combination), true) == MPI_ERR_AMODE)
            FAILS(MPI_ERR_AMODE, try_open(amode_of(combination), &file));
    }
    CHECK(is_there());
    make(false);
    MPI_Finalize();
    return 0;
}
