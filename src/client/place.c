/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which ordinary paths are ours.
 *
 * The happy path: the machine has a Capstan mount; the path without symbolic
 * links lies on it; what the mount shows, then the rest of the path, is the
 * path in the cluster, and the mount's source names the cluster file.
 *
 * The preload library is asked by a function that it exports: whether it is in
 * this process, and what its prefix is.
 */
#pragma GCC visibility push(default)
#include <capstan/place.h>
#pragma GCC visibility pop

#include "base/mountinfo.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int claim_fn(const char *path, char *place, size_t room);

/* @return 0, -ENOENT, -ENAMETOOLONG. */
static int find_preloaded(const char *path, struct capstan_place *place_out)
{
    claim_fn *claim = NULL;
    void *found = dlsym(RTLD_DEFAULT, "capstan_posix_claim");
    int rc;

    if (found == NULL)
        return -ENOENT;
    memcpy(&claim, &found, sizeof(claim));
    rc = claim(path, place_out->path, sizeof(place_out->path));
    if (rc == 0)
        place_out->cluster_file[0] = '\0';
    return rc;
}

/* The path without symbolic links; its last name may be missing. */
static int true_path(const char *path, char out[PATH_MAX])
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t len = (size_t)(name - path);

    if (realpath(path, out) != NULL)
        return 0;
    if (errno != ENOENT || *name == '\0')
        return -ENOENT;
    if (len >= sizeof(parent))
        return -ENAMETOOLONG;
    memcpy(parent, path, len);
    parent[len] = '\0';
    if (realpath(len == 0 ? "." : parent, out) == NULL)
        return -ENOENT;
    len = strlen(out);
    if (len + 1 + strlen(name) >= PATH_MAX)
        return -ENAMETOOLONG;
    out[len] = '/';
    memcpy(out + len + 1, name, strlen(name) + 1);
    return 0;
}

static int join(char out[CAPSTAN_PLACE_MAX], const char *one, const char *two)
{
    size_t len = strcmp(one, "/") == 0 ? 0 : strlen(one);

    if (len + strlen(two) + 2 > CAPSTAN_PLACE_MAX)
        return -ENAMETOOLONG;
    memcpy(out, one, len);
    memcpy(out + len, two, strlen(two) + 1);
    if (*out == '\0')
        memcpy(out, "/", 2);
    return 0;
}

/* What the mount table says of a true path. */
static int place_of(const char *path, const struct mountinfo *mount,
                    struct capstan_place *place_out)
{
    size_t point = strcmp(mount->point, "/") == 0 ? 0 : strlen(mount->point);
    size_t tag = strlen(MOUNTINFO_SOURCE);
    int rc;

    if (strcmp(mount->type, MOUNTINFO_CAPSTAN) != 0 ||
        strncmp(mount->source, MOUNTINFO_SOURCE, tag) != 0)
        return -ENOENT;
    rc = join(place_out->path, mount->root, path + point);
    return rc != 0 ? rc
                   : join(place_out->cluster_file, "", mount->source + tag);
}

static int find_mounted(const char *path, struct capstan_place *place_out)
{
    struct mountinfo *mount = malloc(sizeof(*mount));
    char real[PATH_MAX];
    int rc;

    if (mount == NULL)
        return -ENOMEM;
    rc = true_path(path, real);
    if (rc == 0)
        rc = mountinfo_find(real, mount) ? place_of(real, mount, place_out)
                                         : -ENOENT;
    free(mount);
    return rc;
}

int capstan_place_find(const char *path, struct capstan_place *place_out)
{
    struct capstan_place *place = malloc(sizeof(*place));
    int rc = -ENOMEM;

    if (place == NULL)
        return rc;
    rc = find_preloaded(path, place);
    if (rc == -ENOENT && mountinfo_has_type(MOUNTINFO_CAPSTAN))
        rc = find_mounted(path, place);
    if (rc == 0)
        *place_out = *place;
    free(place);
    return rc;
}
