/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The face: Open MPI's io component "capstan". What its files share.
 *
 * A call comes in by a slot of face_module, becomes a call on struct adio_file,
 * and goes back as an MPI error code made by face_code().
 *
 * Units    as MPI's: offsets in etypes of the view, counts in datatypes.
 * Threads  face_file.lock is held through every call on a file; so two threads
 *          may use one file, one at a time. face_component.lock guards what
 *          all files share. Taken in that order. file_request.c tells about
 *          pending_lock.
 * Failure  an MPI error code whose class the standard names and whose string
 *          says file, operation and cause.
 */
#ifndef CAPSTAN_MPIIO_FACE_H
#define CAPSTAN_MPIIO_FACE_H

#include "mca_compat.h"

#include "adio/common/adio.h"
#include "adio/common/coll.h"
#include "adio/common/flat.h"
#include "adio/common/hints.h"
#include "adio/common/view.h"

#define FACE_CODES_PER_CLASS 8 /* error texts of a class that live at a time   \
                                */

/* Causes that errno has no word for; error_class.c maps them. */
enum {
    FACE_AMODE = 3001,
    FACE_DATAREP,
    FACE_TYPE,
    FACE_READ_ONLY,
    FACE_ARG,
    FACE_CONVERSION,
};

/* What collectives did so far: read by tools through MPI_T (pvars.c). */
struct face_pvars {
    unsigned long long collectives;
    unsigned long long bytes_storage;
    unsigned long long bytes_mapped;
    unsigned long long bytes_delivered;
    unsigned long long messages;
    unsigned long long plans_reused;
    unsigned long long takeovers;
};

/* Open MPI's component, and what lives as long as the process. */
struct face_component {
    compat_component super; /* first: Open MPI knows this one */
    int priority;
    int verbose;
    char *posix_prefix; /* "": off; "*": any path */
    opal_mutex_t lock;
    struct hint_warned warned;
    int flat_keyval;              /* of datatypes: their struct flat */
    opal_mutex_t pending_lock;    /* guards the next two */
    struct face_pvars pvars;      /* atomic */
    struct face_pending *pending; /* nonblocking calls under way */
    bool is_walking;              /* Open MPI walks them */
};

extern struct face_component mca_io_capstan_component;
extern const compat_module face_module;

/* Where an access begins. */
enum face_where {
    FACE_AT,
    FACE_POINTER,
    FACE_SHARED,  /* the shared pointer, alone */
    FACE_ORDERED, /* the shared pointer, all ranks in their order */
};

/* One read or write as MPI states it. */
struct face_rw {
    enum coll_verb verb;
    enum face_where where;
    MPI_Offset offset; /* FACE_AT: etypes of the view; else 0 */
    void *buf;         /* only read from when writing */
    compat_count count;
    ompi_datatype_t *type;
};

struct face_rep; /* datarep.h */

/* Memory in the file's form; NULL when the representation is native. */
struct face_stage {
    uint8_t *memory;
    uint64_t bytes;
    const struct face_rep *rep;
    struct face_rw rw; /* its type is retained */
};

/* A split collective that was begun: its end finds the result here. */
struct face_split {
    bool is_active;
    enum coll_verb verb;
    enum face_where where;
    const void *buf;
    int code;
    MPI_Status status;
};

struct face_file {
    struct adio_file *adio;
    opal_mutex_t lock;
    struct flat *byte;     /* memory without holes is counted in these */
    struct run_list list;  /* of the current call; kept for its memory */
    MPI_Offset disp;       /* the view as the user gave it */
    MPI_Datatype etype;    /* retained */
    MPI_Datatype filetype; /* retained */
    const struct face_rep *rep; /* of the view; NULL: native */
    char datarep[MPI_MAX_DATAREP_STRING];
    struct face_stage stage;    /* of the current call */
    struct face_split split;
    unsigned npending; /* nonblocking calls under way; atomic */
    struct adio_hints shown_hints; /* as Open MPI's info has them */
    struct adio_explain shown;
    bool is_shown;
};

static inline struct face_file *face_of(ompi_file_t *fh)
{
    return (struct face_file *)fh->f_io_selected_data;
}

/* drivers.c */

/** Who serves a path, or NULL: nobody here. *rest_out is the path without our
 *  prefix. */
const struct adio_driver *face_driver(const char *path, const char **rest_out);

/* error_class.c */

/** Make an MPI error code of an error: class and text. 0 is MPI_SUCCESS. */
int face_code(const struct adio_error *error);

/** Fill an error whose sentence is the whole of it: a FACE_ code has no text.
 */
void face_refuse(struct adio_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The MPI error class of a negative code. */
int face_class(int code);

/* flatten.c */

/** Flatten a committed datatype. The caller owns a reference. */
int face_flatten(ompi_datatype_t *type, struct flat **flat_out);

/* file_info.c */

/** Take the hints of an info: hints of ours, others are left alone. */
void face_take_info(struct adio_hints *hints, opal_info_t *info);

/** Hear of MPI_File_set_info(). */
void face_info_subscribe(ompi_file_t *fh);

/** Put what is in force where MPI_File_get_info() finds it. */
void face_info_refresh(ompi_file_t *fh);

/* pvars.c */
void face_pvars_register(void);

/** Add what the last collective of a file did. */
void face_pvars_count(const struct adio_file *adio);

/* file_open.c, delete.c */
int face_open(ompi_communicator_t *comm, const char *path, int amode,
              opal_info_t *info, ompi_file_t *fh);
int face_close(ompi_file_t *fh);
int face_sync(ompi_file_t *fh);
int face_delete_query(const char *path, opal_info_t *info,
                      struct mca_io_base_delete_t **data_out, bool *usable_out,
                      int *priority_out);
int face_delete_select(const char *path, opal_info_t *info,
                       struct mca_io_base_delete_t *data);
int face_delete_unselect(const char *path, opal_info_t *info,
                         struct mca_io_base_delete_t *data);

/* file_view.c */
int face_set_view(ompi_file_t *fh, MPI_Offset disp, ompi_datatype_t *etype,
                  ompi_datatype_t *filetype, const char *datarep,
                  opal_info_t *info);
int face_get_view(ompi_file_t *fh, MPI_Offset *disp_out,
                  ompi_datatype_t **etype_out, ompi_datatype_t **filetype_out,
                  char *datarep_out);
int face_get_type_extent(ompi_file_t *fh, ompi_datatype_t *type,
                         MPI_Aint *extent_out);
void face_view_fini(struct face_file *face);

/* file_misc.c */
int face_set_size(ompi_file_t *fh, MPI_Offset size);
int face_preallocate(ompi_file_t *fh, MPI_Offset size);
int face_get_size(ompi_file_t *fh, MPI_Offset *size_out);
int face_get_amode(ompi_file_t *fh, int *amode_out);
int face_seek(ompi_file_t *fh, MPI_Offset offset, int whence);
int face_get_position(ompi_file_t *fh, MPI_Offset *offset_out);
int face_get_byte_offset(ompi_file_t *fh, MPI_Offset offset,
                         MPI_Offset *disp_out);
int face_set_atomicity(ompi_file_t *fh, int is_atomic);
int face_get_atomicity(ompi_file_t *fh, int *is_atomic_out);

/* file_rw.c */

/** By this rank alone. status may be MPI_STATUS_IGNORE. */
int face_rw_alone(ompi_file_t *fh, const struct face_rw *rw,
                  MPI_Status *status);

/** By all ranks together. */
int face_rw_all(ompi_file_t *fh, const struct face_rw *rw, MPI_Status *status);

/** By all ranks together, in two calls. */
int face_rw_begin(ompi_file_t *fh, const struct face_rw *rw);
int face_rw_end(ompi_file_t *fh, const struct face_rw *rw, MPI_Status *status);

/** The steps around a transfer: runs of a call, and what it leaves behind.
 *  Under the file's lock. */
int face_rw_prepare(struct face_file *face, const struct face_rw *rw,
                    struct run_list *list, struct face_stage *stage,
                    struct adio_error *error);
void face_rw_move(struct adio_file *adio, enum coll_verb verb,
                  const struct run_list *list, uint64_t *bytes_out,
                  struct adio_error *error);
void face_rw_moved(struct face_file *face, const struct face_rw *rw,
                   const struct run_list *list, int code);

/* file_stage.c */

/** Bytes of an access in the file. */
int face_rw_bytes(const struct face_file *face, const struct face_rw *rw,
                  uint64_t *bytes_out, struct adio_error *error);

/** Make the stage of an access, and fill it for a write. */
int face_stage_fill(const struct face_file *face, const struct face_rw *rw,
                    uint64_t bytes, struct face_stage *stage,
                    struct adio_error *error);

/** The transfer is over: deliver a read, free the stage, and turn the bytes
 *  that were moved into those of memory. Does nothing without a stage. */
void face_stage_end(const struct face_file *face, struct face_stage *stage,
                    uint64_t *bytes_inout, struct adio_error *error);

/* file_shared.c */

/** Take this rank's part of the file at the shared pointer: where the access
 *  begins, in etypes. FACE_ORDERED: collective, also for a rank whose error is
 *  set, which takes nothing. */
void face_pointer_take(struct face_file *face, enum face_where where,
                       uint64_t bytes, int64_t *at_out,
                       struct adio_error *error);
int face_seek_shared(ompi_file_t *fh, MPI_Offset offset, int whence);
int face_get_position_shared(ompi_file_t *fh, MPI_Offset *offset_out);

/** The end of the file in etypes of the view. */
int face_find_end(struct adio_file *adio, MPI_Offset *end_out,
                  struct adio_error *error);

/** Refuse what MPI_MODE_SEQUENTIAL forbids. @return error->code. */
int face_check_sequential(const struct adio_file *adio, const char *what,
                          struct adio_error *error);

/** Take part in a collective that this rank has no memory for. */
int face_rw_all_fail(ompi_file_t *fh, const struct face_rw *rw);

/* file_request.c */

/** Without blocking, by this rank alone or by all ranks together. */
int face_rw_request(ompi_file_t *fh, const struct face_rw *rw,
                    MPI_Request *request_out);
int face_rw_all_request(ompi_file_t *fh, const struct face_rw *rw,
                        MPI_Request *request_out);

/** Wait until nothing is under way on a file. Not under its lock. */
void face_drain(struct face_file *face);

/** Drop what is under way on a file that nobody can wait for any more. */
void face_forget_pending(ompi_file_t *fh);

/** Leave Open MPI's progress engine. */
void face_pending_fini(void);

#endif
