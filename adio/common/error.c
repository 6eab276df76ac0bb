/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Errors that travel.
 *
 * An error is a code and the sentence that explains it. adio_agree() makes one
 * rank's error everybody's: an Allreduce over (code, rank) finds the lowest
 * failing rank, and only when there is one its sentence is broadcast. So the
 * price of agreeing that all is well is one small Allreduce.
 *
 * Possible failure modes are: MPI itself fails. The ranks then cannot agree on
 * anything; this rank says -EIO.
 */
#include "adio/common/adio.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

void adio_error_set(struct adio_error *error, int code, const char *format, ...)
{
    va_list args;
    int used;

    error->code = code;
    va_start(args, format);
    used = vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    if (used < 0)
        used = 0;
    if (used < (int)sizeof(error->text))
        snprintf(error->text + used, sizeof(error->text) - (size_t)used, ": %s",
                 err_text(code));
}

int adio_agree(MPI_Comm comm, struct adio_error *error_inout)
{
    struct {
        int is_fine; /* 0: this rank failed */
        int rank;
    } mine, lowest;

    PMPI_Comm_rank(comm, &mine.rank);
    mine.is_fine = error_inout->code == 0;
    if (PMPI_Allreduce(&mine, &lowest, 1, MPI_2INT, MPI_MINLOC, comm) !=
        MPI_SUCCESS) {
        adio_error_set(error_inout, -EIO, "ranks cannot agree: Allreduce");
        return -EIO;
    }
    if (lowest.is_fine)
        return 0;
    if (PMPI_Bcast(error_inout, (int)sizeof(*error_inout), MPI_BYTE,
                   lowest.rank, comm) != MPI_SUCCESS)
        adio_error_set(error_inout, -EIO, "ranks cannot agree: Bcast");
    return error_inout->code;
}
