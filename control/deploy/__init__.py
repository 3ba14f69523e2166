"""Deploying and removing workflows: what is refused, what is planned, what is done."""
