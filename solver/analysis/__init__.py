"""What is said of a placement once it is found: why, how sure, and what it would take to do better."""
