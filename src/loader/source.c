/* SPDX-License-Identifier: BSD-3-Clause */
/* Find the shared object: in the directory of ours, else where the dynamic
 * linker looks. It stays loaded, for HDF5 cleans up at the program's end. */
#include "loader/source.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define OBJECT "libcapstan_loader_hdf5.so"

static void *open_beside(void)
{
    char path[PATH_MAX];
    const char *slash;
    Dl_info us;

    if (dladdr((void *)(uintptr_t)source_hdf5, &us) == 0)
        return NULL;
    slash = strrchr(us.dli_fname, '/');
    if (slash == NULL ||
        snprintf(path, sizeof(path), "%.*s/" OBJECT,
                 (int)(slash - us.dli_fname), us.dli_fname) >= PATH_MAX)
        return NULL;
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

const struct source *source_hdf5(char *text)
{
    void *object = open_beside(), *found;

    if (object == NULL)
        object = dlopen(OBJECT, RTLD_NOW | RTLD_LOCAL);
    found = object != NULL ? dlsym(object, "capstan_loader_source") : NULL;
    if (found == NULL)
        snprintf(text, SOURCE_TEXT_MAX, "%s", dlerror());
    return found;
}
