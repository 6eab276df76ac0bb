/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MPI_T performance variables count what collectives did.
 */
#include "mpi_test.h"

#include <string.h>

#define BYTES 65536

struct mpi_test test;

/* Read a variable by name. Its handle is of one session. */
static unsigned long long value_of(MPI_T_pvar_session session, const char *name)
{
    unsigned long long value = 0;
    MPI_T_pvar_handle handle;
    int index, count;

    OK(MPI_T_pvar_get_index(name, MPI_T_PVAR_CLASS_COUNTER, &index));
    OK(MPI_T_pvar_handle_alloc(session, index, NULL, &handle, &count));
    CHECK(count == 1);
    OK(MPI_T_pvar_read(session, handle, &value));
    OK(MPI_T_pvar_handle_free(session, &handle));
    return value;
}

int main(int argc, char **argv)
{
    static char buffer[BYTES];
    MPI_T_pvar_session session;
    unsigned long long before, delivered;
    char path[512];
    MPI_File fh;
    int provided;

    MPI_Init(&argc, &argv);
    OK(MPI_T_init_thread(MPI_THREAD_SINGLE, &provided));
    MPI_Comm_rank(MPI_COMM_WORLD, &test.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &test.size);
    CHECK(argc == 2);
    snprintf(path, sizeof(path), "%spvars", argv[1]);
    OK(MPI_File_open(MPI_COMM_WORLD, path, MPI_MODE_CREATE | MPI_MODE_RDWR,
                     MPI_INFO_NULL, &fh));
    OK(MPI_T_pvar_session_create(&session));
    before = value_of(session, "io_capstan_collectives");
    delivered = value_of(session, "io_capstan_bytes_delivered");
    OK(MPI_File_write_at_all(fh, (MPI_Offset)test.rank * BYTES, buffer, BYTES,
                             MPI_BYTE, MPI_STATUS_IGNORE));
    OK(MPI_File_read_at_all(fh, 0, buffer, BYTES, MPI_BYTE, MPI_STATUS_IGNORE));
    CHECK(value_of(session, "io_capstan_collectives") == before + 2);
    CHECK(value_of(session, "io_capstan_bytes_delivered") ==
          delivered + 2 * BYTES);
    CHECK(value_of(session, "io_capstan_takeovers") == 0);
    OK(MPI_T_pvar_session_free(&session));
    OK(MPI_File_close(&fh));
    OK(MPI_T_finalize());
    MPI_Finalize();
    return 0;
}
