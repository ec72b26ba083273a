"""Sections 2 and 3.3 and appendix A: the theory."""
