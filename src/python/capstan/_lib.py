# SPDX-License-Identifier: BSD-3-Clause
"""libcapstan_loader through ctypes: the structs and calls of capstan/loader.h.

The library is $CAPSTAN_LOADER_LIBRARY, else the one in this package (a wheel), else
the one installed together with it, else what the dynamic linker finds. ctypes gives the interpreter's lock
up during each call.
"""
import ctypes
import os
import pathlib

from mpi4py import MPI

_NAME = "libcapstan_loader.so.0"


class Error(RuntimeError):
    """What failed: `code` is a negative errno, the text names object and cause."""

    def __init__(self, code, text):
        super().__init__(text or os.strerror(-code))
        self.code = code


class Options(ctypes.Structure):
    _fields_ = [
        ("batch", ctypes.c_uint64),
        ("epochs", ctypes.c_uint64),
        ("epoch", ctypes.c_uint64),
        ("step", ctypes.c_uint64),
        ("seed", ctypes.c_uint64),
        ("shuffle", ctypes.c_int),
        ("tail", ctypes.c_int),
        ("window", ctypes.c_uint32),
        ("weight", ctypes.c_uint32),
        ("group", ctypes.c_uint32),
        ("depth", ctypes.c_uint32),
        ("memory_max", ctypes.c_uint64),
        ("files_max", ctypes.c_uint32),
        ("plan", ctypes.c_uint32),
        ("progress", ctypes.c_int),
        ("is_unchecked", ctypes.c_int),
        ("is_independent", ctypes.c_int),
        ("index", ctypes.c_char_p),
        ("info", ctypes.c_void_p),
    ]


class CSample(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("number", ctypes.c_uint64),
        ("is_padding", ctypes.c_int),
    ]


class CBatch(ctypes.Structure):
    _fields_ = [
        ("epoch", ctypes.c_uint64),
        ("step", ctypes.c_uint64),
        ("steps", ctypes.c_uint64),
        ("count", ctypes.c_size_t),
        ("samples", ctypes.POINTER(CSample)),
    ]


class Stats(ctypes.Structure):
    _fields_ = [
        ("steps", ctypes.c_uint64),
        ("samples", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("reads", ctypes.c_uint64),
        ("opens", ctypes.c_uint64),
        ("wait_seconds", ctypes.c_double),
        ("first_wait_seconds", ctypes.c_double),
    ]


class CField(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("extension_length", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
    ]


def _find():
    given = os.environ.get("CAPSTAN_LOADER_LIBRARY")
    if given:
        return given
    here = pathlib.Path(__file__).resolve()
    # LIBDIR/capstan/python/capstan/_lib.py
    for directory in here.parent / "lib", here.parents[3]:
        if (directory / _NAME).exists():
            return str(directory / _NAME)
    return _NAME


def _load():
    library = ctypes.CDLL(_find())
    pointer, size_p = ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)
    signatures = {
        "open": (ctypes.c_int, [pointer, ctypes.c_char_p,
                                ctypes.POINTER(Options),
                                ctypes.POINTER(pointer)]),
        "next": (ctypes.c_int, [pointer, ctypes.POINTER(CBatch)]),
        "progress": (None, [pointer]),
        "error": (ctypes.c_char_p, [pointer]),
        "close": (None, [ctypes.POINTER(pointer)]),
        "samples": (ctypes.c_uint64, [pointer]),
        "steps": (ctypes.c_uint64, [pointer]),
        "stats": (None, [pointer, ctypes.POINTER(Stats)]),
    }
    for name, (result, arguments) in signatures.items():
        call = getattr(library, "capstan_loader_" + name)
        call.restype, call.argtypes = result, arguments
    library.capstan_sample_field.restype = ctypes.c_int
    library.capstan_sample_field.argtypes = [
        ctypes.POINTER(CSample), size_p, ctypes.POINTER(CField)]
    return library


library = _load()


def handle(thing):
    """The C handle behind an mpi4py object: a pointer in Open MPI."""
    return ctypes.c_void_p.from_address(MPI._addressof(thing)).value
