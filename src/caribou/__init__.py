"""Caribou: serverless workflows placed in the AWS regions that emit least carbon."""
