/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The happy path: under pthread_once, open the library, find its functions in
 * the version whose structures we were compiled with (configure saw which), and
 * give the program its signals back.
 *
 * Possible failure modes are: no such library, or a version of a function that
 * it does not have. It stays loaded for the life of the process, since its
 * destructors do not expect to run before that.
 */
#include "net/net_ofi_lib.h"

#include "base/log.h"
#include "net/net_ofi_priv.h"

#include "config.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#define LIBRARY "libfabric.so.1"

struct ofi_lib ofi_lib;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_loaded;

static const struct {
    const char *name, *abi;
    void *field;
} functions[] = {
    {"fi_getinfo", FI_GETINFO_ABI, &ofi_lib.getinfo},
    {"fi_freeinfo", FI_FREEINFO_ABI, &ofi_lib.freeinfo},
    {"fi_dupinfo", FI_DUPINFO_ABI, &ofi_lib.dupinfo},
    {"fi_fabric", FI_FABRIC_ABI, &ofi_lib.fabric},
    {"fi_strerror", FI_STRERROR_ABI, &ofi_lib.strerror},
};

static bool find_functions(void *library)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        const char *name = functions[i].name;
        const char *abi = functions[i].abi;
        void *found =
            abi[0] == '\0' ? dlsym(library, name) : dlvsym(library, name, abi);

        if (found == NULL)
            return false;
        memcpy(functions[i].field, &found, sizeof(found));
    }
    return true;
}

static void load(void)
{
    struct ofi_signals kept;
    void *library;

    ofi_signals_keep(&kept);
    library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    ofi_signals_restore(&kept);
    is_loaded = library != NULL && find_functions(library);
    if (!is_loaded)
        log_error("fabric: %s", dlerror());
}

int ofi_lib_load(void)
{
    pthread_once(&once, load);
    return is_loaded ? 0 : -ENODATA;
}
