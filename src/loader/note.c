/* SPDX-License-Identifier: BSD-3-Clause */
#include "loader/priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int note_set(struct note *note, int code, const char *format, ...)
{
    va_list args;

    if (note->code == 0) {
        va_start(args, format);
        vsnprintf(note->text, sizeof(note->text), format, args);
        va_end(args);
        note->code = code;
    }
    return note->code;
}

static int code_of(int rc)
{
    int class = MPI_ERR_OTHER;

    MPI_Error_class(rc, &class);
    if (class == MPI_ERR_NO_SUCH_FILE)
        return -ENOENT;
    return class == MPI_ERR_NO_MEM ? -ENOMEM : -EIO;
}

int note_mpi(struct note *note, int rc, const char *what, const char *object)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;

    if (rc == MPI_SUCCESS)
        return note->code;
    MPI_Error_string(rc, text, &length);
    return note_set(note, code_of(rc), "cannot %s %s: %s", what, object, text);
}

int note_spread(struct note *note, MPI_Comm comm, int worst, int rank)
{
    if (worst == 0)
        return 0;
    note->code = worst;
    MPI_Bcast(note->text, sizeof(note->text), MPI_CHAR, rank, comm);
    return worst;
}

int note_agree(struct note *note, MPI_Comm comm)
{
    struct pair own = {.code = -note->code}, worst;

    MPI_Comm_rank(comm, &own.rank);
    MPI_Allreduce(&own, &worst, 1, MPI_2INT, MPI_MAXLOC, comm);
    return note_spread(note, comm, -worst.code, worst.rank);
}
