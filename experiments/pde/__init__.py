"""Section 4.4: a nonlinear Poisson equation."""
