"""Neural networks: activations, losses, layers, normalisations, pooling and initialisers.

Pure functions of tensors that build graph. Parameters are arguments, in whatever nest the model
keeps them; randomness comes from a key. The nodes a function makes stand in a scope of its name, by
which drawings group them. Images and other signals come as ``(N, C, *spatial)``.
"""

from rax.nn.activations import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from rax.nn.convolution import avg_pool, conv, global_avg_pool, max_pool
from rax.nn.initializers import glorot_normal, glorot_uniform, he_normal, he_uniform
from rax.nn.layers import dense, dropout, embedding, flatten, one_hot
from rax.nn.losses import binary_cross_entropy, cross_entropy, huber, mae, mse
from rax.nn.normalization import BatchNormState, batch_norm, batch_norm_state, layer_norm, rms_norm
from rax.special.logarithms import logsumexp

__all__ = [
    "BatchNormState",
    "avg_pool",
    "batch_norm",
    "batch_norm_state",
    "binary_cross_entropy",
    "conv",
    "cross_entropy",
    "dense",
    "dropout",
    "elu",
    "embedding",
    "flatten",
    "gelu",
    "global_avg_pool",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "huber",
    "layer_norm",
    "leaky_relu",
    "log_softmax",
    "logsumexp",
    "mae",
    "max_pool",
    "mse",
    "one_hot",
    "relu",
    "rms_norm",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]
