/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who serves a path: "capstan:" paths go to ad_capstan; paths that the MCA
 * parameter io_capstan_posix_prefix names go to ad_posix; paths on a Capstan mount
 * or below the preload library's prefix go to ad_capstan too; all others are
 * somebody else's and are left alone.
 */
#include "face.h"

#include <string.h>

#define PREFIX "capstan:"

/* Does a path name a file system of its own, as "ufs:/tmp/x" does? */
static bool has_scheme(const char *path)
{
    size_t length = strcspn(path, ":/");

    return length > 1 && path[length] == ':';
}

static bool is_posix(const char *path)
{
    const char *prefix = mca_io_capstan_component.posix_prefix;

    if (prefix == NULL || *prefix == '\0' || has_scheme(path))
        return false;
    return strcmp(prefix, "*") == 0 ||
           strncmp(path, prefix, strlen(prefix)) == 0;
}

const struct adio_driver *face_driver(const char *path, const char **rest_out)
{
    if (strncmp(path, PREFIX, strlen(PREFIX)) == 0) {
        *rest_out = path + strlen(PREFIX);
        return ad_capstan();
    }
    *rest_out = path;
    if (is_posix(path))
        return ad_posix();
    return has_scheme(path) ? NULL : ad_capstan_mounted(path);
}
