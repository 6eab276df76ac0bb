/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hints in, and what is in force out.
 *
 * Open MPI answers MPI_File_get_info() from an info of its own at the file,
 * without asking us. So after whatever may have changed something (open, set
 * view, a collective) that info is filled anew. Open MPI 4 also keeps there
 * what the user said for each hint, and would rather show that: it is removed.
 *
 * MPI_File_set_info() reaches us as one call back for each hint. A value that
 * is no good is answered with NULL: Open MPI then forgets it.
 *
 * Possible failure modes are: Open MPI has no memory for a value: the reader of
 * the info sees an older one, or none.
 */
#include "face.h"

#include "adio/common/explain.h"

#include <stdio.h>
#include <string.h>

void face_take_info(struct adio_hints *hints, opal_info_t *info)
{
    struct face_component *component = &mca_io_capstan_component;
    opal_info_entry_t *entry;

    if (info == NULL)
        return;
    OPAL_THREAD_LOCK(&component->lock);
    OPAL_LIST_FOREACH(entry, &info->super, opal_info_entry_t)
    {
        hints_take(hints, compat_info_key(entry), compat_info_value(entry),
                   &component->warned);
    }
    OPAL_THREAD_UNLOCK(&component->lock);
}

static compat_info_result hear(opal_infosubscriber_t *subscriber,
                               compat_info_text key, compat_info_text value)
{
    struct face_file *face = face_of((ompi_file_t *)subscriber);
    struct adio_hints tried;

    if (face == NULL || *value == '\0') /* subscribed with nothing to say */
        return NULL;
    OPAL_THREAD_LOCK(&face->lock);
    face->is_shown = false; /* Open MPI changes its info too */
    tried = face->adio->hints;
    if (hints_set(&tried, key, value) == HINT_TAKEN)
        face->adio->hints = tried;
    else
        value = NULL;
    OPAL_THREAD_UNLOCK(&face->lock);
    return value;
}

/* Open MPI repeats what the program said; the ranks have agreed already. */
void face_info_subscribe(ompi_file_t *fh)
{
    struct adio_file *adio = face_of(fh)->adio;
    struct adio_hints agreed = adio->hints;

    for (size_t i = 0; i < hints_count(); i++)
        opal_infosubscribe_subscribe(&fh->super, (compat_info_text)hints_key(i),
                                     "", hear);
    adio->hints = agreed;
}

/* Drop what Open MPI keeps of the user's words. */
static void forget_saved(opal_info_t *info)
{
    opal_info_entry_t *entry, *next;

    OPAL_THREAD_LOCK(info->i_lock);
    OPAL_LIST_FOREACH_SAFE(entry, next, &info->super, opal_info_entry_t)
    {
        if (strncmp(compat_info_key(entry), COMPAT_INFO_SAVED,
                    strlen(COMPAT_INFO_SAVED)) != 0)
            continue;
        opal_list_remove_item(&info->super, (opal_list_item_t *)entry);
        OBJ_RELEASE(entry);
    }
    OPAL_THREAD_UNLOCK(info->i_lock);
}

/* The hints that are in force; what was left to us as what we chose. */
static void put_hints(opal_info_t *info, struct face_file *face)
{
    struct adio_file *adio = face->adio;
    struct adio_hints hints = adio->hints;
    struct adio_layout layout;
    char value[HINT_VALUE_MAX];

    adio->driver->layout(adio, &layout);
    hints.striping_unit = layout.stripe_size;
    hints.striping_factor = layout.width;
    if (hints.cb_nodes == 0)
        hints.cb_nodes = adio->explain.aggregators;
    hints.cb_nodes = coll_aggregators(adio, hints.cb_nodes);
    if (face->is_shown &&
        memcmp(&hints, &face->shown_hints, sizeof(hints)) == 0)
        return;
    face->shown_hints = hints;
    for (size_t i = 0; i < hints_count(); i++)
        if (hints_print(&hints, i, value))
            opal_info_set(info, hints_key(i), value);
}

/* Only what has changed: this is done after each collective. */
static void put_explain(opal_info_t *info, struct face_file *face)
{
    const struct adio_explain *explain = &face->adio->explain;
    char value[EXPLAIN_VALUE_MAX];

    if (explain->collectives == 0)
        return;
    for (size_t i = 0; i < explain_count(); i++) {
        if (face->is_shown && face->shown.collectives > 0 &&
            explain_is_same(explain, &face->shown, i))
            continue;
        explain_print(explain, i, value);
        opal_info_set(info, explain_key(i), value);
    }
    face->shown = *explain;
}

void face_info_refresh(ompi_file_t *fh)
{
    struct face_file *face = face_of(fh);
    opal_info_t *info = fh->super.s_info;

    if (info == NULL)
        return;
    forget_saved(info);
    if (!face->is_shown)
        opal_info_set(info, "capstan_driver", face->adio->driver->name);
    put_hints(info, face);
    put_explain(info, face);
    face->is_shown = true;
}
