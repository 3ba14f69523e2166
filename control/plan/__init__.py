"""From facts and runs to a problem, and to the decision whether its placement is worth a move."""
