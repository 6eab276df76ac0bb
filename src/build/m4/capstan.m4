dnl SPDX-License-Identifier: BSD-3-Clause
dnl Checks that end with the name of the Debian package to install.

dnl CAPSTAN_MISSING(what, debian-package)
AC_DEFUN([CAPSTAN_MISSING],
  [AC_MSG_ERROR([$1 was not found. On Debian: apt install $2])])

dnl CAPSTAN_PKG(VAR, pkg-config spec, debian-package)
AC_DEFUN([CAPSTAN_PKG],
  [PKG_CHECK_MODULES([$1], [$2], [], [CAPSTAN_MISSING([$2], [$3])])])

dnl CAPSTAN_HEADER(header, debian-package)
AC_DEFUN([CAPSTAN_HEADER],
  [AC_CHECK_HEADER([$1], [], [CAPSTAN_MISSING([header $1], [$2])])])

dnl CAPSTAN_LIB(VAR, header, library, function, debian-package)
AC_DEFUN([CAPSTAN_LIB],
  [CAPSTAN_HEADER([$2], [$5])
   AC_CHECK_LIB([$3], [$4], [$1_LIBS=-l$3],
                [CAPSTAN_MISSING([library lib$3], [$5])])
   AC_SUBST([$1_LIBS])])

dnl libfabric is loaded when it is first needed (src/net/net_ofi_lib.c). What is
dnl loaded by name needs the version of its interface that the headers speak: that
dnl which the linker would have bound. FI_GETINFO_ABI and so on, "" without versions.
AC_DEFUN([CAPSTAN_FABRIC_ABI],
  [AC_MSG_CHECKING([for the versions of libfabric's functions])
   fabric_saved_CFLAGS=$CFLAGS
   fabric_saved_LIBS=$LIBS
   CFLAGS="$CFLAGS $FABRIC_CFLAGS"
   LIBS="$LIBS $FABRIC_LIBS"
   fabric_abi=
   AC_LINK_IFELSE(
     [AC_LANG_PROGRAM([[#include <rdma/fabric.h>
                        #include <rdma/fi_errno.h>]],
        [[void *volatile all[] = {fi_getinfo, fi_freeinfo, fi_dupinfo,
                                  fi_fabric, fi_strerror};
          return all[0] == 0;]])],
     [fabric_abi=`$NM -D conftest$EXEEXT | sed -n 's/.* \(fi_@<:@a-z@:>@*\)@/\1 /p' | tr -d @`],
     [CAPSTAN_MISSING([a libfabric to link with], [libfabric-dev])])
   CFLAGS=$fabric_saved_CFLAGS
   LIBS=$fabric_saved_LIBS
   m4_foreach([name], [[getinfo], [freeinfo], [dupinfo], [fabric], [strerror]],
     [AC_DEFINE_UNQUOTED([FI_]m4_toupper(name)[_ABI],
        ["`AS_ECHO(["$fabric_abi"]) | sed -n 's/^fi_]m4_defn([name])[ //p'`"],
        [version of fi_]m4_defn([name])[ to load])
     ])
   AC_MSG_RESULT([`AS_ECHO(["$fabric_abi"]) | sed 's/.* //' | sort -u | tr '\n' ' '`])])

dnl Warnings, and --enable-werror.
AC_DEFUN([CAPSTAN_WARNINGS],
  [WARN_CFLAGS="-Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla -Wmissing-prototypes -Wno-unused-parameter"
   AC_ARG_ENABLE([werror],
     [AS_HELP_STRING([--enable-werror], [treat warnings as errors])])
   AS_IF([test "x$enable_werror" = xyes],
         [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
   AC_SUBST([WARN_CFLAGS])])

dnl --enable-sanitize=address,undefined or thread.
AC_DEFUN([CAPSTAN_SANITIZE],
  [AC_ARG_ENABLE([sanitize],
     [AS_HELP_STRING([--enable-sanitize=LIST],
        [build with the compiler's sanitizers, e.g. address,undefined])])
   AS_IF([test -n "$enable_sanitize" && test "x$enable_sanitize" != xno],
         [SAN_CFLAGS="-fsanitize=$enable_sanitize -fno-omit-frame-pointer"])
   AC_SUBST([SAN_CFLAGS])])

dnl Open MPI: the wrapper compiler, its flags, and where its internal headers
dnl lie. They are installed (--with-devel-headers) below a directory that holds
dnl openmpi/ompi/mca/io/io.h; which one is asked of the wrapper first, then of
dnl dpkg, then of --with-ompi-headers.
AC_DEFUN([CAPSTAN_MPI],
  [AC_ARG_VAR([MPICC], [Open MPI's C compiler wrapper])
   AC_PATH_PROGS([MPICC], [mpicc.openmpi mpicc])
   AS_IF([test -z "$MPICC"], [CAPSTAN_MISSING([mpicc], [libopenmpi-dev openmpi-bin])])
   AC_PATH_PROGS([MPIRUN], [mpirun.openmpi mpirun])
   AS_IF([test -z "$MPIRUN"], [CAPSTAN_MISSING([mpirun], [openmpi-bin])])
   MPI_CFLAGS=`$MPICC --showme:compile 2>/dev/null`
   MPI_LIBS=`$MPICC --showme:link 2>/dev/null`
   AS_IF([test -z "$MPI_LIBS"],
         [AC_MSG_ERROR([$MPICC is not Open MPI's wrapper. On Debian: apt install libopenmpi-dev])])
   AC_ARG_WITH([ompi-headers],
     [AS_HELP_STRING([--with-ompi-headers=DIR],
        [directory that holds openmpi/ompi/mca/io/io.h])])
   AC_MSG_CHECKING([for Open MPI's internal headers])
   ompi_headers=
   ompi_candidates="$with_ompi_headers `$MPICC --showme:incdirs 2>/dev/null`"
   AS_IF([command -v dpkg >/dev/null 2>&1],
     [ompi_candidates="$ompi_candidates `dpkg -L libopenmpi-dev 2>/dev/null | sed -n 's,/openmpi/ompi/mca/io/io\.h$,,p'`"])
   for dir in $ompi_candidates; do
     for base in "$dir" "$dir/openmpi/.." ; do
       AS_IF([test -z "$ompi_headers" && test -f "$base/openmpi/ompi/mca/io/io.h"],
             [ompi_headers=`cd "$base" && pwd`])
     done
   done
   AS_IF([test -z "$ompi_headers"],
     [AC_MSG_RESULT([no])
      AC_MSG_ERROR([Open MPI's internal headers (openmpi/ompi/mca/io/io.h) were not found. On Debian: apt install libopenmpi-dev; elsewhere: build Open MPI --with-devel-headers and give --with-ompi-headers=DIR])])
   AC_MSG_RESULT([$ompi_headers])
   OMPI_INTERNAL_CFLAGS="-isystem $ompi_headers -isystem $ompi_headers/openmpi"
   OMPI_LIBDIR=`$MPICC --showme:libdirs 2>/dev/null | sed 's/ .*//'`
   OMPI_MCA_DIR=
   AS_IF([command -v ompi_info >/dev/null 2>&1],
     [OMPI_MCA_DIR=`ompi_info --parsable --path pkglibdir 2>/dev/null | sed -n 's/^path:pkglibdir://p'`])
   AS_IF([test -z "$OMPI_MCA_DIR"], [OMPI_MCA_DIR=$OMPI_LIBDIR/openmpi])
   AC_SUBST([MPI_CFLAGS])
   AC_SUBST([MPI_LIBS])
   AC_SUBST([OMPI_INTERNAL_CFLAGS])
   AC_SUBST([OMPI_MCA_DIR])])
