"""What a user writes a model with: lazy tensors, tracing, calling, transforms, control flow."""
