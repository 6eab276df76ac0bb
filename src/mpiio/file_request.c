/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nonblocking reads and writes of one rank: done at once, and handed back as a
 * generalized request that is complete (MPI-3.1, 12.2). The standard allows
 * that; only overlap is lost.
 *
 * Possible failure modes are: the transfer fails: the request is made all the
 * same, and MPI_Wait or MPI_Test return the error.
 */
#include "face.h"

#include "base/mem.h"

#include <stdlib.h>

struct outcome {
    int code;
    MPI_Status status;
};

static int query(void *state, MPI_Status *status)
{
    const struct outcome *outcome = state;
    MPI_Count bytes = 0;

    PMPI_Get_elements_x(&outcome->status, MPI_BYTE, &bytes);
    PMPI_Status_set_elements_x(status, MPI_BYTE, bytes);
    PMPI_Status_set_cancelled(status, 0);
    status->MPI_SOURCE = MPI_UNDEFINED;
    status->MPI_TAG = MPI_UNDEFINED;
    return outcome->code;
}

static int release(void *state)
{
    free(state);
    return MPI_SUCCESS;
}

static int cancel(void *state, int is_complete)
{
    return MPI_SUCCESS;
}

int face_rw_request(ompi_file_t *fh, const struct face_rw *rw,
                    ompi_request_t **request_out)
{
    struct outcome *outcome = mem_calloc(1, sizeof(*outcome));
    int rc;

    if (outcome == NULL)
        return MPI_ERR_NO_MEM;
    rc = PMPI_Grequest_start(query, release, cancel, outcome, request_out);
    if (rc != MPI_SUCCESS) {
        free(outcome);
        return rc;
    }
    outcome->code = face_rw_alone(fh, rw, &outcome->status);
    return PMPI_Grequest_complete(*request_out);
}
