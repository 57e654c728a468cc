"""Programs as files: the bytes of version 1, written and read.

What is here: saving and loading (``files``, ``atomic``), the layout of the file (``container``),
a program to the tables of a header and back (``encode``, ``decode``), the grammar of those tables
(``header``, ``attributes``, ``sizes``, ``trees``), tensors in a file (``tensors``), MessagePack
(``wire``), and the bounds a reader holds a file to (``limits``). The format itself is written down
in ``schemas/FORMAT.md``.

What may not be here: the name of any operation (a reader is given the registry), anything that
runs a graph, and anything that a file could make the reader import or execute.
"""
