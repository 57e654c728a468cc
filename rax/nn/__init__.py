"""Neural networks: activations, losses, layers, normalisations, pooling, images and initialisers.

Pure functions of tensors that build graph. Parameters are arguments, in whatever nest the model
keeps them; a layer with many has a function ``..._init`` that makes them. Randomness comes from a key.
The nodes a function makes stand in a scope of its name, by which drawings group them. Images and
other signals come as ``(N, C, *spatial)``, sequences as ``(N, time, features)``. A keyword means the
same everywhere: ``axis``, ``epsilon``, ``stride``, ``padding``, ``rate``, ``reduction``.

One file a kind: ``losses`` are of predictions and targets, ``pair_losses`` of vectors that should be near
or far. What is no layer, loss or activation belongs to ``rax.numpy`` or ``rax.special``; operations
to ``rax.ops``.
"""

from typing import TYPE_CHECKING

from rax.frontend.names import missing
from rax.nn.activations import (
    celu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    identity,
    leaky_relu,
    log1mexp,
    log_sigmoid,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softplus,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    swish,
    tanh,
)
from rax.nn.attention import (
    KeyValueCache,
    dot_product_attention,
    extend_cache,
    key_value_cache,
    multi_head_attention,
    multi_head_attention_init,
)
from rax.nn.convolution import conv, conv_transpose
from rax.nn.ctc import ctc_loss
from rax.nn.dropping import alpha_dropout, drop_path, dropout, spatial_dropout
from rax.nn.image import pixel_shuffle, pixel_unshuffle, resize, upsample
from rax.nn.initializers import (
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
    orthogonal,
    variance_scaling,
)
from rax.nn.layers import dense, embedding, flatten, one_hot
from rax.nn.losses import (
    binary_cross_entropy,
    cross_entropy,
    hinge_loss,
    huber,
    kl_divergence,
    log_cosh,
    mae,
    mse,
    nll_loss,
    smooth_l1_loss,
)
from rax.nn.normalization import (
    BatchNormState,
    batch_norm,
    batch_norm_state,
    group_norm,
    instance_norm,
    layer_norm,
    rms_norm,
    spectral_norm,
    standardize,
    weight_standardization,
)
from rax.nn.pair_losses import (
    contrastive_loss,
    cosine_embedding_loss,
    cosine_similarity,
    info_nce,
    nt_xent,
    triplet_margin_loss,
)
from rax.nn.pooling import (
    adaptive_avg_pool,
    adaptive_max_pool,
    avg_pool,
    global_avg_pool,
    global_max_pool,
    lp_pool,
    max_pool,
)
from rax.nn.positions import alibi, rotary, sinusoidal_positions
from rax.nn.quantization import (
    dequantize,
    fake_quantize,
    matmul_integer,
    quantization_parameters,
    quantize,
    quantized_dense,
    widening_matmul,
)
from rax.nn.recurrent import gru, gru_cell, gru_init, lstm, lstm_cell, lstm_init, rnn, rnn_cell, rnn_init
from rax.nn.softmax import log_softmax, softmax
from rax.special.logarithms import logsumexp

__all__ = [
    "BatchNormState", "KeyValueCache", "adaptive_avg_pool", "adaptive_max_pool", "alibi", "alpha_dropout",
    "avg_pool", "batch_norm", "batch_norm_state", "binary_cross_entropy", "celu", "contrastive_loss", "conv",
    "conv_transpose", "cosine_embedding_loss", "cosine_similarity", "cross_entropy", "ctc_loss", "dense",
    "dequantize", "dot_product_attention", "drop_path", "dropout", "elu", "embedding", "extend_cache",
    "fake_quantize", "flatten", "gelu", "global_avg_pool", "global_max_pool", "glorot_normal", "glorot_uniform",
    "glu", "group_norm", "gru", "gru_cell", "gru_init", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "he_normal", "he_uniform", "hinge_loss", "huber", "identity", "info_nce", "instance_norm", "key_value_cache",
    "kl_divergence", "layer_norm", "leaky_relu", "lecun_normal", "lecun_uniform", "log1mexp", "log_cosh",
    "log_sigmoid", "log_softmax", "logsumexp", "lp_pool", "lstm", "lstm_cell", "lstm_init", "mae",
    "matmul_integer", "max_pool", "mish", "mse", "multi_head_attention", "multi_head_attention_init", "nll_loss",
    "nt_xent", "one_hot", "orthogonal", "pixel_shuffle", "pixel_unshuffle", "quantization_parameters", "quantize",
    "quantized_dense", "relu", "relu6", "resize", "rms_norm", "rnn", "rnn_cell", "rnn_init", "rotary", "selu",
    "sigmoid", "silu", "sinusoidal_positions", "smooth_l1_loss", "soft_sign", "softmax", "softplus", "sparse_plus",
    "sparse_sigmoid", "spatial_dropout", "spectral_norm", "squareplus", "standardize", "swish", "tanh",
    "triplet_margin_loss", "upsample", "variance_scaling", "weight_standardization", "widening_matmul",
]  # fmt: skip


if not TYPE_CHECKING:  # a type checker would take every name for one of the module's

    def __getattr__(name: str) -> object:
        raise missing(__name__, name)
