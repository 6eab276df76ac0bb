/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From an MPI datatype to struct flat.
 *
 * Open MPI describes a committed type by loops and elements, in typemap order;
 * an element is a number of equal blocks. They are walked as they stand, so a
 * vector of any length costs one step, and an indexed type one for each of its
 * blocks. A derived type keeps its flat as an attribute, so that it is
 * flattened once and the flat goes when the type does.
 *
 * Possible failure modes are: no memory. When only the attribute cannot be set
 * the flat is made anew next time.
 */
#include "face.h"

#include "opal/datatype/opal_datatype_internal.h"

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

static uint64_t elem_length(const ddt_elem_desc_t *elem)
{
    return elem->blocklen *
           opal_datatype_basicDatatypes[elem->common.type]->size;
}

static int push_items(struct flat *flat, const dt_elem_desc_t *items,
                      size_t nitems, int64_t base);

/* One element of one block a turn is a vector, whatever the number of turns. */
static int push_loop(struct flat *flat, const ddt_loop_desc_t *loop,
                     const dt_elem_desc_t *body, int64_t base)
{
    size_t nbody = loop->items - 1;
    const ddt_elem_desc_t *elem = &body->elem;
    int rc = 0;

    if (nbody == 1 && elem->count == 1)
        return flat_push_blocks(flat, base + elem->disp, elem_length(elem),
                                loop->extent, loop->loops);
    for (uint32_t i = 0; i < loop->loops && rc == 0; i++)
        rc = push_items(flat, body, nbody, base + i * loop->extent);
    return rc;
}

static int push_items(struct flat *flat, const dt_elem_desc_t *items,
                      size_t nitems, int64_t base)
{
    int rc = 0;

    for (size_t i = 0; i < nitems && rc == 0; i++) {
        const dt_elem_desc_t *item = &items[i];

        if (item->elem.common.type == OPAL_DATATYPE_LOOP) {
            rc = push_loop(flat, &item->loop, item + 1, base);
            i += item->loop.items; /* at its end marker */
        } else if (item->elem.common.type != OPAL_DATATYPE_END_LOOP) {
            rc = flat_push_blocks(flat, base + item->elem.disp,
                                  elem_length(&item->elem), item->elem.extent,
                                  item->elem.count);
        }
    }
    return rc;
}

/* What is sent as it lies in memory is described the short way, if it can be.
 */
static int push_type(struct flat *flat, const opal_datatype_t *type)
{
    const dt_type_desc_t *desc =
        type->opt_desc.desc != NULL ? &type->opt_desc : &type->desc;

    return push_items(flat, desc->desc, desc->used, 0);
}

static int make_flat(ompi_datatype_t *type, struct flat **flat_out)
{
    struct flat *flat;
    int rc = flat_create(&flat);

    if (rc != 0)
        return rc;
    rc = push_type(flat, &type->super);
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
