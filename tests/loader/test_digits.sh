# SPDX-License-Identifier: BSD-3-Clause
# The training run of benchmarks/digits, where PyTorch and scikit-learn are.
exec timeout 400 bash "$top_srcdir/benchmarks/digits" --build "$top_builddir"
