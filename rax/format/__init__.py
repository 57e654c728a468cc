"""Programs as files: the bytes of version 1, written and read.

What is here:

- ``files``: saving, loading and describing; ``opening``: a file read or mapped, and checked; ``atomic``: replacing one;
- ``container``: the layout of the file; ``wire``: MessagePack; ``versions``: headers of older versions;
- ``encode``, ``decode``: a program to the tables of a header and back;
- ``header``, ``attributes``, ``sizes``, ``trees``: the grammar of those tables; ``limits``: the bounds of all of it;
- ``tensors``: tensors as literals, read when they are touched; ``threads``: many of them at once;
- ``paths``: where other files with tensors may lie, and opening those; ``outside``: saving with tensors in them;
  ``safetensors``: the layout of the files that are written for that.

The format itself is written down in ``schemas/FORMAT.md``.

What may not be here: the name of any operation (a reader is given the registry), anything that
runs a graph, and anything that a file could make the reader import or execute.
"""
