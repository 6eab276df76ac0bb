/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collectives, simplest form: agree on errors, then every rank moves its own
 * runs, then agree again.
 *
 * Possible failure modes: any rank's error before or after ends the operation
 * on all ranks with the same code and text.
 */
#include "adio/common/coll.h"

#include <stdlib.h>

struct coll_op {
    struct adio_error error;
    uint64_t bytes;
};

void coll_start(struct adio_file *file, enum coll_verb verb,
                const struct run *runs, size_t nruns,
                const struct adio_error *local, struct coll_op **op_out)
{
    struct coll_op *op = calloc(1, sizeof(*op));

    if (op == NULL)
        abort();
    if (local != NULL)
        op->error = *local;
    *op_out = op;
    if (adio_agree(file->comm, &op->error) != 0)
        return;
    if (verb == COLL_READ)
        file->driver->readlist(file, runs, nruns, &op->bytes, &op->error);
    else
        file->driver->writelist(file, runs, nruns, &op->bytes, &op->error);
    adio_agree(file->comm, &op->error);
}

bool coll_step(struct coll_op *op)
{
    return true;
}

int coll_finish(struct coll_op **op_p, uint64_t *bytes_out,
                struct adio_error *error)
{
    int code = (*op_p)->error.code;

    *bytes_out = (*op_p)->bytes;
    *error = (*op_p)->error;
    free(*op_p);
    *op_p = NULL;
    return code;
}

int coll_run(struct adio_file *file, enum coll_verb verb,
             const struct run *runs, size_t nruns,
             const struct adio_error *local, uint64_t *bytes_out,
             struct adio_error *error)
{
    struct coll_op *op;

    coll_start(file, verb, runs, nruns, local, &op);
    return coll_finish(&op, bytes_out, error);
}

void coll_forget(struct adio_file *file)
{
}
