# SPDX-License-Identifier: BSD-3-Clause
"""Training data for MPI ranks, loaded together.

    from mpi4py import MPI
    import capstan

    for batch in capstan.Dataset("capstan:/digits", batch=256, epochs=3):
        for sample in batch:
            train(sample.array)

Everything here is collective over its communicator (MPI.COMM_WORLD): all ranks
make the same calls in the same order. What fails raises capstan.Error, with the
same text on all ranks. Files are whatever MPI-IO opens.
"""
from capstan._lib import Error
from capstan.checkpoint import Part, load_checkpoint, save_checkpoint
from capstan.dataset import Batch, Dataset, Sample
from capstan.safetensors import SafeTensors, load_safetensors

__all__ = ["Batch", "Dataset", "Error", "Part", "SafeTensors", "Sample",
           "load_checkpoint", "load_safetensors", "save_checkpoint"]
