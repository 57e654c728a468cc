"""The text form of graphs and programs: a second syntax of what a file holds, in both directions.

What is here: printers and parsers (``graph_printer``, ``program_printer``, ``graph_parser``, ``program_parser``
and what the parsers share: ``tree_parser``, ``value_parser``), the words of a text with the places of errors
(``scanner``), numbers as exact decimals (``numerals``). The grammar is written down in ``schemas/TEXT.md``.

What may not be here: the name of any operation (a registry is given), and anything of NumPy.
"""
