"""The array API standard's namespace, version 2025.12, over lazy tensors.

Names, signatures and promotion are the standard's; default dtypes are float32 and int64. What NumPy
takes by position, such as an axis, may be given so; portable code gives it by name. Every function
takes tensors, NumPy arrays and Python numbers, and builds graph. Beyond the standard: much of NumPy
that is not in it, under NumPy's names and signatures; a static ``size`` where values would fix the
shape; ``top_k`` and the segment reductions; ``float16``, ``bfloat16`` and, for storage, two kinds of
float8; and symbolic sizes wherever a shape is given.
"""

from typing import TYPE_CHECKING, Any

from rax.frontend.names import missing
from rax.ir import services
from rax.ir.types import (
    bfloat16,
    complex64,
    complex128,
    float8_e4m3fn,
    float8_e5m2,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from rax.ir.types import (
    bool_ as bool,
)
from rax.numpy import fft, linalg
from rax.numpy.aliases import (
    absolute,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    conjugate,
    cumprod,
    cumsum,
    deg2rad,
    invert,
    left_shift,
    mod,
    power,
    rad2deg,
    right_shift,
    rint,
    true_divide,
)
from rax.numpy.calculus import ediff1d, gradient, interp, trapezoid, unwrap
from rax.numpy.constants import e, inf, nan, newaxis, pi
from rax.numpy.creation import (
    arange,
    asarray,
    empty,
    empty_like,
    eye,
    from_dlpack,
    full,
    full_like,
    meshgrid,
    ones,
    ones_like,
    tril,
    triu,
    zeros,
    zeros_like,
)
from rax.numpy.data_types import astype, can_cast, finfo, iinfo, isdtype, result_type
from rax.numpy.diagonals import (
    diag,
    diag_indices,
    diag_indices_from,
    diagflat,
    diagonal,
    fill_diagonal,
    trace,
    tri,
    tril_indices,
    tril_indices_from,
    triu_indices,
    triu_indices_from,
)
from rax.numpy.einsum import einsum, einsum_path
from rax.numpy.elementwise import (
    abs,
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    ceil,
    clip,
    conj,
    copysign,
    cos,
    cosh,
    divide,
    equal,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    hypot,
    imag,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    negative,
    nextafter,
    not_equal,
    positive,
    pow,
    real,
    reciprocal,
    remainder,
    round,
    sign,
    signbit,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    trunc,
)
from rax.numpy.histograms import bincount, digitize, histogram, histogram2d, histogram_bin_edges, histogramdd
from rax.numpy.indexing import take, take_along_axis
from rax.numpy.inspection import __array_namespace_info__
from rax.numpy.joining import (
    append,
    array_split,
    block,
    column_stack,
    concatenate,
    delete,
    dsplit,
    dstack,
    hsplit,
    hstack,
    insert,
    split,
    vsplit,
    vstack,
)
from rax.numpy.linear_algebra import matmul, matrix_transpose, tensordot, vecdot
from rax.numpy.manipulation import (
    broadcast_arrays,
    broadcast_shapes,
    broadcast_to,
    concat,
    expand_dims,
    flip,
    moveaxis,
    permute_dims,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    tile,
    unstack,
)
from rax.numpy.mapping import apply_along_axis, apply_over_axes, vectorize
from rax.numpy.moments import average, corrcoef, cov
from rax.numpy.nan_reductions import (
    nanargmax,
    nanargmin,
    nancumprod,
    nancumsum,
    nanmax,
    nanmean,
    nanmin,
    nanprod,
    nanstd,
    nansum,
    nanvar,
)
from rax.numpy.numeric import (
    allclose,
    angle,
    array_equal,
    array_equiv,
    cbrt,
    degrees,
    divmod,
    exp2,
    float_power,
    fmax,
    fmin,
    fmod,
    frexp,
    gcd,
    heaviside,
    isclose,
    lcm,
    ldexp,
    logaddexp2,
    modf,
    nan_to_num,
    radians,
    sinc,
)
from rax.numpy.order_statistics import median, nanmedian, nanpercentile, nanquantile, percentile, ptp, quantile, top_k
from rax.numpy.padding import pad
from rax.numpy.polynomials import polyadd, polyder, polyint, polymul, polysub, polyval, vander
from rax.numpy.products import cross, dot, inner, kron, matvec, outer, vdot, vecmat
from rax.numpy.rearranging import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    fliplr,
    flipud,
    ravel,
    resize,
    rollaxis,
    rot90,
    swapaxes,
    transpose,
)
from rax.numpy.searching import argmax, argmin, argwhere, count_nonzero, flatnonzero, nonzero, searchsorted, where
from rax.numpy.segments import segment_max, segment_min, segment_prod, segment_sum
from rax.numpy.selecting import (
    choose,
    compress,
    extract,
    indices,
    ix_,
    lexsort,
    piecewise,
    put_along_axis,
    ravel_multi_index,
    select,
    unravel_index,
)
from rax.numpy.sets import isin, unique_all, unique_counts, unique_inverse, unique_values
from rax.numpy.signal import convolve, correlate
from rax.numpy.sorting import argsort, sort
from rax.numpy.spacing import array, geomspace, identity, linspace, logspace
from rax.numpy.statistical import cumulative_prod, cumulative_sum, max, mean, min, prod, std, sum, var
from rax.numpy.utility import all, any, diff

__array_api_version__ = "2025.12"

__all__ = [
    "__array_api_version__", "__array_namespace_info__", "abs", "acos", "acosh", "add", "all", "any", "arange",
    "argmax", "argmin", "argsort", "asarray", "asin", "asinh", "astype", "atan", "atan2", "atanh", "bfloat16",
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "bool", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "can_cast", "ceil", "clip", "complex64",
    "complex128", "concat",
    "conj", "copysign", "cos", "cosh", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff", "divide", "e",
    "empty", "empty_like", "equal", "exp", "expand_dims", "expm1", "eye", "fft", "finfo", "flip",
    "float8_e4m3fn", "float8_e5m2", "float16",
    "float32", "float64", "floor", "floor_divide", "from_dlpack", "full", "full_like", "greater", "greater_equal",
    "hypot", "iinfo", "imag", "inf", "int8", "int16", "int32", "int64", "isdtype", "isfinite", "isin", "isinf", "isnan",
    "less", "less_equal", "linalg", "linspace", "log", "log1p", "log2", "log10", "logaddexp", "logical_and",
    "logical_not", "logical_or", "logical_xor", "matmul", "matrix_transpose", "max", "maximum", "mean", "meshgrid",
    "min", "minimum", "moveaxis", "multiply", "nan", "negative", "newaxis", "nextafter", "nonzero", "not_equal", "ones",
    "ones_like", "permute_dims", "pi", "positive", "pow", "prod", "real", "reciprocal", "remainder", "repeat",
    "reshape", "result_type", "roll", "round", "searchsorted", "sign", "signbit", "sin", "sinh", "sort", "sqrt",
    "square", "squeeze", "stack", "std", "subtract", "sum", "take", "take_along_axis", "tan", "tanh", "tensordot",
    "tile", "tril", "triu", "trunc", "uint8", "uint16", "uint32", "uint64", "unique_all", "unique_counts",
    "unique_inverse", "unique_values", "unstack", "var", "vecdot", "where", "zeros", "zeros_like",
]  # fmt: skip

# Beyond the standard.
__all__ += [
    "absolute", "allclose", "angle", "append", "apply_along_axis", "apply_over_axes", "arccos", "arccosh",
    "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argwhere", "array", "array_equal", "array_equiv",
    "array_split", "atleast_1d", "atleast_2d", "atleast_3d", "average", "bincount", "block", "cbrt", "choose",
    "column_stack", "compress", "concatenate", "conjugate", "convolve", "corrcoef", "correlate", "cov", "cross",
    "cumprod", "cumsum", "deg2rad", "degrees", "delete", "diag", "diag_indices", "diag_indices_from", "diagflat",
    "diagonal", "digitize", "divmod", "dot", "dsplit", "dstack", "ediff1d", "einsum", "einsum_path", "exp2",
    "extract", "fill_diagonal", "flatnonzero", "fliplr", "flipud", "float_power", "fmax", "fmin", "fmod", "frexp",
    "gcd", "geomspace", "gradient", "heaviside", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd",
    "hsplit", "hstack", "identity", "indices", "inner", "insert", "interp", "invert", "isclose", "ix_", "kron",
    "lcm", "ldexp", "left_shift", "lexsort", "logaddexp2", "logspace", "matvec", "median", "mod", "modf",
    "nan_to_num", "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin",
    "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum", "nanvar", "outer", "pad", "percentile",
    "piecewise", "polyadd", "polyder", "polyint", "polymul", "polysub", "polyval", "power", "ptp",
    "put_along_axis", "quantile", "rad2deg", "radians", "ravel", "ravel_multi_index", "resize", "right_shift",
    "rint", "rollaxis", "rot90", "segment_max", "segment_min", "segment_prod", "segment_sum", "select", "sinc",
    "split", "swapaxes", "top_k", "trace", "transpose", "trapezoid", "tri", "tril_indices", "tril_indices_from",
    "triu_indices", "triu_indices_from", "true_divide", "unravel_index", "unwrap", "vander", "vdot", "vecmat",
    "vectorize", "vsplit", "vstack",
]  # fmt: skip

if not TYPE_CHECKING:  # a type checker would take every name for one of the module's

    def __getattr__(name: str) -> Any:
        """``special`` is :mod:`rax.special`, of the layer above: there SciPy looks for special functions of tensors."""
        if name == "special":
            return services.get("special_namespace")()
        raise missing(__name__, name)
