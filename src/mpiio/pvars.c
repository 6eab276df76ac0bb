/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MPI_T performance variables: what the collectives of this process did, over
 * all files. Tools find them as io_capstan_<name>.
 *
 * Possible failure modes are: Open MPI has no memory for a variable: it is not
 * there.
 */
#include "face.h"

#include "opal/mca/base/mca_base_pvar.h"

/* X(name, field of struct adio_explain that is added, prose) */
#define PVARS(X)                                                               \
    X(bytes_storage, bytes_storage, "Bytes moved to or from storage")          \
    X(bytes_mapped, bytes_mapped, "Bytes copied from a mapped page cache")     \
    X(bytes_delivered, bytes_delivered, "Bytes read or written by programs")   \
    X(messages, messages, "Messages sent to other ranks")                      \
    X(plans_reused, plans_reused, "Operations planned as the one before")      \
    X(takeovers, takeovers, "Realms or steps taken over from failed ranks")

static void add_one(const char *name, const char *prose,
                    unsigned long long *value)
{
    mca_base_component_pvar_register(
        &mca_io_capstan_component.super.io_version, name, prose,
        OPAL_INFO_LVL_4, MCA_BASE_PVAR_CLASS_COUNTER,
        MCA_BASE_VAR_TYPE_UNSIGNED_LONG_LONG, NULL, MCA_BASE_VAR_BIND_NO_OBJECT,
        MCA_BASE_PVAR_FLAG_READONLY | MCA_BASE_PVAR_FLAG_CONTINUOUS, NULL, NULL,
        NULL, value);
}

void face_pvars_register(void)
{
    struct face_pvars *pvars = &mca_io_capstan_component.pvars;

    add_one("collectives", "Collective operations that ended",
            &pvars->collectives);
#define X(name, field, prose) add_one(#name, prose, &pvars->name);
    PVARS(X)
#undef X
}

void face_pvars_count(const struct adio_file *adio)
{
    struct face_pvars *pvars = &mca_io_capstan_component.pvars;

    __atomic_add_fetch(&pvars->collectives, 1, __ATOMIC_RELAXED);
#define X(name, field, prose)                                                  \
    __atomic_add_fetch(&pvars->name, adio->explain.field, __ATOMIC_RELAXED);
    PVARS(X)
#undef X
}
