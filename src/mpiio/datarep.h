/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data representations (MPI-3.1, 13.5): native, internal (which is native),
 * external32, and those that the program registers.
 *
 * A representation gives each predefined type a size in the file. From that
 * comes the file's form of any datatype: the same constructors over bytes; so
 * displacements in multiples of a type's extent scale, and those in bytes stay,
 * as the standard has it for portable datatypes. An access through a view of
 * another representation than native goes through memory in the file's form.
 *
 * Units    bytes.
 * Threads  the registry: the component's lock. Else as the file.
 * Failure  0 or a negative code; the text is in struct adio_error.
 */
#ifndef CAPSTAN_MPIIO_DATAREP_H
#define CAPSTAN_MPIIO_DATAREP_H

#include "face.h"

#define DATAREP_USERS_MAX 64

struct face_rep {
    char name[MPI_MAX_DATAREP_STRING];
    MPI_Datarep_conversion_function *read_fn; /* NULL: as native */
    MPI_Datarep_conversion_function *write_fn;
    MPI_Datarep_extent_function *extent_fn;
    void *state;
    bool is_external32;
};

/** Find by name. *rep_out is NULL for native. @return 0 or -FACE_DATAREP. */
int datarep_find(const char *name, const struct face_rep **rep_out);

/** MPI_Register_datarep. @return an MPI error class. */
int datarep_register(const char *name,
                     MPI_Datarep_conversion_function *read_fn,
                     MPI_Datarep_conversion_function *write_fn,
                     MPI_Datarep_extent_function *extent_fn, void *state);

/** The file's form of a datatype; the caller frees it. @return 0,
 *  -FACE_CONVERSION (a type that has none, or the extent function failed). */
int datarep_file_type(const struct face_rep *rep, MPI_Datatype type,
                      MPI_Datatype *type_out);

/** Between memory and count instances in the file's form.
 *  @return 0, -FACE_CONVERSION, -ENOMEM. */
int datarep_to_file(const struct face_rep *rep, const void *memory,
                    MPI_Datatype type, uint64_t count, void *file);
int datarep_from_file(const struct face_rep *rep, void *memory,
                      MPI_Datatype type, uint64_t count, const void *file);

/* external32.c */

/** Bytes of a predefined type in the file; 0: it has no form there. */
uint64_t external32_size(MPI_Datatype type);

/** Convert count packed instances of a type, from or to native. */
int external32_convert(MPI_Datatype type, uint64_t count, bool is_to_file,
                       void *native, void *file);

#endif
