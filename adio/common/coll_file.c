/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engine keeps at a file between operations: its own communicator,
 * the summary operator and types, the nodes.
 *
 * Possible failure modes: no memory. Every rank takes part in all collectives
 * here whatever happens, and all ranks return alike. MPI itself failing aborts
 * the job: without it a rank could only wait for ever.
 */
#include "adio/common/coll_op.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>

static_assert(sizeof(struct coll_summary) % sizeof(uint64_t) == 0,
              "a summary travels as a vector of MPI_UINT64_T");

static void make_types(struct coll_kept *kept)
{
    PMPI_Op_create(coll_classify_combine, 0, &kept->combine);
    PMPI_Type_contiguous(sizeof(struct coll_summary) / sizeof(uint64_t),
                         MPI_UINT64_T, &kept->summary_type);
    PMPI_Type_commit(&kept->summary_type);
    PMPI_Type_contiguous(4, MPI_UINT64_T, &kept->run_type);
    PMPI_Type_commit(&kept->run_type);
}

static bool all_have(MPI_Comm comm, bool mine)
{
    int has = mine;

    PMPI_Allreduce(MPI_IN_PLACE, &has, 1, MPI_INT, MPI_MIN, comm);
    return has;
}

int coll_prepare(struct adio_file *file)
{
    struct coll_kept *kept = mem_calloc(1, sizeof(*kept));
    int rc = 0;

    if (kept != NULL)
        kept->spare = mem_calloc(1, sizeof(*kept->spare));
    if (!all_have(file->comm, kept != NULL && kept->spare != NULL))
        goto err_kept;
    PMPI_Comm_dup(file->comm, &kept->comm);
    PMPI_Comm_set_errhandler(kept->comm, MPI_ERRORS_ARE_FATAL);
    rc = coll_nodes_init(&kept->nodes, kept->comm, file->hints.cb_config_list);
    if (!all_have(file->comm, rc == 0))
        goto err_comm;
    if (file->hints.cb_nodes > coll_nodes_most(&kept->nodes))
        file->hints.cb_nodes = coll_nodes_most(&kept->nodes);
    make_types(kept);
    kept->trace = coll_trace_create(kept->comm);
    file->coll = kept;
    return 0;

err_comm:
    coll_nodes_fini(&kept->nodes);
    PMPI_Comm_free(&kept->comm);
err_kept:
    if (kept != NULL)
        free(kept->spare);
    free(kept);
    return -ENOMEM;
}

uint32_t coll_aggregators(const struct adio_file *file, uint32_t wanted)
{
    const struct coll_kept *kept = file->coll;
    uint32_t most = wanted;

    if (kept != NULL)
        most = coll_nodes_most(&kept->nodes);
    return wanted < most ? wanted : most;
}

void coll_forget(struct adio_file *file)
{
    struct coll_kept *kept = file->coll;

    if (kept == NULL)
        return;
    file->coll = NULL;
    coll_trace_finish(&kept->trace, kept->comm, file->display);
    PMPI_Type_free(&kept->run_type);
    PMPI_Type_free(&kept->summary_type);
    PMPI_Op_free(&kept->combine);
    coll_nodes_fini(&kept->nodes);
    PMPI_Comm_free(&kept->comm);
    coll_buffers_free(kept);
    coll_exchange_forget(kept);
    coll_ring_free(&kept->ring);
    free(kept->spare);
    free(kept);
}

void coll_buffers_free(struct coll_kept *kept)
{
    for (int i = 0; i < 2; i++) {
        free(kept->buffers[i]);
        kept->buffers[i] = NULL;
    }
    kept->buffer_size = 0;
}

char *coll_buffer(struct coll_kept *kept, int i, uint64_t size)
{
    if (size > kept->buffer_size) {
        coll_buffers_free(kept);
        kept->buffer_size = size;
    }
    if (kept->buffers[i] == NULL)
        kept->buffers[i] = mem_pages(kept->buffer_size);
    return kept->buffers[i];
}
