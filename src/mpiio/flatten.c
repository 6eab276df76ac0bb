/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From an MPI datatype to struct flat.
 *
 * Open MPI's convertor, given no buffer, lists the pieces of one instance as
 * addresses relative to zero, in typemap order; they are pushed as they come.
 * A derived type keeps its flat as an attribute, so that it is flattened once
 * and the flat goes when the type does.
 *
 * Possible failure modes are: no memory. When only the attribute cannot be set
 * the flat is made anew next time.
 */
#include "face.h"

#include <sys/uio.h>

#define PIECES 256

static int delete_attribute(MPI_Datatype type, int keyval, void *value,
                            void *state)
{
    struct flat *flat = value;

    flat_put(&flat);
    return MPI_SUCCESS;
}

/* Our key for attributes of datatypes; MPI_KEYVAL_INVALID if there is none. */
static int flat_keyval(void)
{
    struct face_component *component = &mca_io_capstan_component;

    if (component->flat_keyval == MPI_KEYVAL_INVALID)
        PMPI_Type_create_keyval(MPI_TYPE_NULL_COPY_FN, delete_attribute,
                                &component->flat_keyval, NULL);
    return component->flat_keyval;
}

static int push_pieces(struct flat *flat, opal_convertor_t *convertor)
{
    struct iovec pieces[PIECES];
    int is_over, rc = 0;

    do {
        uint32_t npieces = PIECES;
        size_t length;

        is_over = opal_convertor_raw(convertor, pieces, &npieces, &length);
        for (uint32_t i = 0; i < npieces && rc == 0; i++)
            rc = flat_push(flat, (int64_t)(intptr_t)pieces[i].iov_base,
                           pieces[i].iov_len);
    } while (!is_over && rc == 0);
    return rc;
}

static int push_type(struct flat *flat, ompi_datatype_t *type)
{
    opal_convertor_t convertor;
    int rc = 0;

    if (type->super.size == 0)
        return 0;
    OBJ_CONSTRUCT(&convertor, opal_convertor_t);
    if (opal_convertor_copy_and_prepare_for_send(ompi_mpi_local_convertor,
                                                 &type->super, 1, NULL, 0,
                                                 &convertor) != OPAL_SUCCESS)
        rc = -EINVAL;
    else
        rc = push_pieces(flat, &convertor);
    OBJ_DESTRUCT(&convertor);
    return rc;
}

static int make_flat(ompi_datatype_t *type, struct flat **flat_out)
{
    struct flat *flat;
    int rc = flat_create(&flat);

    if (rc != 0)
        return rc;
    rc = push_type(flat, type);
    if (rc != 0) {
        flat_put(&flat);
        return rc;
    }
    flat_end(flat, type->super.lb, type->super.ub - type->super.lb);
    *flat_out = flat;
    return 0;
}

/* Under the component's lock. */
static int find_or_make(ompi_datatype_t *type, struct flat **flat_out)
{
    struct flat *flat;
    int rc, keyval, is_there = 0;

    keyval = flat_keyval();
    if (keyval != MPI_KEYVAL_INVALID)
        PMPI_Type_get_attr(type, keyval, &flat, &is_there);
    if (is_there) {
        *flat_out = flat_get(flat);
        return 0;
    }
    rc = make_flat(type, &flat);
    if (rc != 0)
        return rc;
    if (keyval != MPI_KEYVAL_INVALID &&
        PMPI_Type_set_attr(type, keyval, flat) == MPI_SUCCESS)
        flat_get(flat);
    *flat_out = flat;
    return 0;
}

int face_flatten(ompi_datatype_t *type, struct flat **flat_out)
{
    int rc;

    if (ompi_datatype_is_predefined(type))
        return make_flat(type, flat_out);
    OPAL_THREAD_LOCK(&mca_io_capstan_component.lock);
    rc = find_or_make(type, flat_out);
    OPAL_THREAD_UNLOCK(&mca_io_capstan_component.lock);
    return rc;
}
