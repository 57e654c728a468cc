"""Special functions: those of errors, gamma and beta, Bessel's; one file a family.

Every function is computed in float64 and rounded to the operand's dtype once.
"""
